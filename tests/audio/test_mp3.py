"""The length of MP3 files, with and without a header that states it."""

from __future__ import annotations

import io
import mmap
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.containers import mp3
from acestep_mcp.audio.containers.layout import after_tags
from acestep_mcp.audio.containers.parts import Unreadable
from acestep_mcp.audio.read import probe_source, read
from acestep_mcp.audio.tags import id3
from tests.support.parameters import few


def encoded(path: Path, mode: str, rate: int, channels: int, seconds: float = 3.0) -> Path:
    path.write_bytes(_encoded(mode, rate, channels, seconds))
    return path


@cache
def _encoded(mode: str, rate: int, channels: int, seconds: float) -> bytes:
    """Half a tone and half noise, so that a variable rate varies."""
    frames = round(seconds * rate)
    samples = 0.3 * np.sin(np.arange(frames) * 0.05)
    samples[frames // 2 :] += np.random.default_rng(1).normal(0, 0.2, frames - frames // 2)
    settings = {"format": "MP3", "bitrate_mode": mode, "compression_level": 0.5}
    target = io.BytesIO()
    with soundfile.SoundFile(target, "w", rate, channels, **settings) as file:
        for start in range(0, frames, rate):
            file.write(np.repeat(samples[start : start + rate, None], channels, axis=1))
    return target.getvalue()


def streams(path: Path) -> list[mp3.Mp3Stream]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return mp3.streams(data, after_tags(data))


def without_info(path: Path) -> Path:
    """The file without its first frame, which states the length."""
    [stream] = streams(path)
    path.write_bytes(path.read_bytes()[stream.info.end :])
    return path


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT", "AVERAGE"])
@pytest.mark.parametrize(("rate", "channels"), few([(48_000, 2), (44_100, 1), (22_050, 2), (8000, 1)], 2))
def test_every_frame_is_counted(tmp_path, mode, rate, channels):
    path = encoded(tmp_path / "a.mp3", mode, rate, channels)
    [stream] = streams(path)
    assert stream.stated == stream.frames
    assert stream.missing == 0
    assert 3.0 <= stream.samples / rate < 3.0 + 3 * stream.header.samples / rate
    assert probe_source(path, max_seconds=600).seconds == read(path).seconds == 3.0


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (22_050, 1), (8000, 1)])
def test_a_file_that_states_no_length_is_read_to_its_end(tmp_path, mode, rate, channels):
    path = without_info(encoded(tmp_path / "a.mp3", mode, rate, channels))
    seconds = probe_source(path, max_seconds=600).seconds
    assert seconds == pytest.approx(3.0, abs=3 * 1152 / rate)
    sound = read(path)
    assert sound.seconds == pytest.approx(seconds, abs=1152 / rate)
    assert np.abs(sound.pcm[-round(rate * 0.5) :]).max() > 2**28


def test_its_true_length_is_what_the_limit_is_checked_against(tmp_path):
    path = without_info(encoded(tmp_path / "a.mp3", "VARIABLE", 48_000, 1))
    assert soundfile.info(path).duration < 2
    with pytest.raises(InvalidRequest, match=r"3\.\d s long; at most 2 s"):
        probe_source(path, max_seconds=2)


def test_tags_are_not_counted_as_frames(tmp_path):
    path = encoded(tmp_path / "a.mp3", "CONSTANT", 44_100, 1)
    expected = streams(path)[0].frames
    tag = id3.encode({"lyrics": "\u00ff\u00fb" * 5000})
    path.write_bytes(tag + path.read_bytes() + b"TAG".ljust(128, b"\0"))
    [stream] = streams(path)
    assert (stream.start, stream.frames) == (len(tag), expected)


def test_frames_after_garbage_count(tmp_path):
    path = encoded(tmp_path / "a.mp3", "CONSTANT", 44_100, 1)
    [stream] = streams(path)
    data = path.read_bytes()
    second = stream.info.end
    path.write_bytes(data[:second] + b"\xff\xe0junk" * 20 + data[second:])
    assert streams(path)[0].frames == stream.frames


