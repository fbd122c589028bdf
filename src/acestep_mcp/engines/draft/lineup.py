"""Which players a song may have: what the tags refuse is not heard, and "solo piano" is heard alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from acestep_mcp.engines.draft.instruments import (
    DRUM_KITS,
    ELECTRONIC_KITS,
    PERCUSSION_ROWS,
    PIECES,
    PLAYED_BY,
    PROGRAMS,
    WHOLE_KITS,
)
from acestep_mcp.readers.exclusions import Exclusions
from acestep_mcp.readers.vocabulary import Term, find
from acestep_mcp.readers.words import phrase_set, tokens

_SYNTHS = frozenset({38, 39, 50, 51, 54, 62, 63, *range(80, 104)})
_VOICES = frozenset({52, 53, 54, 85, 91})
_SINGERS = frozenset({53, 54, 85})
_BASSES = frozenset(range(32, 40))
# The programs that sound like an instrument, where they are more than its own.
_SOUNDS_LIKE: dict[str, frozenset[int]] = {
    "piano": frozenset(range(6)), "electric piano": frozenset({2, 4, 5}), "honky-tonk piano": frozenset({3}),
    "keyboards": frozenset({*range(9), *range(16, 22), *_SYNTHS}), "organ": frozenset(range(16, 21)),
    "harpsichord": frozenset({6}), "bells": frozenset({8, 9, 14, 98}), "guitar": frozenset(range(24, 32)),
    "acoustic guitar": frozenset({24, 25}), "electric guitar": frozenset(range(26, 32)),
    "distorted guitar": frozenset({29, 30}), "clean guitar": frozenset({26, 27, 28}), "muted guitar": frozenset({28}),
    "bass": frozenset({*_BASSES, 43}), "bass guitar": frozenset(range(33, 38)), "upright bass": frozenset({32, 43}),
    "synth bass": frozenset({38, 39}), "sub bass": frozenset({39}), "violin": frozenset({40, 110}),
    "fiddle": frozenset({40, 110}), "strings": frozenset({*range(40, 46), 48, 49, 50, 51, 110}),
    "synth strings": frozenset({50, 51}), "choir": frozenset({52, 91}), "trumpet": frozenset({56, 59}),
    "horns": frozenset(range(56, 68)), "brass": frozenset(range(56, 64)), "synth brass": frozenset({62, 63}),
    "saxophone": frozenset(range(64, 68)), "woodwinds": frozenset(range(64, 80)), "flute": frozenset({72, 73, 75, 77}),
    "synth": _SYNTHS, "synth pad": frozenset({*range(88, 96), 50, 51, 99}), "synth lead": frozenset(range(80, 88)),
    "arpeggiator": frozenset({90, 98}), "drums": frozenset({47, *range(114, 120)}) - {114},
    "percussion": frozenset({47, *range(112, 120)}),
}  # fmt: skip
# What else may play for an instrument that plays alone or in a named group.
_PLAYS_TOO: dict[str, frozenset[int]] = {
    "strings": frozenset({*range(40, 46), 48, 49}), "brass": frozenset({56, 57, 58, 60, 61}),
    "horns": frozenset({56, 57, 60, 61, 65, 66}), "guitar": frozenset({24, 25}), "synth": _SYNTHS,
    "woodwinds": frozenset({68, 70, 71, 73}), "keyboards": frozenset({0, 4, 16}), "choir": frozenset({52, 53}),
    "electric guitar": frozenset({27, 28, 29, 30}), "saxophone": frozenset({65, 66}),
}  # fmt: skip
_KIT_PIECES = frozenset[int]().union(*(PIECES[name] for name in ("snare", "kick", "hi-hat", "cymbals", "toms")))
_RHYTHM = frozenset({"drums", "percussion", "rhythm section"})
# What no draft has, so that refusing it needs nothing.
_NEVER_HEARD = phrase_set(
    "echo|delay|vibrato|samples|sound effects|vinyl crackle|tape hiss|crackle|noise|applause|crowd noise|profanity|"
    "swearing|swear words|explicit|sidechain|compression|ad-libs|ad libs|key change|key changes|modulation|silence|"
    "fade in|drum solo|lo-fi production|live recording|live performance|8d audio|radio edit|bass boosted|improvisation|"
    "tape saturation|duet"
)
_DRY = frozenset({"reverb", "big reverb", "slowed and reverb"})
_SOLOS = frozenset({"solo", "solos", "guitar solo", "guitar solos", "piano solo", "sax solo"})
_MELODY = frozenset({"melody", "melodies", "lead", "leads"})
_HONOURED = _DRY | _SOLOS | _MELODY | {"fade-out", "fade out", "fadeout", "swing", "distortion"}


@dataclass(frozen=True, slots=True)
class Lineup:
    """Who may play. `only` are the General MIDI programs that play alone, or None; `refused` never play.

    `refused_pieces` are the General MIDI drums that are left out. `notes` say what is not done as asked.
    """

    only: frozenset[int] | None = None
    refused: frozenset[int] = frozenset()
    refused_pieces: frozenset[int] = frozenset()
    drums: bool = True
    bass: bool = True
    voice: bool = True
    electronic_kits: bool = True
    acoustic_kits: bool = True
    solos: bool = True
    melody: bool = True
    arpeggios: bool = True
    dry: bool = False
    notes: tuple[str, ...] = ()

    def plays(self, program: int) -> bool:
        """Whether this General MIDI program may be heard."""
        return program not in self.refused and (self.only is None or program in self.only)

    @property
    def sings_alone(self) -> bool:
        """Whether only voices are heard."""
        return self.only is not None and self.only <= _VOICES and not self.drums

    def kit(self, usual: int) -> int:
        """The genre's drum kit, or one that is not refused."""
        if usual in ELECTRONIC_KITS:
            return usual if self.electronic_kits else 0
        return usual if self.acoustic_kits else 24


