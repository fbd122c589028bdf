"""The composed notes, read back as MIDI."""

import io
import json
import math
from collections import Counter
from functools import cache
from itertools import pairwise
from statistics import mean

import pretty_midi
import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose, sketch
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.midi import file_bytes
from acestep_mcp.engines.draft.players import drum_track
from acestep_mcp.engines.draft.score import Part, Score
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.syllables import syllables
from tests.support.parameters import few

LYRICS = """[verse]
Walking through the neon light
Every shadow feels so right
City hums a lullaby
I am dreaming, you and I
[chorus]
Stay with me tonight
Under silver light
[verse]
Rain is falling on the street
Hear the rhythm of our feet
[chorus]
Stay with me tonight
Under silver light
"""


@cache
def song(tags: str, lyrics: str = "", seconds: float = 40, seed: int = 7) -> Score:
    return compose(ComposeRequest(tags, lyrics, seconds, Seeds(seed)))


def read_back(score: Score) -> pretty_midi.PrettyMIDI:
    return pretty_midi.PrettyMIDI(io.BytesIO(file_bytes(score.parts, score.seconds)))


def pitched(score: Score) -> list[Part]:
    return [part for part in score.parts if not part.drums]


@pytest.mark.slow
def test_genres_differ_in_tempo_key_and_instruments_when_their_midi_is_read():
    programs, tempos, histograms = set(), set(), set()
    for genre in GENRES:
        score = song(genre.name, seconds=30)
        midi = read_back(score)
        programs.add(tuple(sorted((one.program, one.is_drum) for one in midi.instruments)))
        tempos.add(round(score.plan["tempo"]))
        histograms.add(
            tuple(Counter(note.pitch % 12 for one in midi.instruments if not one.is_drum for note in one.notes))
        )
    assert len(programs) >= 0.95 * len(GENRES)
    assert len(tempos) >= 24
    assert len(histograms) >= 24
    assert len({(song(genre.name).plan["key"]) for genre in GENRES}) >= 10


@pytest.mark.parametrize("genre", few([genre.name for genre in GENRES], 12))
def test_a_genre_keeps_to_its_tempo_and_plays_only_sensible_notes(genre: str):
    row = next(one for one in GENRES if one.name == genre)
    for seconds, lyrics in ((5, LYRICS), (47.3, ""), (90, LYRICS)):
        score = song(genre, lyrics, seconds)
        assert row.tempo[0] * 0.94 <= score.plan["tempo"] <= row.tempo[1] * 1.06
        for part in score.parts:
            assert all(0 <= note.start < note.end <= seconds for note in part.notes)
            assert all(1 <= note.velocity <= 127 for note in part.notes)
        for part in pitched(score):
            assert all(20 <= note.pitch <= 100 for note in part.notes), part.name


@pytest.mark.parametrize("genre", few([genre.name for genre in GENRES[::3]], 11))
def test_no_note_is_stuck(genre: str):
    score = song(genre, LYRICS, 60)
    bar = 60 / score.plan["tempo"] * 4
    for part in score.parts:
        last = max(note.end for note in part.notes)
        assert all(note.end - note.start <= 16 * bar or note.end == last for note in part.notes), part.name


def test_the_same_request_gives_the_same_score():
    request = ComposeRequest("jazz", LYRICS, 40, Seeds(7))
    assert compose(request) == compose(request)


def test_many_words_for_the_length_are_sung_in_the_upper_half_of_the_tempos_of_the_genre():
    many = "\n".join(4 * LYRICS.splitlines())
    for genre, metre, factor in (("pop", "", 1), ("ballad", "", 1), ("waltz", "", 1), ("folk", ", 6/8", 1.25)):
        low, high = next(one.tempo for one in GENRES if one.name == genre)
        tempos = {
            words: [song(genre + metre, words, 60, seed).plan["tempo"] / factor for seed in range(9)]
            for words in (many, "")
        }
        assert all(0.95 * (low + high) / 2 <= tempo <= high for tempo in tempos[many]), genre
        assert len({round(tempo) for tempo in tempos[many]}) >= 3
        assert min(tempos[""]) < (low + high) / 2


