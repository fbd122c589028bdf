"""What a musician hears in drafts, as numbers: on the composed notes, without rendering them.

    python bench/draft_quality.py [--seeds 3] [--each]

Every genre is composed with every seed, with words (60, 120 and 200 s) and without (120 s), and in 30 s. The words' stress
was written by hand: a syllable in capitals is stressed. `--each` prints the figures of each genre as well.
"""

from __future__ import annotations

import argparse
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from statistics import mean

from acestep_mcp.engines.draft.compose import ComposeRequest, compose, sketch
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.score import Note, Part, Score
from acestep_mcp.engines.draft.seeds import Seeds

_STRESSED = """[verse]
WALK-ing THROUGH the NE-on LIGHT
EV-ery SHAD-ow FEELS so RIGHT
to-MOR-row i'll re-MEM-ber ALL the RAIN
and WAIT be-NEATH the WIN-dow OF the TRAIN
[chorus]
STAY with me to-NIGHT
UN-der SIL-ver LIGHT
the CIT-y SINGS a-BOVE the BAY
and NO-bod-y can TAKE it a-WAY
[verse]
the MORN-ing COMES a-CROSS the HILL
the RIV-er RUNS, the MILL is STILL
i NEV-er KNEW how LONG a ROAD could BE
be-TWEEN the PO-wer OF the WIND and ME
[chorus]
STAY with me to-NIGHT
UN-der SIL-ver LIGHT
the CIT-y SINGS a-BOVE the BAY
and NO-bod-y can TAKE it a-WAY
[bridge]
HOLD ON, HOLD ON, my DEAR
the END-less SUM-mer's HERE
"""
JAZZ_LIKE = frozenset({"lofi", "swing", "bossa nova", "jazz", "r&b", "blues", "gospel", "funk"})
NEAR = 0.13
"""Beats by which a played note may miss its place."""
_LONGEST = 12.0
LONG = 1.0
"""Beats from which a note is long."""
HOLE = 4.0
"""Seconds without singing from which the song counts as not sung."""

Tally = dict[str, list[float]]


def plain(marked: str) -> str:
    return "\n".join(line if line.startswith("[") else line.lower().replace("-", "") for line in marked.splitlines())


