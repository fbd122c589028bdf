"""The MIDI file of a draft, read back by other libraries."""

import io
import json

import mido
import pretty_midi
import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.hyphenation import split_word, syllable_texts
from acestep_mcp.engines.draft.midi_export import midi_of
from acestep_mcp.engines.draft.midi_song import key_signature
from acestep_mcp.engines.draft.score import VERSION, Score
from acestep_mcp.engines.draft.seeds import Seeds

LYRICS = "[verse]\nWalking through the neon light\nÜber Nacht, beautiful\n[chorus]\nStay with me tonight"


def song(tags: str, seconds: float = 40) -> tuple[Score, Grid, bytes]:
    score = compose(ComposeRequest(tags, LYRICS, seconds, Seeds(5)))
    grid = Grid.from_plan(score.plan["frame"])
    assert grid is not None
    comment = json.dumps({"acestep": {"plan": {**score.plan, "made_by": [VERSION, "soundfont"]}}})
    return score, grid, midi_of(comment, LYRICS)


@pytest.mark.parametrize(
    ("tags", "signature", "key"),
    [
        ("pop, 97 bpm, F# minor", (4, 4), "F#m"),
        ("waltz, 90 bpm, Eb major", (3, 4), "Eb"),
        ("folk, 6/8, 80 bpm, Ab minor", (6, 8), "Abm"),
        ("jazz, 7/8, 133 bpm, C# major", (7, 8), "C#"),
    ],
)
def test_mido_reads_the_tempo_metre_and_key_of_the_song(tags, signature, key):
    score, grid, data = song(tags)
    read = mido.MidiFile(file=io.BytesIO(data), charset="utf-8")
    first = {message.type: message for message in read.tracks[0] if message.time == 0}
    assert mido.tempo2bpm(first["set_tempo"].tempo) == pytest.approx(grid.tempo, abs=0.001)
    assert (first["time_signature"].numerator, first["time_signature"].denominator) == signature
    assert first["key_signature"].key == key
    assert [track.name for track in read.tracks[1:]] == [part.name for part in score.parts]


@pytest.mark.parametrize("tags", ["pop, 97 bpm", "jazz, 133 bpm", "folk, 6/8, 80 bpm"])
def test_bars_notes_and_sections_are_where_they_sound_also_while_the_end_slows_down(tags):
    score, grid, data = song(tags)
    read = pretty_midi.PrettyMIDI(io.BytesIO(data))
    bars = [grid.time_at(bar * grid.beats_per_bar) for bar in range(grid.bars + 1)]
    assert read.get_downbeats()[: len(bars)] == pytest.approx(bars, abs=0.002)
    for one, part in zip(read.instruments, score.parts, strict=True):
        assert one.program == part.program
        heard = sorted((note.start, note.pitch) for note in one.notes)
        wanted = sorted((note.start, note.pitch) for note in part.notes)
        assert [start for start, _ in heard] == pytest.approx([start for start, _ in wanted], abs=0.002)
        assert sorted(pitch for _, pitch in heard) == sorted(pitch for _, pitch in wanted)
    markers = [message.text for message in mido.MidiFile(file=io.BytesIO(data)).tracks[0] if message.type == "marker"]
    assert markers == [section.name for section in score.sections]


def test_every_syllable_is_a_lyric_event_at_its_note():
    score, _, data = song("pop, 97 bpm")
    voice = next(number for number, part in enumerate(score.parts) if part.name == "voice")
    track = mido.MidiFile(file=io.BytesIO(data), charset="utf-8").tracks[1 + voice]
    tick, lyrics, notes = 0, [], []
    for message in track:
        tick += message.time
        if message.type == "lyrics":
            lyrics.append((tick, message.text))
        elif message.type == "note_on":
            notes.append(tick)
    assert [at for at, _ in lyrics] == notes
    lines = [line for section in score.form for line in section.lines]
    assert "".join(text for _, text in lyrics).split() == " ".join(lines).split()
    assert [text for _, text in lyrics][:7] == ["Wal", "king ", "through ", "the ", "ne", "on ", "light "]


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("beautiful", "beau ti ful"), ("shadows", "sha dows"), ("fire", "fire"), ("schlafen", "schla fen"),
        ("created", "cre a ted"), ("мгновенье", "мгно вен ье"), ("1999", "1 9 9 9"),
    ],
)  # fmt: skip
def test_words_are_split_before_the_consonant_that_begins_a_syllable(word, parts):
    assert split_word(word, len(parts.split())) == parts.split()


def test_what_stands_around_words_stays_with_them():
    assert syllable_texts("(Oh) goodbye!", "en") == ["(Oh) ", "good", "bye! "]


def test_keys_have_the_signature_of_their_name():
    assert [key_signature(name)[0] for name in ("C major", "A minor", "F major", "B major", "Bb minor")] == [
        0, 0, 255, 5, 251,
    ]  # fmt: skip
