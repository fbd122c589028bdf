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


def test_all_instruments_at_once_still_fit_a_midi_file():
    parts = compose(ComposeRequest(", ".join(PROGRAMS), "[verse]\nHello there", 30, Seeds(5))).parts
    assert len(pretty_midi.PrettyMIDI(io.BytesIO(file_bytes(parts, 32))).instruments) == len(parts)
