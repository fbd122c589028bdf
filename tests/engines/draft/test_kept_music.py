"""What a remix keeps: the chords and the tune of a draft, and the chords that are heard in a recording."""

import json
from functools import cache

import numpy as np
import pytest

from acestep_mcp.audio import Sound
from acestep_mcp.engines import Audio, Source
from acestep_mcp.engines.draft.compose import ComposeRequest, compose, sketch
from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.heard_chords import chords_in
from acestep_mcp.engines.draft.heard_tune import tune_in
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.kept_music import asked_grid, with_kept_music
from acestep_mcp.engines.draft.lead import lead
from acestep_mcp.engines.draft.moved_music import resized, with_moved_music
from acestep_mcp.engines.draft.render import available
from acestep_mcp.engines.draft.score import RATE, VERSION
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.song import Song
from acestep_mcp.engines.draft.source_plan import read_source_plan

TAGS = "folk, flute, 100 bpm, G major"
LYRICS = "[verse]\nWalking through the night\nEverything is right\n[chorus]\nStay with me\nUnder the light"


@cache
def played() -> Sound:
    """The sound of the song without words."""
    *_, audio = run_job(DraftJob("TextToAudio", {"tags": TAGS, "lyrics": "", "duration": 16, "seed": 11}, available()))
    assert isinstance(audio, Audio)
    return audio.sound


def remixed(source: Source, tags: str) -> tuple[Song, str]:
    old = read_source_plan(source)
    request = ComposeRequest(tags, "", old.grid.seconds, Seeds(99), old.grid, old.form)
    kept, note = with_kept_music(request, source, old)
    return sketch(kept), note


def original(lyrics: str) -> Song:
    return sketch(ComposeRequest(TAGS, lyrics, 16, Seeds(11)))


@pytest.mark.parametrize("version", [VERSION, "8"])
def test_a_remix_of_a_draft_keeps_the_chords_and_the_tune_in_another_style(version):
    plan = compose(ComposeRequest(TAGS, LYRICS, 16, Seeds(11))).plan | {"made_by": [version, "soundfont"]}
    silence = Sound(np.zeros((16 * RATE, 2), np.int32), RATE, 24)
    song, note = remixed(Source(silence, json.dumps({"acestep": {"plan": plan}})), "jazz, saxophone")
    assert song.style.genre.name == "jazz"
    assert song.chords == original(LYRICS).chords
    tune = {round(one.beat, 2): one.pitch for one in lead(original(LYRICS)).sung}
    sung = [one for one in lead(song).sung if round(one.beat, 2) in tune]
    assert len(sung) > 5
    assert sum((one.pitch - tune[round(one.beat, 2)]) % 12 == 0 for one in sung) >= 0.8 * len(sung)
    assert "tune were kept" in note


@pytest.mark.parametrize(("tags", "version"), [(TAGS, "7"), ("rock, 5/4", "8")])
def test_a_draft_of_a_version_that_composed_other_notes_is_not_composed_again(tags, version):
    plan = compose(ComposeRequest(tags, LYRICS, 16, Seeds(11))).plan | {"made_by": [version, "soundfont"]}
    source = Source(Sound(np.zeros((16 * RATE, 2), np.int32), RATE, 24), json.dumps({"acestep": {"plan": plan}}))
    assert not read_source_plan(source).is_composable
    assert "were not heard" in remixed(source, "jazz, saxophone")[1]


@pytest.mark.slow
def test_a_remix_of_a_recording_has_the_chords_that_are_heard_and_says_how_many():
    known = original("")
    source = Source(played(), json.dumps({"acestep": {"plan": {"frame": known.grid.plan()}}}))
    song, note = remixed(source, "rock")
    right = [set(one.tones) <= {*own.tones} for one, own in zip(song.chords, known.chords, strict=True)]
    assert sum(right) >= 0.7 * len(right)
    assert "bars were heard in the source and kept" in note
    heard = {one.beat: one.pitch for one in tune_in(played(), known.grid)}
    tune = [one for one in lead(known).played if round(2 * one.beat) / 2 in heard]
    assert len(tune) >= 10
    right = [(heard[round(2 * one.beat) / 2] - one.pitch) % 12 == 0 for one in tune]
    assert sum(right) >= 0.75 * len(right)


