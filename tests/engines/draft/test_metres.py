"""Metres, measured in the rendered sound and not only in the plan."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import to_float
from acestep_mcp.engines import Audio
from acestep_mcp.engines.draft.bass_patterns import BASSES
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.grid import METRES
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.metres import LAYOUTS, bar_rows
from acestep_mcp.engines.draft.patterns import PATTERNS
from acestep_mcp.engines.draft.render import available
from acestep_mcp.engines.draft.score import Part
from acestep_mcp.engines.draft.seeds import Seeds
from tests.support.parameters import few

EIGHTHS = {"3/4": 6, "4/4": 8, "5/4": 10, "6/8": 6, "7/8": 7, "9/8": 9, "12/8": 12}
BPM = 150
EIGHTH = 60 / BPM / 2


def made(tags: str, seconds: float = 20) -> Audio:
    *_, audio = run_job(DraftJob("TextToAudio", {"tags": tags, "duration": seconds, "seed": 2}, available()))
    assert isinstance(audio, Audio)
    return audio


def onsets(sound: Sound) -> NDArray[np.float64]:
    """How much energy each eighth note adds to each of four bands, [eighths, bands]; each band has variance 1."""
    rate, hop, window = sound.sample_rate, 512, 2048
    mono = to_float(sound).mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, window // 2), window)[::hop]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1))
    bands = np.stack([part.sum(axis=1) for part in np.split(spectra, [8, 40, 200], axis=1)], axis=1)
    loud = np.log1p(50 * bands / spectra.sum(axis=1).max())
    rise = np.maximum(np.diff(loud, axis=0, prepend=loud[:1]), 0)
    middles = np.arange(0, sound.seconds - 2, EIGHTH) * rate / hop
    found = np.stack([rise[max(0, int(at) - 3) : int(at) + 4].sum(axis=0) for at in middles])
    return np.asarray((found - found.mean(axis=0)) / found.std(axis=0))


def explained(found: NDArray[np.float64], period: int) -> float:
    """The share of the variance that repeats with the period, corrected for how many means are fitted."""
    residue = sum(((found[start::period] - found[start::period].mean(axis=0)) ** 2).sum() for start in range(period))
    return float(1 - residue / (found.size * (1 - period / len(found))))


# One metre of each kind; the others and other genres are slow.
PLAIN = [("folk, acoustic guitar", "7/8"), ("rock", "5/4")]
OTHERS = [(tags, metre) for tags in ("folk, acoustic guitar", "rock", "jazz") for metre in EIGHTHS]


@pytest.mark.parametrize(
    ("tags", "metre"), [*PLAIN, *(pytest.param(*one, marks=pytest.mark.slow) for one in OTHERS if one not in PLAIN)]
)
def test_the_sound_repeats_in_bars_of_the_metre_with_strong_beats_where_it_has_them(tags: str, metre: str):
    found, own = onsets(made(f"{tags}, {metre}, {BPM} bpm", 13 if (tags, metre) in PLAIN else 24).sound), EIGHTHS[metre]
    fits = {period: explained(found, period) for period in (5, 6, 7, 8, 9, 10, 11, 12) if period == own or period % own}
    assert max(fits, key=lambda period: fits[period]) == own, fits
    mean = [float(found.sum(axis=1)[place::own].mean()) for place in range(own)]
    strong = {step // 2 for step in LAYOUTS[metre].strong_steps}
    weak = [one for place, one in enumerate(mean) if place not in strong]
    assert np.mean([mean[place] for place in strong]) > np.mean(weak), mean
    if tags.startswith("folk"):
        assert mean.index(max(mean)) == 0, mean


@pytest.mark.parametrize("metre", METRES)
def test_bars_and_sections_have_the_length_of_the_metre(metre: str):
    score = compose(ComposeRequest(f"pop, {metre}, 120 bpm", "", 40, Seeds(4)))
    beats, unit = map(int, metre.split("/"))
    bar = beats * 4 / unit * 0.5
    assert score.plan["meter"] == metre
    starts = [section.start for section in score.sections]
    assert all(abs(start / bar - round(start / bar)) < 0.001 for start in starts), starts
    bass = next(part for part in score.parts if part.name == "bass")
    on_bars = {round(note.start / bar) for note in bass.notes if abs(note.start / bar - round(note.start / bar)) < 0.03}
    assert len(on_bars) >= 0.8 * score.plan["frame"]["bars"]


@pytest.mark.parametrize(
    ("tags", "metre", "note"),
    [
        ("rock, 11/8", "4/4", "11/8 is not played by the draft: played as 4/4."),
        ("folk, 7/4", "7/8", "7/4 is not played by the draft: played as 7/8."),
        ("rock, in 7", "7/8", None),
        ("jig", "6/8", None),
        ("pop, 3/4/2024", "4/4", None),
    ],
)
def test_a_metre_that_is_not_played_is_noted(tags: str, metre: str, note: str | None):
    audio = made(tags, 5)
    assert audio.plan["meter"] == metre
    assert [text for text in audio.notes if "/" in text] == ([note] if note else [])


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        (
            "pop, 90 bpm, 120 bpm",
            "The tags name more than one tempo (90 bpm, 120 bpm): the draft plays 90 bpm throughout.",
        ),
        (
            "pop, C minor to Eb major",
            "The tags name more than one key (C minor, Eb major): the draft plays C minor throughout.",
        ),
        ("rock, 7/8 and 4/4", "The tags name more than one metre (7/8, 4/4): the draft plays 7/8 throughout."),
    ],
)
def test_the_first_of_several_is_played_and_the_result_says_so(tags: str, note: str):
    assert compose(ComposeRequest(tags, "", 5, Seeds(1))).notes == (note,)


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ("pop, 20 bpm", "20 bpm"),
        ("pop, 1000 BPM", "1000 BPM"),
        ("pop, 300 bpm", None),
        ("pop, not 120 bpm", None),
        ("pop, eighth = 320 bpm", None),
    ],
)
def test_a_tempo_that_is_not_played_is_noted(tags: str, named: str | None):
    note = f"{named} is not played by the draft, which plays 30 to 300 bpm."
    assert compose(ComposeRequest(tags, "", 5, Seeds(1))).notes == ((note,) if named else ())


@pytest.mark.parametrize("tags", ["Am, F, C, G", "waltz, 6/8", "C minor, C minor", "allegro, 130 bpm"])
def test_a_list_of_chords_or_a_dance_is_no_second_key_or_metre(tags: str):
    assert compose(ComposeRequest(tags, "", 5, Seeds(1))).notes == ()


@pytest.mark.parametrize(
    ("tags", "quarters"),
    [("6/8, dotted quarter = 80", 120), ("90-100 bpm", 95), ("97 beats per minute", 97), ("120.5 bpm", 120.5)],
)
def test_the_tempo_counts_quarter_notes(tags: str, quarters: float):
    assert compose(ComposeRequest(f"pop, {tags}", "", 20, Seeds(1))).plan["tempo"] == quarters


def test_an_italian_term_sets_the_tempo_whatever_the_genre():
    tempos = [
        compose(ComposeRequest(f"{genre}, adagio", "", 30, Seeds(1))).plan["tempo"] for genre in ("punk", "ambient")
    ]
    assert all(64 * 0.95 <= tempo <= 76 for tempo in tempos), tempos


def test_rows_of_four_beats_fill_other_bars():
    assert bar_rows("x.x.x.x.x.x.x.x.", "x.x.x.x.x.x.", "7/8") == ["x.x.x.x.x.x.x."]
    assert bar_rows("....X.......X...", "....x...x...", "5/4") == ["....x...x.......X..."]
    assert bar_rows("....X.......X...", "....x...x...", "12/8") == ["......X...........X....."]
    assert bar_rows("x.x.x.x.x.x.x.x.", "x.x.x.x.x.x.", "6/8") == ["x.o.x.x.o.x."]
    assert bar_rows("r---f---r-r-a---", "r---f-a-a---", "9/8") == ["r-----f---a-a-----"]


def part(tags: str, name: str, lyrics: str = "", seconds: float = 40) -> Part:
    return next(
        one for one in compose(ComposeRequest(tags, lyrics, seconds, Seeds(3))).parts if one.name.startswith(name)
    )


def test_house_in_five_has_its_kick_on_the_strong_beats_only():
    beats = Counter(
        round(note.start / 0.5) % 5 for note in part("house, 5/4, 120 bpm", "drums").notes if note.pitch == 36
    )
    assert beats[0] + beats[3] > 0.9 * beats.total()


def test_an_open_hi_hat_ends_the_bars_of_odd_metres():
    places = Counter(
        round(note.start / 0.25) % 7 for note in part("rock, 7/8, 120 bpm", "drums").notes if note.pitch == 46
    )
    assert places and set(places) == {6}


def test_the_first_beat_is_the_loudest_for_the_bass():
    notes = [note for note in part("punk, 7/8, 120 bpm", "bass").notes if note.velocity > 60]
    first = [note.velocity for note in notes if abs(note.start / 1.75 - round(note.start / 1.75)) < 0.03]
    assert np.mean(first) > 1.1 * np.mean([note.velocity for note in notes])


def test_compound_beats_are_not_swung():
    eighth = 60 / 120 / 2
    starts = [note.start / eighth for note in part("blues, 12/8, 120 bpm", "drums").notes]
    assert np.mean([abs(start - round(start)) for start in starts]) < 0.1


def test_a_melody_in_six_eight_moves_on_dotted_quarters():
    notes = part("ballad, 6/8, 120 bpm", "voice", "[verse]\nLong and slow\nOld and gold\nDay by day\nAway we go").notes
    places = Counter(round(note.start / 0.25) % 3 for note in notes)
    assert places[0] > 0.8 * places.total()


def test_a_free_tempo_in_twelve_eight_is_that_of_dotted_beats():
    tempos = [compose(ComposeRequest("blues, 12/8", "", 30, Seeds(seed))).plan["tempo"] / 1.5 for seed in range(8)]
    assert min(tempos) >= 70 * 1.25 / 1.5 * 0.94
    assert max(tempos) > 75


@pytest.mark.parametrize("metre", METRES)
def test_every_pattern_fills_a_bar_of_every_metre_with_marks_that_its_player_knows(metre: str):
    rows = [(one.steps, one.three, ".oxX") for one in PATTERNS.values()]
    rows += [(*pair, ".-rRtfFsa") for pair in BASSES.values()]
    for fours, threes, marks in rows:
        for row in bar_rows(fours, threes, metre):
            assert len(row) == sum(LAYOUTS[metre].groups), (fours, row)
            assert set(row) <= set(marks), (fours, row)


@pytest.mark.parametrize("number", few(range(len(METRES)), 3))
def test_genres_play_in_metres_that_are_not_theirs(number: int):
    for genre in GENRES[number :: len(METRES)]:
        for metre in (list(METRES)[number], list(METRES)[-1 - number]):
            score = compose(ComposeRequest(f"{genre.name}, {metre}", "", 9, Seeds(number)))
            assert score.plan["meter"] == metre
            assert all(0 <= note.start < note.end <= 9 for part in score.parts for note in part.notes)
