"""The band: which instruments play, their place in the mix, and the notes of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from acestep_mcp.engines.draft.backing import BACKING, thirds
from acestep_mcp.engines.draft.comp_register import below_tune
from acestep_mcp.engines.draft.drums import SIX_EIGHT
from acestep_mcp.engines.draft.harmony import chord, nearest, voicing
from acestep_mcp.engines.draft.instruments import DRUM_KITS, MALLETS, PADS, PITCHED_DRUMS, PROGRAMS, SOLOISTS
from acestep_mcp.engines.draft.lead import Lead, lead
from acestep_mcp.engines.draft.lineup import Lineup
from acestep_mcp.engines.draft.melody import MelodyNote
from acestep_mcp.engines.draft.patterns import PATTERNS, Pattern
from acestep_mcp.engines.draft.players import BeatNote, bass_line, comp, drum_track
from acestep_mcp.engines.draft.score import Singer
from acestep_mcp.engines.draft.song import Song, Span
from acestep_mcp.engines.draft.style import accompanists, bass_instrument

_BASS_LOW = 29  # F1: about the lowest note that small speakers reproduce
_CRASH, _KICK = 49, 36
_VOICES = frozenset({PROGRAMS["voice"], PROGRAMS["choir"], PROGRAMS["synth voice"]})
_LINES = (PATTERNS["line"], PATTERNS["timpani"])
# What plays where the tags refuse all instruments of a layer or the bass, the first allowed ones.
_SUBSTITUTES = (
    "piano", "clean guitar", "strings", "organ", "vibraphone", "harp", "brass", "polysynth", "marimba", "accordion",
    "nylon guitar", "clarinet", "kalimba", "choir",
)  # fmt: skip
_BASS_SUBSTITUTES = ("finger bass", "acoustic bass", "synth bass", "contrabass", "tuba", "cello", "bassoon")
_MAX_LAYERS = 8  # a MIDI file has fifteen channels that are not drums


@dataclass(frozen=True, slots=True)
class Player:
    """One instrument and its notes.

    `weight` is its loudness in the mix (see `mix.volume_controller`), `final_notes` are held at the end of the song,
    `looseness` scales the genre's timing spread.
    """

    name: str
    program: int
    notes: tuple[BeatNote, ...]
    final_notes: tuple[BeatNote, ...] = ()
    drums: bool = False
    weight: float = 80
    pan: int = 64
    reverb: int = 40
    looseness: float = 1.0
    lead: bool = False
    singer: Singer | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """A chord instrument: pattern name (in PATTERNS) and instrument name (in PROGRAMS)."""

    pattern: str
    instrument: str


def band(song: Song) -> Iterator[Player]:
    """Every player with its notes: drums, bass, chords, then the melody. What the tags refuse is not among them."""
    lineup = song.style.lineup
    for player in _players(song):
        heard = _without_refused(player, lineup)
        if heard is not None:
            yield replace(heard, reverb=0) if lineup.dry else heard


def _without_refused(player: Player, lineup: Lineup) -> Player | None:
    """The player without the drums that the tags refuse, or None if it is refused itself."""
    if player.drums:
        notes, last = (
            tuple(note for note in part if note.pitch not in lineup.refused_pieces)
            for part in (player.notes, player.final_notes)
        )
        return replace(player, notes=notes, final_notes=last)
    heard = lineup.plays(player.program) or (player.singer is not None and lineup.voice)
    return player if heard else None


def _players(song: Song) -> Iterator[Player]:
    yield from _rhythm_section(song)
    reverb = song.style.reverb
    tune = lead(song)
    sounding = sorted((*tune.sung, *tune.played))
    layers = arrangement(song)
    for number, layer in enumerate(layers):
        pattern = PATTERNS[layer.pattern]
        name = f"{layer.pattern} {layer.instrument}"
        played = (
            note
            for span in song.spans
            if _plays_in(song, span, number, len(layers))
            for note in comp(song, span, name, pattern)
        )
        # A named instrument is heard, even where it plays bells in a song that is sung throughout.
        rests = pattern.playing == "bells" and layer.instrument not in song.style.instruments
        notes = below_tune(played, sounding, song.grid.beats_per_bar, may_rest=rests)
        last = _final_chord(song, pattern) if number < 3 and pattern.playing != "bells" else ()
        weight = pattern.weight * (1.0 if _has_beat(song) else 1.2)
        yield Player(
            name, PROGRAMS[layer.instrument], tuple(notes), last, weight=weight, pan=pattern.pan, reverb=reverb
        )
    yield from _melody_players(song, tune)


def arrangement(song: Song) -> list[Layer]:
    """The genre's layers, with the instruments that the tags name or else randomly chosen ones."""
    style = song.style
    layers = [layer for row in style.genre.layers if (layer := _layer(song, row))]
    if style.second is not None and (layer := _layer(song, style.second.layers[0])):
        layers.insert(2, layer)
    for name in accompanists(style):
        candidates = [n for n, layer in enumerate(layers) if (layer.instrument in PADS) == (name in PADS)]
        free = [n for n in candidates if layers[n].instrument not in style.instruments]
        if any(layer.instrument == name for layer in layers):
            continue
        if free:
            layers[free[0]] = Layer(_pattern_for(name, layers[free[0]].pattern), name)
        else:
            layers.insert(1, Layer(_pattern_for(name, "pad" if name in PADS else "pick"), name))
    layers += _named_lines(song)
    named = [layer for layer in layers if layer.instrument in style.instruments]
    return (named + [layer for layer in layers if layer.instrument not in style.instruments])[:_MAX_LAYERS]


