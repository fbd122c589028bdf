"""Edits by the draft engine on real samples, run in this process because that is faster."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import loudness, loudness_curve, measure
from acestep_mcp.audio.splice import conform, to_float
from acestep_mcp.engines import Audio, Source
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.render import Renderer, available
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.source_plan import read_source_plan
from tests.support.parameters import few

TAGS = "pop, piano, 100 bpm"
LYRICS = "[verse]\nWalking through the night\nEverything is right\n[chorus]\nStay with me\nUnder the light"
SHAPES = [(8_000, 1, 16), (22_050, 2, 16), (44_100, 1, 24), (48_000, 2, 16), (96_000, 2, 24)]


def made(endpoint: str, request: dict[str, Any], source: Source | None = None, renderer: Renderer = "numpy") -> Audio:
    *_, audio = run_job(DraftJob(endpoint, request, renderer, source))
    assert isinstance(audio, Audio)
    return audio


@cache
def original() -> Audio:
    return made("TextToAudio", {"tags": TAGS, "lyrics": LYRICS, "duration": 14, "seed": 11})


@cache
def original_as(shape: tuple[int, int, int]) -> Sound:
    rate, channels, bits = shape
    sound = conform(original().sound, Sound(np.zeros((0, channels), np.int32), rate, 24 if bits == 24 else 16))
    sound.pcm.flags.writeable = False
    return sound


def source(shape: tuple[int, int, int] = (48_000, 2, 16), comment: str | None = None) -> Source:
    plan = json.dumps({"acestep": {"plan": original().plan}})
    return Source(original_as(shape), plan if comment is None else comment)


def inpaint(source_: Source, **fields: Any) -> Audio:
    request = {"audio_url": "song.wav", "tags": TAGS, "start_time": 4.8, "end_time": 9.6, "seed": 5, **fields}
    return made("AudioInpaint", request, source_)


def same_shape(sound: Sound, other: Sound) -> bool:
    return (sound.sample_rate, sound.channels, sound.bits) == (other.sample_rate, other.channels, other.bits)


@pytest.mark.parametrize(
    ("shape", "comment"),
    [
        (SHAPES[0], None),
        (SHAPES[3], None),
        (SHAPES[2], ""),
        *(pytest.param(SHAPES[n], None, marks=pytest.mark.slow) for n in (1, 2, 4)),
        pytest.param(SHAPES[0], "", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_an_inpaint_changes_no_sample_outside_the_window(shape: tuple[int, int, int], comment: str | None):
    src = source(shape, comment)
    audio = inpaint(src)
    rate = src.sound.sample_rate
    assert same_shape(audio.sound, src.sound)
    assert audio.sound.pcm.shape == src.sound.pcm.shape
    first, last = round(4.8 * rate), round(9.6 * rate)
    assert np.array_equal(audio.sound.pcm[:first], src.sound.pcm[:first])
    assert np.array_equal(audio.sound.pcm[last:], src.sound.pcm[last:])
    inside = slice(round(5.2 * rate), round(9.2 * rate))
    assert not np.array_equal(audio.sound.pcm[inside], src.sound.pcm[inside])


@pytest.mark.slow
def test_the_plan_of_an_inpainted_song_keeps_the_lines_that_are_still_sung():
    def lines(plan: dict[str, Any]) -> list[str]:
        return [line for section in plan["sections"] for line in section[4]]

    first, last = "Walking through the night", "Under the light"
    assert lines(original().plan) == [first, "Everything is right", "Stay with me", last]
    assert lines(inpaint(source(), lyrics="Something new").plan) == [first, "Something new", last]
    assert lines(inpaint(source(), lyrics="").plan) == [first, last]


@pytest.mark.parametrize(("lyrics", "notes"), [(LYRICS, 1), ("la la la", 1), ("", 0), ("[inst]", 0), ("[solo]", 0)])
def test_one_note_says_that_nobody_sings_where_words_were_given(lyrics: str, notes: int):
    audio = made("TextToAudio", {"tags": TAGS, "lyrics": lyrics, "duration": 5, "seed": 1})
    assert len([note for note in audio.notes if "Nobody sings" in note]) == notes


def test_a_new_window_is_about_as_loud_as_the_old_one():
    src = source()
    audio = inpaint(src, lyrics="Dancing in the dark\nFar away", variance=1)
    window = slice(round(4.8 * 48_000), round(9.6 * 48_000))
    old, new = (loudness(to_float(sound)[window], 48_000) for sound in (src.sound, audio.sound))
    assert abs(new - old) < 2
    assert measure(audio.sound).clipped_samples == 0


def test_zero_variance_and_the_same_lyrics_reproduce_the_window_in_time():
    src = source()
    audio = inpaint(src, variance=0, lyrics=LYRICS)
    inside = slice(round(4.9 * 48_000), round(9.5 * 48_000))
    old, new = (to_float(sound)[inside].ravel() for sound in (src.sound, audio.sound))
    assert np.corrcoef(old, new)[0, 1] > 0.98


@pytest.mark.slow
def test_low_variance_stays_closer_to_the_song_than_high_variance():
    old = compose(ComposeRequest(TAGS, LYRICS, 20, Seeds(3)))

    def kept(variance: float) -> float:
        shares = []
        for fresh in range(8):
            new = compose(ComposeRequest(TAGS, LYRICS, 20, Seeds(3, fresh, variance), None))
            shares.append(len(_events(old) & _events(new)) / len(_events(old)))
        return float(np.mean(shares))

    def _events(score: Any) -> set[tuple[str, float, int]]:
        return {(part.name, round(note.start, 1), note.pitch) for part in score.parts for note in part.notes}

    assert kept(0.1) > kept(0.5) > kept(1.0)


def test_variance_is_the_share_of_the_notes_that_change():
    old = compose(ComposeRequest(TAGS, LYRICS, 20, Seeds(3)))
    notes = {(part.name, note) for part in old.parts for note in part.notes}
    changed = []
    for variance in (0, 0.2, 0.5, 1):
        new = compose(ComposeRequest(TAGS, LYRICS, 20, Seeds(3, 7, variance)))
        changed.append(1 - len(notes & {(part.name, note) for part in new.parts for note in part.notes}) / len(notes))
    assert changed == sorted(changed)
    assert changed == pytest.approx([0, 0.2, 0.5, 1], abs=0.15)


def test_the_seed_determines_the_window():
    src = source()
    first, again, other = (inpaint(src, seed=seed).sound.pcm for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_an_outpaint_keeps_every_sample_of_the_song_and_its_tempo():
    for shape in SHAPES[::2]:
        src = source(shape)
        request = {"audio_url": "a", "tags": TAGS, "extend_before_duration": 3, "extend_after_duration": 6.5, "seed": 5}
        audio = made("AudioOutpaint", request, src)
        rate, frames = src.sound.sample_rate, len(src.sound.pcm)
        assert same_shape(audio.sound, src.sound)
        assert len(audio.sound.pcm) == frames + 3 * rate + round(6.5 * rate)
        assert np.array_equal(audio.sound.pcm[3 * rate : 3 * rate + frames], src.sound.pcm)
        assert audio.plan["tempo"] == original().plan["tempo"]
        assert audio.plan["key"] == original().plan["key"]
        assert audio.sections[-1].end == pytest.approx(audio.sound.seconds, abs=0.01)


@pytest.mark.parametrize(("before", "after"), [(0, 2.0002), (2.0002, 0), (2.71828, 1.00001)])
def test_an_added_part_is_exactly_as_long_as_asked_at_every_rate(before: float, after: float):
    src = source(SHAPES[1])
    request = {"audio_url": "a", "tags": TAGS, "extend_before_duration": before, "extend_after_duration": after}
    pcm, rate = made("AudioOutpaint", request | {"seed": 5}, src).sound.pcm, src.sound.sample_rate
    first, frames = round(before * rate), len(src.sound.pcm)
    assert len(pcm) == first + frames + round(after * rate)
    assert np.array_equal(pcm[first : first + frames], src.sound.pcm)


def test_an_extended_song_can_be_edited_again_on_the_same_beat():
    request = {"audio_url": "a", "tags": TAGS, "extend_before_duration": 3, "extend_after_duration": 6.5, "seed": 5}
    longer = made("AudioOutpaint", request, source())
    known = read_source_plan(Source(longer.sound, json.dumps({"acestep": {"plan": longer.plan}})))
    assert known.notes == ()
    first_beat = (known.grid.phase - 3.0) / known.grid.beat_seconds
    assert abs(first_beat - round(first_beat)) < 0.01
    assert sum(part.bars for part in known.form) == known.grid.bars


def remix(src: Source, **fields: Any) -> Audio:
    request = {"audio_url": "a", "original_tags": TAGS, "tags": "jazz, saxophone", "seed": 4, **fields}
    return made("AudioToAudio", request, src)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES[1:4])
def test_a_remix_keeps_length_tempo_key_and_loudness_curve(shape: tuple[int, int, int]):
    src = source(shape)
    pcm = src.sound.pcm.copy()
    half = len(pcm) // 2
    pcm[half:] = (pcm[half:] // 4) >> 16 << 16
    src = Source(Sound(pcm, src.sound.sample_rate, src.sound.bits), src.comment)
    audio = remix(src)
    assert same_shape(audio.sound, src.sound)
    assert audio.sound.pcm.shape == src.sound.pcm.shape
    assert (audio.plan["tempo"], audio.plan["key"]) == (original().plan["tempo"], original().plan["key"])
    old, new = (loudness_curve(to_float(sound), sound.sample_rate, 1.0) for sound in (src.sound, audio.sound))
    assert np.corrcoef(old[:-1], new[:-1])[0, 1] > 0.8


@pytest.mark.parametrize("comment", [None, pytest.param("recording", marks=pytest.mark.slow)])
def test_a_remix_at_another_tempo_and_in_another_key_has_the_length_of_its_source(comment: str | None):
    src = source(SHAPES[0]) if comment is None else Source(source(SHAPES[0]).sound, comment)
    audio = remix(src, tags="jazz, 131 bpm, A minor")
    assert audio.sound.pcm.shape == src.sound.pcm.shape
    assert (audio.plan["tempo"], audio.plan["key"]) == (131, "A minor")
    assert any("131 bpm" in note and "in A minor" in note for note in audio.notes)
    assert sum(row[2] for row in audio.plan["sections"]) == audio.plan["frame"]["bars"]


def test_new_lyrics_keep_the_backing_and_the_lines_that_did_not_change():
    audio = remix(
        source(), edit_mode="lyrics", tags=TAGS, original_lyrics=LYRICS, lyrics=LYRICS.replace("Stay", "Come back")
    )
    old, new = to_float(original().sound), to_float(audio.sound)
    untouched = slice(round(0.2 * 48_000), round(2.0 * 48_000))
    a, b = old[untouched].ravel(), new[untouched].ravel()
    assert np.corrcoef(a, b)[0, 1] > 0.99
    assert not np.array_equal(original().sound.pcm, audio.sound.pcm)
    assert "Come back with me" in audio.lyrics


def test_new_lyrics_over_a_recording_keep_it_as_the_backing_and_say_so():
    src = source(comment="an unrelated comment")
    audio = remix(src, edit_mode="lyrics", tags=TAGS, lyrics="[verse]\nCome back to me\nAnother time")
    assert any("recording" in note for note in audio.notes)
    assert audio.sound.pcm.shape == src.sound.pcm.shape
    bed, result = to_float(src.sound).ravel(), to_float(audio.sound).ravel()
    assert np.corrcoef(bed, result)[0, 1] > 0.3


def test_missing_lyrics_for_a_recording_are_an_error_that_names_the_field():
    with pytest.raises(InvalidRequest) as caught:
        remix(source(comment=""), edit_mode="lyrics", lyrics="")
    assert [field.field for field in caught.value.fields] == ["lyrics"]


INVALID_COMMENTS: list[Any] = [
    "", "x", "[]", "null", "{}", '{"acestep": 3}', '{"acestep": {"plan": []}}', '{"acestep": {"plan": {"frame": {}}}}',
    '{"acestep": {"plan": {"tempo": 1e999, "key": 7}}}', '{"acestep": {"plan": {"tempo": NaN, "key": "H"}}}', "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("comment", INVALID_COMMENTS)
def test_a_comment_without_a_plan_is_ignored_and_estimates_are_noted(comment: str):
    sound = original_as(SHAPES[0])
    known = read_source_plan(Source(Sound(sound.pcm[: 6 * sound.sample_rate], sound.sample_rate, sound.bits), comment))
    assert any("estimated" in note for note in known.notes)
    assert 60 <= known.grid.tempo <= 200


@pytest.mark.parametrize("value", few([0, -5, 1e9, "fast", None, True, [], float("nan")], 2))
@pytest.mark.parametrize("name", few(["tempo", "bars", "seconds", "tonic", "metre", "scale", "phase"], 4))
def test_a_plan_with_one_invalid_value_is_still_safe(name: str, value: Any):
    plan = json.loads(json.dumps(original().plan))
    plan["frame"][name] = value
    known = read_source_plan(source(SHAPES[0], json.dumps({"acestep": {"plan": plan}})))
    score = compose(ComposeRequest(TAGS, "", known.grid.seconds, Seeds(1), known.grid, known.form))
    assert sum(part.bars for part in known.form) == known.grid.bars
    assert all(part.notes for part in score.parts)


def test_a_silent_source_can_be_edited():
    silent = Source(Sound(np.zeros((44_100 * 10, 1), np.int32), 44_100, 16))
    assert inpaint(silent).sound.pcm.any()
    assert remix(silent).sound.pcm.shape == silent.sound.pcm.shape


def test_an_inpaint_with_the_default_renderer_keeps_the_rest_too():
    src = source()
    request = {"audio_url": "a", "tags": TAGS, "start_time": 5, "end_time": 8, "seed": 1}
    audio = made("AudioInpaint", request, src, available())
    assert np.array_equal(audio.sound.pcm[: 5 * 48_000], src.sound.pcm[: 5 * 48_000])


def test_a_source_without_pulse_or_key_is_said_to_have_none():
    silent = read_source_plan(Source(Sound(np.zeros((44_100 * 10, 1), np.int32), 44_100, 16)))
    assert silent.notes == ("No pulse and no key is heard in the source; it is taken to be 120 bpm, 4/4, C major.",)
    stated = {"tempo": 90, "meter": "3/4", "key": "G minor"}
    told = read_source_plan(
        Source(Sound(np.zeros((44_100 * 10, 1), np.int32), 44_100, 16), json.dumps({"acestep": {"plan": stated}}))
    )
    assert "is heard" not in told.notes[0]
