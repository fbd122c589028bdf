"""The length of MP3 files, with and without a header that states it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.containers import mp3
from acestep_mcp.audio.read import probe_source, read
from acestep_mcp.audio.tags import id3


def encoded(path: Path, mode: str, rate: int, channels: int, seconds: float = 8.0) -> Path:
    """Half a tone and half noise, so that a variable rate varies."""
    frames = round(seconds * rate)
    samples = 0.3 * np.sin(np.arange(frames) * 0.05)
    samples[frames // 2 :] += np.random.default_rng(1).normal(0, 0.2, frames - frames // 2)
    settings = {"format": "MP3", "bitrate_mode": mode, "compression_level": 0.5}
    with soundfile.SoundFile(path, "w", rate, channels, **settings) as file:
        for start in range(0, frames, rate):
            file.write(np.repeat(samples[start : start + rate, None], channels, axis=1))
    return path


def without_info(path: Path) -> Path:
    """The file without its first frame, which states the length."""
    with path.open("rb") as file:
        start = mp3.walk(file).start
    data = path.read_bytes()
    header = int.from_bytes(data[start : start + 4], "big")
    path.write_bytes(data[start + mp3._length(header >> 9) :])
    return path


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT", "AVERAGE"])
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (22_050, 2), (8000, 1)])
def test_every_frame_is_counted(tmp_path, mode, rate, channels):
    path = encoded(tmp_path / "a.mp3", mode, rate, channels)
    with path.open("rb") as file:
        stream = mp3.walk(file)
    assert stream.stated == stream.frames
    assert stream.missing == 0
    assert 8.0 <= stream.samples / rate < 8.0 + 3 * stream.frame_samples / rate
    assert probe_source(path, max_seconds=600).seconds == read(path).seconds == 8.0


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (22_050, 1), (8000, 1)])
def test_a_file_that_states_no_length_is_read_to_its_end(tmp_path, mode, rate, channels):
    path = without_info(encoded(tmp_path / "a.mp3", mode, rate, channels))
    seconds = probe_source(path, max_seconds=600).seconds
    assert seconds == pytest.approx(8.0, abs=3 * 1152 / rate)
    sound = read(path)
    assert sound.seconds == pytest.approx(seconds, abs=1152 / rate)
    assert np.abs(sound.pcm[-round(rate * 0.5) :]).max() > 2**28


def test_its_true_length_is_what_the_limit_is_checked_against(tmp_path):
    path = without_info(encoded(tmp_path / "a.mp3", "VARIABLE", 48_000, 1))
    assert soundfile.info(path).duration < 5
    with pytest.raises(InvalidRequest, match=r"8\.\d s long; at most 5 s"):
        probe_source(path, max_seconds=5)


def test_tags_are_not_counted_as_frames(tmp_path):
    path = encoded(tmp_path / "a.mp3", "CONSTANT", 44_100, 1)
    with path.open("rb") as file:
        expected = mp3.walk(file).frames
    tag = id3.encode({"lyrics": "\u00ff\u00fb" * 5000})
    path.write_bytes(tag + path.read_bytes() + b"TAG".ljust(128, b"\0"))
    with path.open("rb") as file:
        stream = mp3.walk(file)
    assert (stream.start, stream.frames) == (len(tag), expected)


def test_frames_after_garbage_count(tmp_path):
    path = encoded(tmp_path / "a.mp3", "CONSTANT", 44_100, 1)
    with path.open("rb") as file:
        stream = mp3.walk(file)
    data = path.read_bytes()
    second = stream.start + mp3._length(stream.header >> 9)
    path.write_bytes(data[:second] + b"\xff\xe0junk" * 20 + data[second:])
    with path.open("rb") as file:
        assert mp3.walk(file).frames == stream.frames


def test_a_truncated_file_is_refused_without_decoding(tmp_path):
    path = encoded(tmp_path / "a.mp3", "VARIABLE", 48_000, 2)
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(InvalidRequest, match="breaks off after"):
        probe_source(path, max_seconds=600)


@pytest.mark.parametrize("content", [b"\xff" * 100_000, b"\xff\xfb\x90\x64" * 50_000, b"ID3\4\0\0\0\0\0\0" * 20_000])
def test_hostile_bytes_end_the_walk(tmp_path, content):
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    with path.open("rb") as file:
        stream = mp3.walk(file)
    assert stream is None or stream.frames < 2000


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
        with path.open("rb") as file:
            mp3.walk(file)
