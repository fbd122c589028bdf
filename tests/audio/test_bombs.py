"""Small files that claim or hold huge audio are refused, or read, in little memory."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.read import probe_source, read

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module")

READ = """
import resource, sys
from pathlib import Path
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.read import probe_source, read
for attempt in (probe_source, read):
    try:
        print(attempt(Path(sys.argv[1]), max_seconds=600).__class__.__name__)
    except InvalidRequest as exc:
        print(exc.fields[0].type, exc.message)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak // (1024 if sys.platform == "linux" else 1024 * 1024))
"""


def attempts(path: Path) -> tuple[list[str], int]:
    """What `probe_source` and `read` answer in a process of their own, and its peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, encoding="utf-8", check=True
    )
    *answers, peak = done.stdout.splitlines()
    return answers, int(peak)


def silence(path: Path, seconds: float, rate: int, channels: int = 1) -> Path:
    with soundfile.SoundFile(path, "w", rate, channels, format="FLAC", subtype="PCM_16") as file:
        left = round(seconds * rate)
        while left:
            count = min(left, 2**20)
            file.write(np.zeros((count, channels), np.int16))
            left -= count
    return path


def restated(path: Path, rate: int, samples: int) -> Path:
    """The FLAC file with another sample rate (20 bits) and length (36 bits) in its STREAMINFO."""
    data = bytearray(path.read_bytes())
    packed = int.from_bytes(data[18:26], "big")
    middle = packed >> 36 & 0xFF
    data[18:26] = (rate << 44 | middle << 36 | samples).to_bytes(8, "big")
    path.write_bytes(data)
    return path


def test_a_rate_of_a_megahertz_is_refused(tmp_path):
    path = restated(silence(tmp_path / "a.flac", 1, 96_000), 1_048_575, 250 * 1_048_575)
    answers, peak = attempts(path)
    assert all("1048575 Hz" in answer and "384000 Hz" in answer for answer in answers)
    assert peak < 400


@pytest.mark.parametrize("stated", [599 * 192_000, 0], ids=["stated", "not stated"])
def test_ten_minutes_at_192_khz_are_refused_with_the_length_that_is_accepted(tmp_path, stated):
    path = restated(silence(tmp_path / "a.flac", 305, 192_000), 192_000, stated)
    assert path.stat().st_size < 2**20
    answers, peak = attempts(path)
    assert all(
        "audio_duration_too_long" in answer and "300 s are accepted at 192000 Hz" in answer for answer in answers
    )
    assert peak < 400


def test_ten_minutes_at_8_khz_are_read_in_little_memory(tmp_path):
    path = silence(tmp_path / "a.flac", 599, 8000)
    assert path.stat().st_size < 30_000
    answers, peak = attempts(path)
    assert answers == ["Properties", "Sound"]
    assert peak < 400


def test_ten_minutes_of_stereo_at_48_khz_are_read(tmp_path):
    answers, peak = attempts(silence(tmp_path / "a.flac", 600, 48_000, 2))
    assert answers == ["Properties", "Sound"]
    assert peak < 400


def test_a_flipped_bit_in_an_aiff_header_takes_no_memory(tmp_path):
    path = tmp_path / "a.aiff"
    soundfile.write(path, np.zeros((800, 2)), 8000, format="AIFF", subtype="PCM_16")
    data = bytearray(path.read_bytes())
    at = data.index(b"COMM") + 10
    assert struct.unpack_from(">I", data, at)[0] == 800
    data[at] ^= 0x80
    sound = data.index(b"SSND") + 4
    data[sound] ^= 0x7F
    path.write_bytes(data)
    _, peak = attempts(path)
    assert peak < 400


@pytest.mark.parametrize("attempt", [probe_source, read])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, attempt):
    import os

    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(InvalidRequest, match="regular file"):
        attempt(tmp_path / "a.wav", max_seconds=600)
