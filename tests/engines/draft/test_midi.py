import io
from collections import Counter

import pretty_midi
import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.instruments import PROGRAMS
from acestep_mcp.engines.draft.midi import file_bytes
from acestep_mcp.engines.draft.score import Note, Part
from acestep_mcp.engines.draft.seeds import Seeds


def test_another_library_reads_back_every_part_as_written():
    parts = compose(ComposeRequest("pop, rhodes", "[verse]\nHello there", 30, Seeds(5))).parts
    read = pretty_midi.PrettyMIDI(io.BytesIO(file_bytes(parts, 32)))
    assert [(one.name, one.program, one.is_drum) for one in read.instruments] == [
        (part.name, part.program, part.drums) for part in parts
    ]
    for one, part in zip(read.instruments, parts, strict=True):
        written = Counter((round(note.start * 1920), note.pitch, note.velocity) for note in part.notes)
        assert Counter((round(note.start * 1920), note.pitch, note.velocity) for note in one.notes) == written
        controllers = {change.number: change.value for change in one.control_changes}
        assert (controllers[7], controllers[10], controllers[91]) == (part.volume, part.pan, part.reverb)


def test_the_file_lasts_as_long_as_asked():
    part = Part("piano", 0, (Note(0, 1, 60, 90),))
    read = pretty_midi.PrettyMIDI(io.BytesIO(file_bytes((part,), 7.5)))
    assert max(change.time for change in read.instruments[0].control_changes) == pytest.approx(7.5, abs=0.001)


def test_a_bass_drum_turns_down_only_the_parts_that_it_pumps():
    drums = Part("drums", 0, (Note(0.5, 0.6, 36, 90), Note(0.75, 0.8, 38, 90), Note(1, 1.1, 35, 90)), drums=True)
    chords = (Note(0, 2, 60, 90),)
    parts = (drums, Part("pad", 89, chords, pump=100), Part("piano", 0, chords))
    read = pretty_midi.PrettyMIDI(io.BytesIO(file_bytes(parts, 2)))
    turned = [
        [(round(change.time, 2), change.value) for change in one.control_changes if change.number == 11]
        for one in read.instruments
    ]
    assert turned[0] == turned[2] == []
    assert [time for time, value in turned[1] if value == 27] == [0.5, 1.0]
    assert turned[1][-1][1] == 127


def test_all_instruments_at_once_still_fit_a_midi_file():
    parts = compose(ComposeRequest(", ".join(PROGRAMS), "[verse]\nHello there", 30, Seeds(5))).parts
    assert len(pretty_midi.PrettyMIDI(io.BytesIO(file_bytes(parts, 32))).instruments) == len(parts)