@pytest.mark.parametrize("loud", [0.0, 0.1])
def test_noise_and_silence_have_neither_chords_nor_a_tune(loud):
    noise = loud * np.random.default_rng(1).standard_normal((12 * RATE, 2))
    sound = Sound((noise * 2**23).astype(np.int32) << 8, RATE, 24)
    grid = Grid(120, "4/4", 0, "major", 6, 12)
    assert chords_in(sound, grid) == (None,) * 6
    frame = {"acestep": {"plan": {"frame": grid.plan()}}}
    song, note = remixed(Source(sound, json.dumps(frame)), "rock")
    assert song.tune == ()
    assert "were not heard" in note


def test_a_tempo_and_a_key_that_the_tags_of_a_remix_name_are_played_and_a_metre_is_not():
    grid = Grid(100, "4/4", 7, "major", 8, 20)
    new, notes = asked_grid("rock, 120 bpm, A minor, 3/4", grid)
    assert (new.tempo, new.key.name, new.metre, new.seconds) == (120, "A minor", "4/4", 20)
    assert "played at 120 bpm instead of 100 and in A minor instead of G major" in notes[0]
    assert "3/4 in the tags had no effect" in notes[1]
    for tags in ("rock, 100 bpm, G major", "rock, 200 bpm", "slow rock"):
        assert asked_grid(tags, grid) == (grid, ())


@pytest.mark.parametrize(
    ("key", "steps"), [("A major", 2), ("C major", 5), ("E minor", 0), ("A minor", 5), ("D minor", -2)]
)
def test_the_chords_and_the_tune_of_a_remix_move_to_the_key_that_its_tags_name(key: str, steps: int):
    song = original(LYRICS)
    form = tuple(span.section for span in song.spans)
    grid, _ = asked_grid(f"rock, {key}", song.grid)
    asked = ComposeRequest("rock", "", 16, Seeds(1), grid, form, chords=song.chords, tune=lead(song).sung)
    moved = with_moved_music(asked, song.grid, form, form)
    assert [one.root for one in moved.chords if one] == [(one.root + steps) % 12 for one in song.chords]
    assert [note.pitch for note in moved.tune] == [note.pitch + steps for note in asked.tune]
    assert {tone for one in moved.chords if one for tone in one.tones} <= set(grid.key.pitch_classes)


def test_a_faster_remix_begins_each_section_with_the_bars_that_it_had():
    song = original(LYRICS)
    form = tuple(span.section for span in song.spans)
    grid, _ = asked_grid("rock, 150 bpm", song.grid)
    longer = resized(form, grid.bars)
    assert longer is not None
    assert sum(section.bars for section in longer) == grid.bars > song.grid.bars
    asked = ComposeRequest("rock", "", 16, Seeds(1), grid, longer, chords=song.chords, tune=lead(song).sung)
    moved = with_moved_music(asked, song.grid, form, longer)
    first = new = 0
    for old, now in zip(form, longer, strict=True):
        kept = min(old.bars, now.bars)
        assert moved.chords[new : new + kept] == song.chords[first : first + kept]
        begins = [
            [round(note.beat - 4 * bar, 3) for note in tune if 0 <= note.beat - 4 * bar < 4 * kept]
            for bar, tune in ((first, asked.tune), (new, moved.tune))
        ]
        assert begins[0] == begins[1]
        first, new = first + old.bars, new + now.bars
    assert [note.beat for note in moved.tune] == sorted(note.beat for note in moved.tune)


@pytest.mark.parametrize(
    ("bars", "sizes"), [(32, [8, 16, 8]), (8, [2, 4, 2]), (17, [4, 8, 5]), (3, [1, 1, 1]), (2, None)]
)
def test_the_sections_of_another_tempo_keep_their_proportions_and_even_numbers_of_bars(bars, sizes):
    form = [FormSection(name, name, count) for name, count in (("verse", 4), ("chorus", 8), ("outro", 4))]
    found = resized(form, bars)
    assert (found and [section.bars for section in found]) == sizes
