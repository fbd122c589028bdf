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
from tests.support.parameters import few

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module"), pytest.mark.process]

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
# On Linux ru_maxrss starts with what the parent had when it forked; VmHWM is the process's own.
status = Path("/proc/self/status")
own = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")] if status.exists() else []
peak = int(own[0]) * 1024 if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak >> 20)
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


LARGE = 64 * 2**20
MP3_HEADER = b"\xff\xfb\x90\x64"
REPEATED = {
    "zeros": b"\0",
    "ones": b"\xff",
    "WAV heads": b"RIFF\0\0\0\0WAVE",
    "MP3 headers": MP3_HEADER,
    "empty MP3 frames": MP3_HEADER + bytes(413),
    "MP3 frames and junk": (MP3_HEADER + bytes(413)) * 4 + b"x",
    "info frames": MP3_HEADER + bytes(32) + b"Xing" + bytes(8),
    "ID3 heads": b"ID3\4\0\0\0\0\0\0",
    "FLAC heads": b"fLaC\0\0\0\x22",
    "first pages": b"OggS\0\2" + b"x" * 22,
    "AU files": b".snd\0\0\0\x18\0\0\0\4\0\0\0\3\0\0\xac\x44\0\0\0\2abcd",
    "AU files without an end": b".snd\0\0\0\x18\0\0\0\0\0\0\0\3\0\0\xac\x44\0\0\0\2",
    "boxes": b"\0\0\0\x08ftyp",
    "EBML heads": b"\x1a\x45\xdf\xa3\x42\x82\x84webm",
    "AAC frames": b"\xff\xf1\x50\x80\x00\xff\xfc",
}


@pytest.mark.slow
@pytest.mark.parametrize("content", few(REPEATED.values(), 5, pytest.mark.long), ids=REPEATED)
def test_a_large_file_of_one_pattern_takes_little_time_and_memory(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes((content * (LARGE // len(content) + 1))[:LARGE])
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    answers, peak = attempts(path)
    assert all(answer.startswith(("unsupported_audio_format", "audio_duration_too_long")) for answer in answers)
    assert peak < 300  # of which 64 are the file's own pages
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 15