def test_a_truncated_file_is_refused_without_decoding(tmp_path):
    path = encoded(tmp_path / "a.mp3", "VARIABLE", 48_000, 2)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InvalidRequest, match="breaks off after"):
        probe_source(path, max_seconds=600)


@pytest.mark.parametrize("content", [b"\xff" * 100_000, b"\xff\xfb\x90\x64" * 50_000, b"ID3\4\0\0\0\0\0\0" * 20_000])
def test_hostile_bytes_end_the_walk(tmp_path, content):
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    try:
        assert sum(stream.frames for stream in streams(path)) < 2000
    except Unreadable as exc:
        assert "no MP3 frame" in str(exc)


def test_random_headers_raise_nothing(tmp_path):
    path = encoded(tmp_path / "a.mp3", "CONSTANT", 44_100, 1, 1.0)
    data = path.read_bytes()
    random = np.random.default_rng(7)
    for _ in range(50):
        broken = bytearray(data)
        for at in random.integers(0, 600, 8):
            broken[at] = random.integers(0, 256)
        struct.pack_into(">I", broken, 0, 0xFFFB9064)
        path.write_bytes(broken[: random.integers(5, len(data))])
        streams(path)


HALF_FRAME = b"\xff\xfb\x90\x64" + bytes(range(1, 100)) * 2


@pytest.mark.parametrize(
    "junk",
    [bytes(417), bytes(100_000), b"junk" * 3000, HALF_FRAME[20:], HALF_FRAME, b"\xff\xfb" * 300],
    ids=["zeros", "many zeros", "text", "end of a frame", "cut frame", "syncs"],
)
@pytest.mark.parametrize(
    "tag", [b"", id3.encode({"title": "A"}), b"ID3\4\0\0\x7f\x7f\x7f\x7f"], ids=["", "tag", "cut tag"]
)
def test_what_lies_before_the_first_frame_is_skipped(tmp_path, tag, junk):
    plain = encoded(tmp_path / "plain.mp3", "CONSTANT", 44_100, 1, 1.0)
    path = tmp_path / "a.mp3"
    path.write_bytes(tag + junk + plain.read_bytes())
    assert probe_source(path, max_seconds=600).seconds == 1.0
    assert np.array_equal(read(path).pcm, read(plain).pcm)


def test_a_frame_that_was_cut_where_files_were_joined_hides_none_of_the_next_file(tmp_path):
    one = encoded(tmp_path / "one.mp3", "CONSTANT", 44_100, 1, 3.0)
    two = encoded(tmp_path / "two.mp3", "CONSTANT", 44_100, 1, 2.0)
    path = tmp_path / "a.mp3"
    path.write_bytes(one.read_bytes()[:-100] + two.read_bytes())
    first, second = streams(path)
    assert (first.frames, second.frames) == (first.stated - 1, second.stated)
    assert read(path).seconds == pytest.approx(5.0, abs=0.03)


def test_a_merged_file_whose_first_header_counts_all_frames_is_whole(tmp_path):
    one = encoded(tmp_path / "one.mp3", "CONSTANT", 44_100, 1, 3.0)
    [stream] = streams(one)
    data = bytearray(one.read_bytes())
    count = stream.info.start + stream.header.side + 8
    struct.pack_into(">I", data, count, 2 * stream.frames + 1)
    path = tmp_path / "a.mp3"
    path.write_bytes(data + one.read_bytes())
    assert read(path).seconds == pytest.approx(6.0, abs=0.01)


def test_frames_that_were_overwritten_are_missed_also_without_a_header_that_counts_them(tmp_path):
    path = without_info(encoded(tmp_path / "a.mp3", "CONSTANT", 44_100, 1))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = b"overwritten" * 1818 + b"22"
    path.write_bytes(data)
    with pytest.raises(InvalidRequest, match="not whole"):
        probe_source(path, max_seconds=600)


def test_the_layers_before_mp3_are_read(tmp_path):
    frame = bytes.fromhex("fffd8004") + bytes(413)  # layer II, 128 kbit/s, 44.1 kHz
    path = tmp_path / "a.mp2"
    path.write_bytes(frame * 100)
    [stream] = streams(path)
    assert (stream.frames, stream.header.length, stream.header.samples) == (100, 417, 1152)