LYRICS = plain(_STRESSED)
STRESS = {
    plain(line): [syllable.isupper() for word in line.replace(",", "").split() for syllable in word.split("-")]
    for line in _STRESSED.splitlines()
    if line and not line.startswith("[")
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--each", action="store_true")
    chosen = arguments.parse_args()
    tally: Tally = defaultdict(list)
    for genre in GENRES:
        own: Tally = defaultdict(list)
        for seed in range(1, chosen.seeds + 1):
            for name, value in _of_genre(genre.name, seed):
                own[name].append(value)
                tally[name].append(value)
        if chosen.each:
            print(genre.name, {name: round(mean(values), 2) for name, values in own.items()})
    for name, values in sorted(tally.items()):
        print(
            f"{name:60} mean {mean(values):7.2f}   least {min(values):7.2f}   most {max(values):7.2f}   n {len(values)}"
        )
    for seed in range(1, chosen.seeds + 1):
        print(f"different rhythms of the first verse, seed {seed}: {different_rhythms(seed)} of {len(GENRES)}")


def _of_genre(genre: str, seed: int) -> Iterator[tuple[str, float]]:
    for seconds in (60.0, 120.0, 200.0):
        request = ComposeRequest(genre, LYRICS, seconds, Seeds(seed))
        score = compose(request)
        yield from stresses(score, f"{seconds:g} s")
        yield from _tune_and_band(genre, request, score, "with words")
        yield from singing(score, seconds)
        yield from forms(score, f"with words, {seconds:g} s")
    for words in (LYRICS, ""):
        kind = "with words" if words else "without words"
        yield f"30 s {kind}: share of intro and outro", edges(compose(ComposeRequest(genre, words, 30, Seeds(seed))))
    request = ComposeRequest(genre, "", 120, Seeds(seed))
    score = compose(request)
    yield from _tune_and_band(genre, request, score, "without words")
    yield from forms(score, "without words, 120 s")


def voice_of(score: Score) -> Part | None:
    return next((part for part in score.parts if part.name == "voice"), None)


def beats_of(score: Score, notes: Sequence[Note]) -> list[float]:
    grid = Grid.from_plan(score.plan["frame"])
    assert grid is not None
    return [(note.start - grid.phase) / grid.beat_seconds for note in notes]


def sung_lines(score: Score) -> Iterator[tuple[str, list[float], float]]:
    """Each sung line with the beats on which its syllables begin, and the beats that a line of its section has."""
    voice = voice_of(score)
    beats = iter(beats_of(score, voice.notes) if voice else [])
    quarters = Grid.from_plan(score.plan["frame"]).beats_per_bar
    for section in score.form:
        for line in section.lines:
            count = len(STRESS[line])
            yield line, list(islice(beats, count)), section.bars * quarters / len(section.lines)


def stresses(score: Score, song: str) -> Iterator[tuple[str, float]]:
    grid = Grid.from_plan(score.plan["frame"])
    last = (grid.bars - 1) * grid.beats_per_bar
    for line, beats, length in sung_lines(score):
        group = "8 beats or more a line" if length >= 6 else "4 beats a line" if length >= 3 else "fewer beats a line"
        places = len(grid.layout.strong_steps) * length / grid.beats_per_bar
        possible = 100 * min(1.0, places / sum(STRESS[line]))
        for beat, stressed in zip(beats, STRESS[line], strict=False):
            if beat > last and grid.slowing:
                continue
            near = beat + NEAR
            on_beat = near % 1 < 2 * NEAR if not grid.layout.compound else near % 1.5 < 2 * NEAR
            strong = any(
                abs((beat - step / 4 + 1) % grid.beats_per_bar - 1) < NEAR for step in grid.layout.strong_steps
            )
            kind = "stressed" if stressed else "unstressed"
            if stressed:
                yield f"{song}: stressed on a strong beat, %", 100.0 * strong
                yield f"{group}: the most that strong beats have room for, %", possible
            yield f"{group}: {kind} on a beat, %", 100.0 * on_beat
            yield f"{group}: {kind} on a strong beat, %", 100.0 * strong


def different_rhythms(seed: int) -> int:
    """How many of the genres sing the first verse to a rhythm of their own, in quarters of a beat."""
    found = set()
    for genre in GENRES:
        score = compose(ComposeRequest(genre.name, LYRICS, 120, Seeds(seed)))
        beats = [beat for _, line, _ in list(sung_lines(score))[:4] for beat in line]
        found.add(tuple(round(4 * (later - earlier)) for earlier, later in pairwise(beats)))
    return len(found)


def _tune_and_band(genre: str, request: ComposeRequest, score: Score, kind: str) -> Iterator[tuple[str, float]]:
    tune = sorted(note for part in score.parts if part.name in {"voice", "lead"} for note in part.notes)
    starts = [note.start for note in tune]
    comp = [part for part in score.parts if not (part.lead or part.drums or part.name == "bass")]
    together = above = 0
    for note in (note for part in comp for note in part.notes):
        near = tune[bisect_left(starts, note.start - _LONGEST) : bisect_left(starts, note.end)]
        pitches = [one.pitch for one in near if min(one.end, note.end) - max(one.start, note.start) > 0.05]
        together += bool(pitches)
        above += bool(pitches) and note.pitch >= min(pitches)
    if together:
        yield f"{kind}: comp at or above the tune, %", 100 * above / together
    grinding = grinds(request, tune)
    name = "jazz-like" if genre in JAZZ_LIKE else "other genres"
    yield from ((f"{kind}: long notes a semitone from the chord, {name}, %", 100.0 * one) for one in grinding)


def grinds(request: ComposeRequest, tune: Sequence[Note]) -> Iterator[bool]:
    """For each long note whether it lies a semitone from a note of a chord that sounds with it for half a beat."""
    song = sketch(request)
    beat_seconds = song.grid.beat_seconds
    for note in tune:
        start, end = ((at - song.grid.phase) / beat_seconds for at in (note.start, note.end))
        if end - start < LONG - 0.05 or end > song.beats:
            continue
        places = [start + 0.1, *([end - 0.5] if end - start > 1 else [])]
        tones = {tone for place in places for tone in song.chord_at(place).tones}
        yield any((note.pitch - tone) % 12 in {1, 11} for tone in tones)


def singing(score: Score, seconds: float) -> Iterator[tuple[str, float]]:
    voice = voice_of(score)
    times = [(note.start, note.end) for note in voice.notes] if voice else []
    edges_of = [0.0, *(time for pair in times for time in pair), seconds]
    holes = [later - earlier for earlier, later in zip(edges_of[::2], edges_of[1::2], strict=True)]
    sung = sum(part.end - part.start for part, form in zip(score.sections, score.form, strict=True) if form.lines)
    yield f"{seconds:g} s: share in sections with words, %", 100 * sung / seconds
    yield f"{seconds:g} s: share sung, %", 100 * (1 - sum(hole for hole in holes if hole > HOLE) / seconds)
    yield f"{seconds:g} s: longest hole, s", max(holes)


def forms(score: Score, kind: str) -> Iterator[tuple[str, float]]:
    solos = [section.bars for section in score.form if section.kind == "solo"]
    intros = [section.bars for section in score.form if section.kind == "intro"]
    yield f"{kind}: longest solo, bars", float(max(solos, default=0))
    yield f"{kind}: longest intro, bars", float(max(intros, default=0))


def edges(score: Score) -> float:
    """The share of the song's time in its intro and outro, in %."""
    return 100 * sum(one.end - one.start for one in score.sections if one.kind in {"intro", "outro"}) / score.seconds


if __name__ == "__main__":
    main()
