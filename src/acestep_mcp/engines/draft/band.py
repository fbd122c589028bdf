"""The band: which instruments play, their place in the mix, and the notes of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from acestep_mcp.engines.draft.drums import SIX_EIGHT
from acestep_mcp.engines.draft.harmony import chord, nearest, voicing
from acestep_mcp.engines.draft.instruments import PADS, PROGRAMS
from acestep_mcp.engines.draft.lead import lead
from acestep_mcp.engines.draft.melody import MelodyNote
from acestep_mcp.engines.draft.patterns import PATTERNS
from acestep_mcp.engines.draft.players import BeatNote, bass_line, comp, drum_track
from acestep_mcp.engines.draft.song import Song, Span
from acestep_mcp.engines.draft.style import accompanists, bass_instrument

_BASS_LOW = 29  # F1: about the lowest note that small speakers reproduce
_CRASH, _KICK = 49, 36
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


@dataclass(frozen=True, slots=True)
class Layer:
    """A chord instrument: pattern name (in PATTERNS) and instrument name (in PROGRAMS)."""

    pattern: str
    instrument: str


def band(song: Song) -> Iterator[Player]:
    """Every player with its notes: drums, bass, chords, then the melody."""
    yield from _rhythm_section(song)
    reverb = song.style.reverb
    layers = arrangement(song)
    for number, layer in enumerate(layers):
        pattern = PATTERNS[layer.pattern]
        name = f"{layer.pattern} {layer.instrument}"
        notes = [
            note
            for span in song.spans
            if _plays_in(song, span, number, len(layers))
            for note in comp(song, span, name, pattern)
        ]
        last = _final_chord(song, pattern.low, pattern.high) if number < 3 and pattern.playing != "bells" else ()
        weight = pattern.weight * (1.0 if _has_beat(song) else 1.2)
        yield Player(
            name, PROGRAMS[layer.instrument], tuple(notes), last, weight=weight, pan=pattern.pan, reverb=reverb
        )
    yield from _melody_players(song)


def arrangement(song: Song) -> list[Layer]:
    """The genre's layers, with the instruments that the tags name or else randomly chosen ones."""
    style = song.style
    layers = [_layer(song, row) for row in style.genre.layers]
    if style.second is not None:
        layers.insert(2, _layer(song, style.second.layers[0]))
    for name in accompanists(style):
        candidates = [n for n, layer in enumerate(layers) if (layer.instrument in PADS) == (name in PADS)]
        free = [n for n in candidates if layers[n].instrument not in style.instruments]
        if any(layer.instrument == name for layer in layers):
            continue
        if free:
            layers[free[0]] = Layer(layers[free[0]].pattern, name)
        else:
            layers.insert(1, Layer("pad" if name in PADS else "pick", name))
    named = [layer for layer in layers if layer.instrument in style.instruments]
    return (named + [layer for layer in layers if layer.instrument not in style.instruments])[:_MAX_LAYERS]


def _layer(song: Song, row: str) -> Layer:
    pattern, instruments = row.split(":")
    return Layer(pattern, song.seeds.stream(f"instrument/{row}", 0.4).choice(instruments.split("/")))


def _plays_in(song: Song, span: Span, number: int, count: int) -> bool:
    """The first layers play nearly always, the last ones only in full sections; each kind of section varies a little."""
    full = song.fullness(span.section) + song.seeds.stream(f"layers/{span.section.kind}", 0.8).uniform(-0.08, 0.08)
    return number < max(1, round(0.5 + count * full))


def _rhythm_section(song: Song) -> Iterator[Player]:
    genre = song.style.genre
    if song.style.drums:
        groove = song.seeds.stream("groove").choice(genre.grooves.split("|"))
        groove = SIX_EIGHT if song.grid.metre == "6/8" and groove != "none" else groove
        notes = tuple(drum_track(song, groove))
        end = song.beats
        last = tuple(BeatNote(end, 1, pitch, 88) for pitch in (_CRASH, _KICK)) if groove != "none" else ()
        drum_reverb = min(60, song.style.reverb // 2)
        yield Player("drums", genre.kit, notes, last, drums=True, weight=92, reverb=drum_reverb, looseness=0.6)
    line, instruments = genre.bass.split(":")
    instrument = bass_instrument(song.style) or song.seeds.stream("bass instrument", 0.4).choice(instruments.split("/"))
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


def _has_beat(song: Song) -> bool:
    return song.style.drums and song.style.genre.grooves != "none"


def _final_chord(song: Song, low: int, high: int) -> tuple[BeatNote, ...]:
    """The tonic chord, held at the end."""
    tonic = chord("i" if song.grid.key.minor else "I", song.grid.key)
    return tuple(BeatNote(0, 1, pitch, 72) for pitch in voicing(tonic.tones, (), low, high))


def _melody_players(song: Song) -> Iterator[Player]:
    """The voice, an instrument that doubles it softly, and the lead instrument for passages without lyrics."""
    tune = lead(song)
    share = 1.0 if _has_beat(song) else 0.85
    reverb = min(127, song.style.reverb + 20)
    if tune.sung:
        sung = _beat_notes(song, tune.sung)
        yield Player("voice", tune.voice, sung, weight=104 * share, reverb=reverb, lead=True, looseness=0.8)
        double = tune.instrument
        yield Player("voice double", double, sung, weight=58 * share, pan=70, reverb=reverb, lead=True, looseness=1.2)
    if tune.played:
        played = _beat_notes(song, tune.played)
        last = (BeatNote(0, 1, nearest(song.grid.tonic, tune.played[-1].pitch), 70),)
        yield Player("lead", tune.instrument, played, last, weight=100 * share, reverb=reverb, lead=True, looseness=0.9)


def _beat_notes(song: Song, melody: tuple[MelodyNote, ...]) -> tuple[BeatNote, ...]:
    spans = song.spans
    notes, index = [], 0
    for note in melody:
        while index + 1 < len(spans) and note.beat >= spans[index].end:
            index += 1
        loud = 66 + 30 * song.fullness(spans[index].section)
        notes.append(BeatNote(note.beat, note.length, note.pitch, loud + 12 * (note.accent - 0.5)))
    return tuple(notes)