def read_lineup(found: Exclusions, wanted: frozenset[str]) -> Lineup:
    """The lineup that tags ask for; `wanted` are the names of the instruments they want, as in the readers' table.

    An instrument that is asked for by its own name plays although its family is refused ("no guitars but acoustic guitar").
    """
    names = {term.name for term in found.refused}
    refused = frozenset[int]().union(*(_programs(term) for term in found.refused))
    kept = frozenset[int]().union(*(_own(name) for name in wanted - names))
    pieces = _pieces(names)
    only, limits = _only(found.only)
    limited = {term.name for term in found.only}
    return Lineup(
        only=only,
        refused=refused - kept,
        refused_pieces=(pieces | _other_pieces(limited)) - _pieces(wanted - names),
        drums=not names & _RHYTHM and (only is None or _has_drums(limited)),
        bass=not names & {"bass", "rhythm section"} and (only is None or bool(only & _BASSES) or "bass" in limited),
        voice="vocals" not in names or _other_voice(found),
        electronic_kits=not names & {"drum machine", "electronic", "synth"},
        acoustic_kits="live drums" not in names,
        solos=not names & _SOLOS,
        melody=not names & _MELODY,
        arpeggios="arpeggiator" not in names,
        dry=bool(names & _DRY),
        notes=(*limits, *_notes(found)),
    )


def _pieces(names: Iterable[str]) -> frozenset[int]:
    return frozenset[int]().union(*(PIECES.get(name, frozenset[int]()) for name in names))


def _other_pieces(limited: set[str]) -> frozenset[int]:
    """The drums that are silent in a song that is limited to some percussion and has no drum kit."""
    if limited & WHOLE_KITS or not _has_drums(limited):
        return frozenset()
    return _KIT_PIECES if "percussion" in limited else frozenset(range(128))


def _has_drums(limited: set[str]) -> bool:
    return bool(limited & (DRUM_KITS | set(PERCUSSION_ROWS)))


def _other_voice(found: Exclusions) -> bool:
    """Whether "no vocals" leaves another voice: "no vocals but humming"."""
    return any(hit.value.name != "vocals" for hit in find("voice", tokens(found.wanted)))


def _programs(term: Term) -> frozenset[int]:
    """The programs that are not heard when `term` is refused."""
    if term.name == "vocals":
        return _VOICES
    if term.name == "electronic":
        return _SYNTHS
    if term.name == "distortion":
        return _SOUNDS_LIKE["distorted guitar"]
    return _SOUNDS_LIKE.get(term.name, _own(term.name)) if term.kind != "style" else frozenset()


def _own(name: str) -> frozenset[int]:
    sound = name if name in PROGRAMS else PLAYED_BY.get(name)
    return frozenset({PROGRAMS[sound]}) if sound else frozenset()


def _only(terms: tuple[Term, ...]) -> tuple[frozenset[int] | None, tuple[str, ...]]:
    """The programs of a song that is limited to these players, and a note for those that the draft has not."""
    if not terms:
        return None, ()
    programs: set[int] = set()
    missing = []
    for term in terms:
        own = _PLAYS_TOO.get(term.name, frozenset[int]()) | _own(term.name)
        if term.kind == "voice" and term.name != "choir":
            own = _SINGERS | (_VOICES if all(one.kind == "voice" for one in terms) and term.name == "vocals" else set())
        own = _BASSES if term.name == "bass" else own
        programs |= own
        if not own and term.name not in DRUM_KITS and term.name not in PERCUSSION_ROWS:
            missing.append(term.name)
    notes = tuple(f"The draft has no {name}, so it is not heard." for name in missing)
    if len(missing) == len(terms):
        return None, tuple(f"The draft has no {name}: the song is played by other instruments." for name in missing)
    return frozenset(programs), notes


def _notes(found: Exclusions) -> tuple[str, ...]:
    """A note on what is refused and cannot be left out."""
    left = [
        term.name
        for term in found.refused
        if term.kind == "production" and not (term.name in _HONOURED or term.name in _NEVER_HEARD)
    ]
    words = dict.fromkeys([*left, *found.unknown])
    return (f"The draft cannot leave out by request: {', '.join(words)}.",) if words else ()


def lyric_notes(lineup: Lineup) -> tuple[str, ...]:
    """Notes on how lyrics are heard in this lineup."""
    if not lineup.voice:
        return ("The tags refuse vocals: an instrument plays the melody of the lyrics.",)
    if lineup.only is not None and not lineup.only & _VOICES:
        return ("The tags ask for instruments alone; the lyrics are sung as well, by a voice.",)
    return ()
