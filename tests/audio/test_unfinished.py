"""Files whose sizes are wrong: a writer was killed, a download stopped, or a program counted a few bytes too many."""

from __future__ import annotations

import mmap
import struct

import numpy as np
import pytest

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.containers.layout import parts, unused
from acestep_mcp.audio.read import probe, probe_source, read
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import convert_and_remove
from tests.audio.files import RATE, UNKNOWN, chunk, encoded, riff, wave_parts, with_sizes

SIZED = ["WAV", "RF64", "W64", "AIFF", "AU", "CAF"]


def read_whole(path, data: bytes, seconds: float) -> np.ndarray:
    path.write_bytes(data)
    assert probe_source(path, max_seconds=600).seconds == pytest.approx(seconds, abs=2 / RATE)
    sound = read(path)
    assert sound.seconds == pytest.approx(seconds, abs=2 / RATE)
    return sound.pcm


@pytest.mark.parametrize("form", [*SIZED, "WAVEX", "AIFF FLOAT", "CAF ALAC_16", "FLAC", "OGG", "OGG OPUS", "MP3"])
def test_a_download_that_stopped_is_refused_with_where_it_breaks_off(tmp_path, form):
    data = encoded(form, 2.4, 48_000)
    (tmp_path / "half").write_bytes(data[: len(data) // 2])
    for attempt in (probe_source, read):
        with pytest.raises(InvalidRequest, match=r"half breaks off( after [12]\.\d s)?: it is not whole"):
            attempt(tmp_path / "half", max_seconds=600)


@pytest.mark.parametrize("form", SIZED)
@pytest.mark.parametrize("state", [lambda _: 0, lambda _: -1], ids=["zero", "all bits"])
def test_sizes_that_were_never_filled_in_are_those_of_the_file(tmp_path, form, state):
    whole = encoded(form, 0.8)
    (tmp_path / "whole").write_bytes(whole)
    pcm = read_whole(tmp_path / "killed", with_sizes(form, whole, state), 0.8)
    assert np.array_equal(pcm, read(tmp_path / "whole").pcm)
    assert not probe(tmp_path / "killed").is_plain


@pytest.mark.parametrize("form", SIZED)
@pytest.mark.parametrize("extra", [1, 44, 2000, 70_000])
def test_sizes_up_to_half_a_second_too_large_are_accepted_in_every_format(tmp_path, form, extra):
    whole = encoded(form, 2.0)
    read_whole(tmp_path / "over", with_sizes(form, whole, lambda right: right + extra), 2.0)


@pytest.mark.parametrize("form", SIZED)
def test_more_than_half_a_second_too_large_is_cut_off(tmp_path, form):
    whole = encoded(form, 2.0)
    (tmp_path / "over").write_bytes(with_sizes(form, whole, lambda right: right + RATE * 4 * 6 // 10))
    with pytest.raises(InvalidRequest, match=r"breaks off after 2\.0 s: it is not whole"):
        probe_source(tmp_path / "over", max_seconds=600)


def test_the_last_page_of_an_ogg_file_tells_how_much_is_missing(tmp_path):
    data = encoded("OGG OPUS", 4.0, 48_000)
    (tmp_path / "cut").write_bytes(data[:-20])
    assert probe_source(tmp_path / "cut", max_seconds=600).seconds > 3.0
    (tmp_path / "cut").write_bytes(data[: data.rindex(b"OggS") - 20])
    with pytest.raises(InvalidRequest, match="not whole"):
        probe_source(tmp_path / "cut", max_seconds=600)


FORMAT, SAMPLES = wave_parts(0.8)
ODD = [
    chunk(b"JUNK", b"x" * 27),
    chunk(b"LIST", b"INFOISFT" + struct.pack("<I", 5) + b"Lavf\0\0"),
    chunk(b"odd ", b"abc", pad=False),
    chunk(b"bext", bytes(602), size=0),
    chunk(b"\xa9xyz", b"1234"),
]


@pytest.mark.parametrize("size", [0, UNKNOWN, 0x7FFFFFFF, 0x80000000])
@pytest.mark.parametrize("odd", ODD, ids=["odd", "list", "odd without padding", "killed too", "odd name"])
def test_chunks_before_the_samples_of_a_killed_recorder_are_skipped(tmp_path, odd, size):
    data = riff(chunk(b"fmt ", FORMAT), odd, chunk(b"data", SAMPLES, size=size), size=size)
    (tmp_path / "whole").write_bytes(riff(chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES)))
    assert np.array_equal(read_whole(tmp_path / "killed", data, 0.8), read(tmp_path / "whole").pcm)


def test_an_rf64_file_whose_long_sizes_were_never_filled_in_is_read(tmp_path):
    for sizes in (bytes(28), b"\xff" * 24 + bytes(4)):
        long = chunk(b"ds64", sizes)
        data = riff(long, chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES, size=UNKNOWN), size=UNKNOWN, name=b"RF64")
        read_whole(tmp_path / "killed.rf64", data, 0.8)


def test_silence_at_the_beginning_is_no_chunk(tmp_path):
    quiet = bytes(4000) + SAMPLES[4000:]
    read_whole(tmp_path / "a.wav", riff(chunk(b"fmt ", FORMAT), chunk(b"data", quiet, size=0), size=0), 0.8)


@pytest.mark.parametrize("size", [8, 36, 44])
def test_a_size_from_before_there_were_samples_is_not_that_of_the_sound(tmp_path, size):
    read_whole(tmp_path / "a.wav", riff(chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES, size=size), size=size), 0.8)


@pytest.mark.parametrize("form", ["WAV", "AIFF", "FLAC", "OGG", "CAF"])
@pytest.mark.parametrize("before", [bytes(417), b"\r\n", b"\xef\xbb\xbf"], ids=["zeros", "a line end", "a mark"])
def test_blanks_before_a_song_are_skipped(tmp_path, form, before):
    read_whole(tmp_path / "song", before + encoded(form, 0.8), 0.8)


def test_two_recordings_of_unknown_size_are_both_read(tmp_path):
    one = riff(chunk(b"fmt ", FORMAT), chunk(b"data", SAMPLES, size=UNKNOWN), size=UNKNOWN)
    read_whole(tmp_path / "two.wav", one + one, 1.6)


@pytest.mark.parametrize("after", [b"", chunk(b"LIST", b"INFO"), chunk(b"id3 ", b"ID3\4" + bytes(6))])
def test_a_wav_file_without_samples_has_no_sound(tmp_path, after):
    (tmp_path / "empty.wav").write_bytes(riff(chunk(b"fmt ", FORMAT), chunk(b"data", b""), after))
    with pytest.raises(InvalidRequest, match="no sound in it"):
        probe(tmp_path / "empty.wav")


def test_a_killed_recording_becomes_a_whole_file_when_it_is_tagged(tmp_path):
    source = tmp_path / "killed.wav"
    source.write_bytes(with_sizes("WAV", encoded("WAV", 0.8), lambda _: 0))
    expected = read(source).pcm
    convert_and_remove(source, tmp_path / "song.wav", format="wav", tags=FileTags(title="Song"))
    assert probe(tmp_path / "song.wav").is_plain
    assert np.array_equal(read(tmp_path / "song.wav").pcm, expected)


@pytest.mark.parametrize(("form", "field"), [("AIFF", b"SSND"), ("AU", b".snd")])
def test_samples_that_begin_behind_the_end_of_the_file_are_refused(tmp_path, form, field):
    data = bytearray(encoded(form, 0.1))
    at = data.index(field) + {"AIFF": 8, "AU": 4}[form]
    data[at : at + 4] = (len(data) + 1000).to_bytes(4, "big")
    memory = mmap.mmap(-1, len(data))
    memory[:] = bytes(data)
    [part] = parts(memory)
    assert (part.end, unused(memory, [part])) == (len(data), 0)
    (tmp_path / "odd").write_bytes(data)
    with pytest.raises(InvalidRequest, match=r"odd (has no sound in it|breaks off)"):
        read(tmp_path / "odd")
