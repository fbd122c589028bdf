"""The sections of an edited song: outside the edit's window they are those that the song had."""

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from acestep_mcp.engines import Audio, Section, Source
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.source_plan import read_source_plan

FOLK = "folk, acoustic guitar, 96 bpm"  # it slows down at its end, so what follows begins inside a bar
LENGTHS = [(7.3, 13.7), *(pytest.param(two, marks=pytest.mark.slow) for two in [(0, 0), (7.3, 0), (0, 20)])]
BRIDGE = "[bridge]\nNobody knows where the river goes"


def made(endpoint: str, fields: dict[str, object], source: Source | None = None) -> Audio:
    *_, audio = run_job(DraftJob(endpoint, {"seed": 5, "tags": FOLK, **fields}, "numpy", source))
    assert isinstance(audio, Audio)
    return audio


@cache
def extended(before: float, after: float) -> Audio:
    song = made("TextToAudio", {"lyrics": "", "duration": 45})
    if not before and not after:
        return song
    asked = {"audio_url": "a", "extend_before_duration": before, "extend_after_duration": after}
    return made("AudioOutpaint", asked, stored(song))


def stored(song: Audio) -> Source:
    return Source(song.sound, json.dumps({"acestep": {"plan": song.plan}}))


def inpaint(song: Audio, window: tuple[float, float], lyrics: str = "") -> Audio:
    asked = {"audio_url": "a", "start_time": window[0], "end_time": window[1], "lyrics": lyrics}
    return made("AudioInpaint", asked, stored(song))


def between(song: Audio, start: float, end: float) -> list[Section]:
    """The song's sections cut to this span."""
    cut = (Section(one.name, max(one.start, start), min(one.end, end)) for one in song.sections)
    return [one for one in cut if one.start < one.end]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_an_inpaint_without_sections_of_its_own_changes_none(lengths: tuple[float, float]):
    song = extended(*lengths)
    first = inpaint(song, (22.1, 26.4))
    assert first.sections == song.sections
    assert inpaint(first, (38, 44.2), "Nobody knows where the river goes").sections == song.sections


@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_new_section_in_a_window_changes_none_outside_it(lengths: tuple[float, float]):
    song, end = extended(*lengths), sum(lengths) + 45
    first = inpaint(song, (22.1, 26.4), BRIDGE)
    assert Section("bridge", 22.1, 26.4) in first.sections
    for start, stop in [(0, 22.1), (26.4, end)]:
        assert between(first, start, stop) == between(song, start, stop)
    second = inpaint(first, (38, 44.2), "[verse]\nOver the hill\nUnder the sun")
    assert between(second, 38, 44.2) == [Section("verse", 38, 44.2)]
    for start, stop in [(0, 38), (44.2, end)]:
        assert between(second, start, stop) == between(first, start, stop)
    assert all(one.end == following.start for one, following in pairwise(second.sections))


def test_a_section_of_an_extension_is_made_again_where_it_stands():
    song = extended(0, 20)
    verse = next(one for one in song.sections if one.start > 45 and one.name.startswith("verse"))
    again = inpaint(song, (verse.start, verse.end), BRIDGE)
    assert again.sections == tuple(
        Section("bridge", verse.start, verse.end) if one == verse else one for one in song.sections
    )


def test_a_window_that_almost_meets_the_edge_of_a_section_leaves_no_sliver_of_it():
    song = extended(0, 0)
    at = next(number for number, one in enumerate(song.sections) if one.name == "chorus 1")
    chorus = song.sections[at]
    for off in (-0.3, 0.3):
        again = inpaint(song, (chorus.start + off, chorus.end - off), BRIDGE)
        assert again.sections[at] == Section("bridge", chorus.start, chorus.end)
        assert len(again.sections) == len(song.sections)


def test_more_of_the_same_section_is_no_new_one():
    song = extended(0, 0)
    chorus = next(one for one in song.sections if one.name == "chorus 2")
    words = "[chorus]\nNobody knows where the river goes"
    assert inpaint(song, (chorus.start + 3, chorus.start + 8), words).sections == song.sections


def test_an_extension_of_an_extended_song_moves_no_section():
    song = extended(7.3, 13.7)
    again = made("AudioOutpaint", {"audio_url": "a", "extend_after_duration": 9.1}, stored(song))
    times = [(one.start, one.end) for one in again.sections]
    assert times[: len(song.sections)] == [(one.start, one.end) for one in song.sections]


def test_an_extension_numbers_the_sections_of_one_kind_over_the_whole_song():
    assert [one.name for one in extended(0, 0).sections] == ["intro", "verse", "chorus 1", "chorus 2"]
    names = ["intro", "verse 1", "chorus 1", "chorus 2", "link", "interlude", "verse 2", "chorus 3", "chorus 4"]
    assert [one.name for one in extended(0, 20).sections] == names
    assert [row[0] for row in extended(0, 20).plan["sections"]] == names