def _pattern_for(name: str, usual: str) -> str:
    """The pattern of an instrument in a layer: bars and bells play broken chords."""
    return "mallet" if name in MALLETS and PATTERNS[usual].playing not in {"arp", "bells"} else usual


def _named_lines(song: Song) -> Iterator[Layer]:
    """Named instruments that play one note at a time: drums of definite pitch, and soloists of a named group."""
    style = song.style
    yield from (Layer("timpani", name) for name in style.instruments if name in PITCHED_DRUMS)
    if style.lineup.only is None:
        return
    soloists = [name for name in style.instruments if name in SOLOISTS]
    yield from (Layer("line", name) for name in soloists[1:])
    if style.lineup.sings_alone and style.lineup.plays(PROGRAMS["choir"]):
        yield Layer("choirpad", "choir")


def _layer(song: Song, row: str) -> Layer | None:
    """A genre's layer; with another instrument if the tags refuse all of its own, None if none is left."""
    pattern, instruments = row.split(":")
    lineup = song.style.lineup
    if PATTERNS[pattern].playing == "arp" and not lineup.arpeggios:
        return None
    options = [name for name in instruments.split("/") if lineup.plays(PROGRAMS[name])]
    if not options and lineup.only is None:
        family = PROGRAMS[instruments.split("/")[0]] // 8
        allowed = [name for name in _SUBSTITUTES if lineup.plays(PROGRAMS[name])]
        options = sorted(allowed, key=lambda name: PROGRAMS[name] // 8 != family)[:2]
    if not options:
        return None
    return Layer(pattern, song.seeds.stream(f"instrument/{row}").choice(options))


def _plays_in(song: Song, span: Span, number: int, count: int) -> bool:
    """The first layers play nearly always, the last ones only in full sections; each kind of section varies a little."""
    full = song.fullness(span.section) + song.seeds.stream(f"layers/{span.section.kind}").uniform(-0.08, 0.08)
    return number < max(1, round(0.5 + count * full))


def _rhythm_section(song: Song) -> Iterator[Player]:
    genre, lineup = song.style.genre, song.style.lineup
    if song.style.drums:
        groove = _groove(song)
        notes = tuple(drum_track(song, groove))
        end = song.beats
        last = tuple(BeatNote(end, 1, pitch, 88) for pitch in (_CRASH, _KICK)) if groove != "none" else ()
        drum_reverb = min(60, song.style.reverb // 2)
        kit = lineup.kit(genre.kit)
        yield Player("drums", kit, notes, last, drums=True, weight=92, reverb=drum_reverb, looseness=0.6)
    line, instruments = genre.bass.split(":")
    instrument = _bass(song, instruments)
    if instrument is None:
        return
    low = _BASS_LOW if instrument != "square lead" else 41
    spans = [
        span for span in song.spans if span.section.kind not in {"intro", "break"} or song.fullness(span.section) > 0.28
    ]
    notes = tuple(note for span in spans for note in bass_line(song, span, line, low))
    root = low + (song.grid.tonic - low) % 12
    weight = 112 if _has_beat(song) else 90
    yield Player(
        "bass", PROGRAMS[instrument], notes, (BeatNote(0, 1, root, 84),), weight=weight, reverb=6, looseness=0.7
    )


def _groove(song: Song) -> str:
    """The groove of the drums; a genre without drums has one if the tags name drums."""
    groove = song.seeds.stream("groove").choice(song.style.genre.grooves.split("|"))
    if groove == "none" and not DRUM_KITS.isdisjoint(song.style.percussion):
        groove = "waltz" if song.grid.metre in {"3/4", "9/8"} else "pop"
    return SIX_EIGHT if song.grid.metre == "6/8" and groove != "none" else groove


def _bass(song: Song, instruments: str) -> str | None:
    """The bass instrument: the named one, one of the genre's, or another if those are refused; None without a bass."""
    lineup = song.style.lineup
    if not lineup.bass:
        return None
    named = bass_instrument(song.style)
    if named and lineup.plays(PROGRAMS[named]):
        return named
    options = [name for name in instruments.split("/") if lineup.plays(PROGRAMS[name])]
    options = options or [name for name in _BASS_SUBSTITUTES if lineup.plays(PROGRAMS[name])][:1]
    return song.seeds.stream("bass instrument").choice(options) if options else None


def _has_beat(song: Song) -> bool:
    return song.style.drums and song.style.genre.grooves != "none"


def _final_chord(song: Song, pattern: Pattern) -> tuple[BeatNote, ...]:
    """The tonic chord, held at the end; one note of it for an instrument that plays one at a time."""
    tonic = chord("i" if song.grid.key.minor else "I", song.grid.key)
    pitches = voicing(tonic.tones, (), pattern.low, pattern.high)
    if pattern in _LINES:
        pitches = (nearest(tonic.root, (pattern.low + pattern.high) / 2),)
    return tuple(BeatNote(0, 1, pitch, 72) for pitch in pitches)


def _melody_players(song: Song, tune: Lead) -> Iterator[Player]:
    """The voice, an instrument that doubles it softly, and the lead instrument for passages without lyrics."""
    share = 1.0 if _has_beat(song) else 0.85
    reverb = min(127, song.style.reverb + 20)
    double = tune.instrument
    if tune.sung:
        sung = _beat_notes(song, tune.sung)
        sings = song.style.lineup.voice
        if sings:
            yield from _singers(song, tune, 104 * share, reverb)
        if double is not None and double not in _VOICES:
            weight = (58 if sings else 104) * share
            yield Player("voice double", double, sung, weight=weight, pan=70, reverb=reverb, lead=True, looseness=1.2)
    if tune.played and double is not None:
        played = _beat_notes(song, tune.played)
        last = (BeatNote(0, 1, nearest(song.grid.tonic, tune.played[-1].pitch), 70),)
        yield Player("lead", double, played, last, weight=100 * share, reverb=reverb, lead=True, looseness=0.9)


def _singers(song: Song, tune: Lead, weight: float, reverb: int) -> Iterator[Player]:
    """The voice, and in choruses one to the left and one to the right of it. A rap has no backing voices."""
    singer: Singer = "man" if song.style.register < -6 else "woman"
    voice = Player(
        "voice",
        tune.voice,
        _beat_notes(song, tune.sung),
        weight=weight,
        reverb=reverb,
        lead=True,
        looseness=0.8,
        singer=singer,
    )
    yield voice
    for name, side, pan in () if song.style.rap else BACKING:
        notes = _beat_notes(song, tuple(thirds(song, tune.sung, side)))
        yield replace(voice, name=name, notes=notes, weight=0.6 * weight, pan=pan)


def _beat_notes(song: Song, melody: tuple[MelodyNote, ...]) -> tuple[BeatNote, ...]:
    spans = song.spans
    notes, index = [], 0
    for note in melody:
        while index + 1 < len(spans) and note.beat >= spans[index].end:
            index += 1
        loud = 54 + 46 * song.fullness(spans[index].section)
        notes.append(BeatNote(note.beat, note.length, note.pitch, loud + 12 * (note.accent - 0.5), note.sung))
    return tuple(notes)
