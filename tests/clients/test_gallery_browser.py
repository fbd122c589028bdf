"""The gallery in a real browser, by keyboard, against a real server and its music folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.xdist_group("browser")]

HERE = Path(__file__).parent
TOKEN = "sesame-7f3a9c"
HOSTILE = "<img src=x onerror=alert(1)>"


def add_song(folder: Path, track_id: str, number: int, **more: object) -> None:
    """A song of twelve seconds as another process would leave it in the music folder."""
    path = folder / f"{track_id} {HOSTILE.replace('/', '')}.wav"
    seconds = np.arange(12 * 8000) / 8000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 220 * seconds) * (0.2 + np.abs(np.sin(seconds))), 8000)
    sidecar = {
        "schema": 1, "id": track_id, "title": f"{track_id} {HOSTILE}", "file_name": path.name, "seed": 7, "engine": "draft",
        "tags": f"lofi, {HOSTILE}", "lyrics": "[verse]\nRain on <b>the</b> window\n\n[chorus]\nStay a little longer",
        "endpoint": "fal-ai/ace-step", "request": {"tags": "lofi"}, "created_at": f"2026-11-22T00:00:{number:02}.000+00:00",
        "sections": [{"name": "verse 1", "start": 0, "end": 6}, {"name": "chorus 1", "start": 6, "end": 12}],
        "checks": {"lufs": -14.0 - number, "peak_dbfs": -1.0},
        "audio": {"duration": 12.0, "sample_rate": 8000, "channels": 1, "content_type": "audio/wav", "size": path.stat().st_size},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(sidecar | more), encoding="utf-8")


def test_songs_are_found_heard_compared_downloaded_deleted_and_restored_by_keyboard_in_both_themes_at_every_width(
    browser: str, node: str, served: Callable[..., str], environment: dict[str, str]
) -> None:
    music = Path(environment["ACESTEP_MUSIC_DIR"])
    music.mkdir(parents=True)
    add_song(music, "first", 1)
    edit = {"parent": {"id": "first"}, "endpoint": "fal-ai/ace-step/audio-outpaint", "tags": "lofi, extended"}
    add_song(music, "second", 2, **edit)
    add_song(music, "third", 3)
    url = served(ACESTEP_TOKEN=TOKEN).removesuffix("mcp")
    plan = {"url": url, "browser": browser, "token": TOKEN, "picture": os.environ.get("GALLERY_PICTURE")}
    done = subprocess.run(
        [node, HERE / "page_gallery.mjs", json.dumps(plan)], env=environment, capture_output=True, text=True,
        encoding="utf-8", timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert (saw["elsewhere"], saw["broken"]) == ([], [])
    assert "not the server's token" in saw["refused"]
    assert saw["stored"] == "", "a script in the page finds neither the token nor the session"
    assert saw["titles"] == [f"{name} {HOSTILE}" for name in ("third", "second", "first")]
    assert [take.split("\n")[0] for take in saw["takes"]] == ["Original", "This song"]
    assert "Rain on <b>the</b> window" in saw["lyrics"]
    assert saw["markup"] == 0
    assert saw["position"] == "5"
    assert saw["original"].startswith("first")
    assert saw["download"].endswith(".wav")
    assert saw["said"] == f"first {HOSTILE} is in the trash."
    assert len(saw["audits"]) == 11
    for audit in saw["audits"]:
        assert (audit["found"], audit["passed"] > 10) == ([], True), audit["what"]
    assert saw["wide"] == [], "nothing is wider than the window"
    assert "first" not in saw["left"], "after logging out nothing is shown"


def test_an_open_gallery_keeps_its_rows_and_says_what_went_away(
    browser: str, node: str, served: Callable[..., str], environment: dict[str, str]
) -> None:
    music = Path(environment["ACESTEP_MUSIC_DIR"])
    music.mkdir(parents=True)
    for number in range(33):
        add_song(music, f"song{number:02}", number)
    add_song(music, "parent", 40)
    add_song(music, "child", 41, parent={"id": "parent"})
    plan = {"url": served(ACESTEP_TOKEN=TOKEN).removesuffix("mcp"), "browser": browser, "token": TOKEN}
    done = subprocess.run(
        [node, HERE / "page_gallery_changed.mjs", json.dumps(plan)], env=environment, capture_output=True, text=True,
        encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert saw["broken"] == []
    assert saw["rows"] == [30, 35, 35, 34, 0]
    assert saw["unknown"] == "There is no track with the id '%'. Search for the song in the gallery."
    assert saw["gone"].startswith("The file of track child is not in the music folder.")