def test_an_intro_that_is_now_inside_the_song_is_an_interlude():
    song = extended(7.3, 0)
    again = made(
        "AudioOutpaint", {"audio_url": "a", "extend_before_duration": 6, "extend_after_duration": 0}, stored(song)
    )
    assert [one.name for one in song.sections][:4] == ["intro", "lead-up", "interlude", "verse"]
    assert [one.name for one in again.sections][:5] == ["intro", "lead-up 1", "interlude 1", "lead-up 2", "interlude 2"]


def test_a_sung_intro_keeps_the_name_of_its_mark_in_the_lyrics():
    lyrics = "[intro]\nOh river\n[verse]\nNobody knows where the river goes"
    song = made("TextToAudio", {"lyrics": lyrics, "duration": 20})
    longer = made(
        "AudioOutpaint", {"audio_url": "a", "extend_before_duration": 6, "extend_after_duration": 0}, stored(song)
    )
    names = [one.name for one in longer.sections]
    assert "interlude" not in names
    assert names.count("intro 2") == 1


def test_pieces_of_a_section_that_a_window_cut_keep_one_name_in_the_plan_of_an_extension():
    song = inpaint(extended(0, 0), (22.1, 26.4))
    longer = made("AudioOutpaint", {"audio_url": "a", "extend_after_duration": 20}, stored(song))
    names = [row[0] for row in longer.plan["sections"]]
    assert list(dict.fromkeys(names)) == [one.name for one in longer.sections]


def off_the_bar(at: float, grid: Grid) -> float:
    """Seconds to the nearest bar line."""
    bars = (at - grid.phase) / grid.bar_seconds
    return abs(bars - round(bars)) * grid.bar_seconds


@pytest.mark.parametrize("lengths", [(7.3, 13.7), pytest.param((0, 20), marks=pytest.mark.slow)])
def test_an_edit_of_an_extension_is_on_its_beat_and_one_of_the_song_on_the_songs(lengths: tuple[float, float]):
    song = extended(*lengths)
    plan = read_source_plan(stored(song))
    names = [one.name for one in song.sections]
    link = names.index("link")
    for one in song.sections[link + 1 :]:
        assert off_the_bar(one.start, plan.grid_at(one.start)) < 0.01
    for one in song.sections[1:link]:
        assert off_the_bar(one.start, plan.grid_at(one.start)) < 0.01
    start = song.sections[link].end
    two = inpaint(song, (start, start + 10), "[bridge]\nOver the hill\n[solo]\nUnder the sun")
    [solo] = [one for one in two.sections if one.name == "solo"]
    assert off_the_bar(solo.start - start, replace(plan.grid, phase=0)) < 0.01


def test_a_second_extension_is_on_the_beat_of_the_first():
    song = extended(7.3, 13.7)
    again = made("AudioOutpaint", {"audio_url": "a", "extend_after_duration": 9.1}, stored(song))
    first, second = (one.end for one in again.sections if one.name.startswith("link"))
    assert off_the_bar(second - first, replace(read_source_plan(stored(song)).grid, phase=0)) < 0.01


@pytest.mark.parametrize("seconds", [37, *(pytest.param(length, marks=pytest.mark.slow) for length in (30, 45, 60))])
@pytest.mark.parametrize("tags", [FOLK, "pop, 100 bpm"])
def test_the_bars_of_an_extension_are_counted_from_the_songs_first(tags: str, seconds: float):
    song = made("TextToAudio", {"tags": tags, "lyrics": "", "duration": seconds})
    longer = made("AudioOutpaint", {"tags": tags, "audio_url": "a", "extend_after_duration": 8}, stored(song))
    plan = read_source_plan(stored(longer))
    at = [section.name for section in plan.form].index("link")
    bars = sum(section.bars for section in plan.form[: at + 1])
    end = next(one.end for one in longer.sections if one.name == "link")
    assert plan.grid_at(end).time_at(bars * plan.grid.beats_per_bar) == pytest.approx(end, abs=0.01)


@pytest.mark.parametrize(
    "rows", [3, [["verse", 0]], [["verse", 5, 2]], [["a", 0, 9], ["b", 8, 45]], [["a", 0, float("nan")]]]
)
def test_invalid_times_in_a_plan_are_not_used(rows: object):
    song = extended(0, 0)
    song = Audio(song.sound, song.tags, song.lyrics, plan={**song.plan, "times": rows})
    assert inpaint(song, (22.1, 26.4)).sections == extended(0, 0).sections


@pytest.mark.parametrize("late", [3, [], [1], [-1, 1], [1, float("nan")], [1, 1e9], ["a", 1]])
def test_an_invalid_place_of_later_bars_in_a_plan_is_not_used(late: object):
    song = extended(0, 0)
    plan = {**song.plan, "late": late}
    assert read_source_plan(Source(song.sound, json.dumps({"acestep": {"plan": plan}}))).late == (0, 0)
