"""What both ends of a keyed queue leave on disk and say: the key is in none of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
SECRET = "s3cr3t-of-the-engine"
WRONG = "s3cr3t-of-another"


@pytest.mark.slow
def test_a_key_is_in_no_log_error_record_sidecar_or_song_of_either_end(tmp_path: Path, environment, engine) -> None:
    said = []

    def run(*command: str, fails: bool = False, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], env=environment | more, capture_output=True, text=True, encoding="utf-8",
            timeout=50, check=False,
        )  # fmt: skip
        said.append(done.stdout + done.stderr)
        assert (done.returncode != 0) is fails, said[-1]
        return done.stdout

    source = tmp_path / "music" / "source.wav"
    source.parent.mkdir()
    soundfile.write(source, (np.sin(np.arange(40_000) / 7) * 9000).astype(np.int16), 8000)
    make = ("-m", "acestep_mcp", "make")
    song = ("text-to-audio", "--duration", "5", "--json", "--tags")
    edit = ("audio-inpaint", "--audio-url", str(source), "--tags", "lofi", "--end-time", "2", "--json")
    with engine(tmp_path / "engine", f"kid:{SECRET}") as url:
        ours = {"ACESTEP_ENGINE_URL": url, "ACESTEP_ENGINE_KEY": f"kid:{SECRET}", "ACESTEP_LOG_LEVEL": "DEBUG"}
        made = json.loads(run(*make, *edit, **ours))
        run(*make, *song, "fail", fails=True, **ours)
        run(*make, *song, "lofi", fails=True, **ours | {"ACESTEP_ENGINE_KEY": f"kid:{WRONG}"})
        plan = {"url": url, "key": f"kid:{SECRET}", "kind": "sync", "scene": "ends", "file": ""}
        run(str(HERE / "fal_python.py"), json.dumps(plan))
    assert (made["backend"], made["engine"]) == ("engine", "tone")

    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    names = {path.name for path in written}
    assert {"server.log", "jobs.sqlite3"} <= names
    assert {".json", ".wav"} <= {path.suffix for path in written if (tmp_path / "music") in path.parents}
    for secret in (SECRET, WRONG):
        assert [str(path) for path in written if secret.encode() in path.read_bytes()] == []
        assert [text for text in said if secret in text] == []
