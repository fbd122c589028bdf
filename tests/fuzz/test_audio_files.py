"""Damaged audio files: an error that says why, or a sound; and huge ones are refused in little memory at every door."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.audio.test_bombs import restated, silence
from tests.fuzz.audio_files import check, damaged

pytestmark = pytest.mark.process
FILES = 30
"""`python bench/fuzz.py audio 300` is the long form."""


def test_a_damaged_file_is_refused_or_read(tmp_path):
    path = tmp_path / "song.audio"
    ends = set()
    for _, content in damaged(FILES, seed=3):
        path.write_bytes(content)
        ends.add(check(path))
    assert ends == {"refused", "read"}


DOORS = """
import base64, json, sys
from pathlib import Path
import anyio
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.assembly import open_studio
from acestep_mcp.engine_server.app import serving
from acestep_mcp.settings import load
from tests.fuzz.routes import Sent, answer
from tests.support.engine import Tone
from tests.support.requests import request

path, folder = Path(sys.argv[1]), Path(sys.argv[2])
uri = "data:audio/flac;base64," + base64.b64encode(path.read_bytes()).decode()

def peak():
    return next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))

async def main():
    async with open_studio(load()) as studio, serving(Tone(), folder=folder) as app:
        body = {"tags": "lofi", "end_time": 5}
        for given in (str(path), uri):
            before = peak()
            try:
                await studio.start(request("audio_inpaint", body | {"audio_url": given}))
            except InvalidRequest as exc:
                print(exc.fields[0].type, peak() - before)
        before = peak()
        sent = Sent("POST", "/run/fal-ai/ace-step/audio-inpaint", body=json.dumps(body | {"audio_url": uri}).encode())
        print(json.loads((await answer(app, sent)).body)["detail"][0]["type"], peak() - before)

anyio.run(main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_small_file_of_huge_audio_is_refused_by_the_server_and_by_an_engine_before_it_takes_memory(
    tmp_path, environment
):
    music = tmp_path / "music"
    music.mkdir()
    bomb = restated(silence(music / "bomb.flac", 20, 8000), 192_000, 599 * 192_000)
    done = subprocess.run(
        [sys.executable, "-c", DOORS, str(bomb), str(tmp_path / "engine")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    doors = [line.split() for line in done.stdout.splitlines()]
    assert [kind for kind, _ in doors] == ["audio_duration_too_long"] * 3, done.stderr[-2000:]
    assert all(int(grown) < 200 for _, grown in doors), doors