def test_few_words_and_raps_leave_the_tempo_as_it_is_drawn():
    for tags, words in (("pop", "[verse]\nOne light\n"), ("trap, rap", 9 * LYRICS)):
        for seed in range(5):
            assert song(tags, words, 60, seed).plan["tempo"] == song(tags, "", 60, seed).plan["tempo"]


def test_another_seed_gives_another_song():
    scores = [song("pop", LYRICS, seed=seed) for seed in range(12)]
    assert len({round(score.plan["tempo"], 1) for score in scores}) >= 6
    assert len({score.plan["key"] for score in scores}) >= 5
    assert len({json.dumps(score.plan["progressions"]) for score in scores}) >= 3
    tunes = {tuple(note.pitch % 12 for note in voice(score).notes[:12]) for score in scores}
    assert len(tunes) == 12


def voice(score: Score) -> Part:
    return next(part for part in score.parts if part.name == "voice")


def test_each_syllable_is_one_note_of_the_voice():
    for genre in ("pop", "jazz", "waltz", "metal"):
        score = song(genre, LYRICS, 60)
        lines = [line for line in LYRICS.splitlines() if line and not line.startswith("[")]
        assert len(voice(score).notes) == sum(len(syllables(line)) for line in lines)


def test_the_voice_sings_one_note_at_a_time_in_a_singers_range_with_pauses():
    score = song("pop", LYRICS, 60)
    notes = voice(score).notes
    assert all(left.start < right.start for left, right in pairwise(notes))
    assert all(55 <= note.pitch <= 79 for note in notes)
    assert sum(right.start - left.end > 0.3 for left, right in pairwise(notes)) >= 4
    assert sum(abs(right.pitch - left.pitch) <= 4 for left, right in pairwise(notes)) > 0.7 * len(notes)


@pytest.mark.parametrize("genre", ["pop", "rock", "bossa nova", "cinematic", "country"])
def test_melody_notes_on_strong_beats_belong_to_the_chord(genre: str):
    request = ComposeRequest(genre, LYRICS, 60, Seeds(3))
    outline, score = sketch(request), compose(request)
    grid = outline.grid
    strong = fitting = 0
    for note in voice(score).notes:
        beat = (note.start - grid.phase) / grid.beat_seconds
        if abs(beat / 2 - round(beat / 2)) * 2 < 0.15:
            strong += 1
            chord = outline.chord_at(round(beat))
            fitting += note.pitch % 12 in chord.tones
    assert strong >= 8
    assert fitting >= 0.8 * strong


def test_the_marks_in_the_lyrics_are_the_sections():
    names = [section.name for section in song("pop", LYRICS, 120).sections]
    sung = [name for name in names if name not in {"intro", "outro"} and not name.startswith("solo")]
    assert sung == ["verse 1", "chorus 1", "verse 2", "chorus 2"]


@pytest.mark.parametrize("seconds", few([240, 30, 5, 7.77, 61.3], 3))
@pytest.mark.parametrize("lyrics", ["", LYRICS])
def test_sections_fill_the_song_without_gaps(seconds: float, lyrics: str):
    for tags in ("pop", "ambient", "drum and bass", "waltz, 70 bpm"):
        sections = song(tags, lyrics, seconds).sections
        assert sections[0].start == 0
        assert sections[-1].end == pytest.approx(seconds)
        assert all(left.end == right.start for left, right in pairwise(sections))


def test_the_chorus_is_fuller_than_the_verse():
    for tags in ("pop", "rock", "edm", "folk"):
        score = song(tags, LYRICS, 90)
        weights = {}
        for section in score.sections:
            inside = [note for part in score.parts for note in part.notes if section.start <= note.start < section.end]
            weights[section.name] = sum(note.velocity for note in inside) / (section.end - section.start)
        assert weights["chorus 2"] > weights["verse 1"], tags


@pytest.mark.parametrize("tags", ["lofi", "r&b"])
def test_the_voice_and_the_drums_are_louder_in_the_chorus(tags: str):
    score = song(tags, LYRICS, 90)
    spans = {section.name: section for section in score.sections}
    for part in score.parts:
        if part.name in {"voice", "drums"}:
            verse, chorus = (
                [note.velocity for note in part.notes if spans[name].start <= note.start < spans[name].end]
                for name in ("verse 1", "chorus 1")
            )
            assert 40 * math.log10(sum(chorus) / len(chorus) * len(verse) / sum(verse)) > 1.5


def test_a_named_tempo_key_and_metre_are_used():
    plan = song("rock, 111 bpm, F# minor, 3/4", seconds=33).plan
    assert (plan["tempo"], plan["key"], plan["meter"]) == (111, "F# minor", "3/4")


def test_named_instruments_play():
    programs = {part.program for part in song("pop, rhodes, violin, fretless bass").parts}
    assert {4, 40, 35} <= programs


def test_excluded_drums_do_not_play():
    assert not any(part.drums for part in song("rock, no drums").parts)


def test_chords_move_by_small_steps():
    score = song("pop, piano", seconds=60)
    pad = next(part for part in score.parts if part.name.startswith("pad"))
    chords: dict[float, list[int]] = {}
    for note in pad.notes:
        chords.setdefault(round(note.start, 1), []).append(note.pitch)
    tops = [max(pitches) for _, pitches in sorted(chords.items())]
    steps = [abs(right - left) for left, right in pairwise(tops)]
    assert sum(steps) / len(steps) <= 4


def test_a_song_ends_on_its_tonic_chord():
    score = song("ballad, A minor", LYRICS, 60)
    ringing = [note for part in pitched(score) for note in part.notes if note.end > 59.5 and note.end - note.start > 1]
    assert {note.pitch % 12 for note in ringing} == {9, 0, 4}


def test_the_plan_is_json():
    plan = song("pop", LYRICS).plan
    assert json.loads(json.dumps(plan)) == plan
    assert {"tempo", "key", "scale", "genre", "meter", "progressions", "sections", "seed"} <= plan.keys()


@pytest.mark.parametrize("genre", ["pop", "techno", "metal", "reggae", "bossa nova", "bhangra"])
def test_the_drums_of_a_song_have_four_bars_and_fills_that_differ(genre):
    song = sketch(ComposeRequest(genre, "", 90, Seeds(1)))
    beats, bars = song.grid.beats_per_bar, {}
    for note in drum_track(song, song.style.genre.grooves.split("|")[0]):
        if note.velocity >= 60:
            bars.setdefault(int(note.beat // beats), set()).add((round(note.beat % beats * 4), note.pitch))
    last = {round(span.end / beats) - 1 for span in song.spans}
    assert len({frozenset(hits) for bar, hits in bars.items() if bar not in last}) >= 4
    fills = [frozenset(hits) for bar, hits in bars.items() if bar in last]
    assert len(set(fills)) >= 0.7 * len(fills)


_LONG = 4 * "the river runs the mill is still and morning comes\n"
_SONG = 2 * f"[verse]\n{_LONG}[chorus]\n{_LONG[:8]}\n{_LONG[:8]}\n{_LONG[:8]}\n{_LONG[:8]}\n"


@pytest.mark.parametrize(("metre", "halves"), [("4/4", True), ("3/4", False)])
def test_verses_of_a_song_have_a_bar_and_a_half_a_line_only_where_a_bar_has_halves(metre: str, halves: bool):
    seconds = 24 * 4 * 60 / 112 if halves else 24 * 3 * 60 / 84
    score = compose(ComposeRequest(f"pop, {112 if halves else 84} bpm, {metre}", _SONG, seconds, Seeds(1)))
    verses = [section for section in score.form if section.kind == "verse"]
    assert verses
    assert any(section.bars / len(section.lines) % 1 == 0.5 for section in verses) == halves


def test_the_more_words_there_are_for_a_length_the_faster_is_a_tempo_that_nobody_named():
    def tempo(lines: int, seconds: float, seed: int, tags: str = "pop") -> float:
        words = "[verse]\n" + lines * "the river runs the mill is still\n"
        return float(compose(ComposeRequest(tags, words, seconds, Seeds(seed))).plan["tempo"])

    seeds = range(1, 7)
    few, some, many, longer = (
        [tempo(*given, seed) for seed in seeds] for given in ((2, 60), (10, 60), (30, 60), (20, 120))
    )
    assert mean(few) < mean(some) < mean(many)
    assert mean(longer) == pytest.approx(mean(some), rel=0.02), "twice the words in twice the time"
    assert {tempo(30, 60, seed, "pop, 100 bpm") for seed in seeds} == {100}
