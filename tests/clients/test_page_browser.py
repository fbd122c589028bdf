"""The engine's page in a real browser, against a real engine process that plays drafts."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.endpoints import ENDPOINTS

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.xdist_group("browser")]

HERE = Path(__file__).parent
KEY = "sesame-7f3a9c"


@pytest.fixture
def visit(browser: str, node: str, served: Callable[..., str], environment: dict[str, str], tmp_path: Path):
    """Run one scene at an engine of its own and give what was seen; no page ever breaks or asks another host."""

    def run(scene: str, *options: str, key: str | None = None, at: int = 0, **more: object) -> dict:
        command = (sys.executable, "-m", "acestep_mcp", "engine", "--port", str(at), *options)
        told = served(*command, **({"ACESTEP_ENGINE_KEY": key} if key else {})).removesuffix("mcp")
        url = f"http://127.0.0.1:{at}/" if at else told
        plan = {"scene": scene, "url": url, "browser": browser, "key": key, **more}
        done = subprocess.run(
            [node, HERE / "page_browser.mjs", json.dumps(plan)], env=environment, capture_output=True, text=True,
            encoding="utf-8", timeout=55, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        saw = json.loads(done.stdout)
        assert (saw["elsewhere"], saw["broken"]) == ([], [])
        for result in saw["audits"]:
            assert (result["found"], result["wide"]) == ([], False), result["what"]
            assert result["passed"] > 15, "axe-core looked at the page"
        return saw

    return run


@pytest.fixture
def song(tmp_path: Path) -> str:
    """A file of four seconds to be edited."""
    path = tmp_path / "four seconds.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(4 * 44100) / 20), 44100)
    return str(path)


def test_a_song_is_followed_played_downloaded_and_found_again_after_a_reload(visit):
    saw = visit("song")
    states = [state for state, _, _ in saw["seen"]]
    assert states[0] == "waiting"
    assert states.index("running") < states.index("done")
    places = [place for state, stage, place in saw["seen"] if (state, stage) == ("running", "Rendering")]
    assert places == sorted(places)
    assert len(set(places)) > 2
    assert saw["audio"]["seconds"] == pytest.approx(30, abs=0.1)
    assert "sketch" in saw["text"]
    assert "seed " in saw["text"]
    assert "<img src=x onerror=alert(1)>" in saw["text"]
    assert "Rain on the window" in saw["lyrics"], "the engine leaves HTML out of lyrics"
    assert saw["images"] == 0
    assert saw["download"].endswith(".wav")
    assert saw["said"].endswith(" is done.")
    assert saw["sketch"]
    assert saw["again"]["src"] == saw["audio"]["src"]
    assert "/files/" not in saw["kept"]


def test_a_song_is_made_and_played_without_a_mouse_and_axe_core_finds_nothing_serious(visit):
    saw = visit("keyboard")
    assert saw["pressed"][0] == "Make the song"
    assert saw["pressed"][-1] == "Cancel"
    assert float(saw["position"]) > 0
    assert saw["way"] != ENDPOINTS[0].id
    themes = {what.split(", ")[1] for what in (result["what"] for result in saw["audits"])}
    assert themes == {"light", "dark"}
    assert len(saw["audits"]) == 6 + len(ENDPOINTS)


def test_what_is_wrong_stands_at_its_field_and_the_forms_are_the_published_ones(visit):
    saw = visit("fields")
    assert saw["tags"] == {"invalid": "true", "focused": True, "error": "Is required."}
    assert saw["duration"]["invalid"] == "true"
    assert "5" in saw["duration"]["error"]
    assert [problem["error"] for problem in saw["mended"]] == ["", ""]
    assert [problem["invalid"] for problem in saw["mended"]] == [None, None]
    assert saw["steps"]["focused"]
    assert "60" in saw["steps"]["error"]
    assert saw["songs"] == 0
    assert [(way["id"], way["title"]) for way in saw["ways"]] == [(one.id, one.title) for one in ENDPOINTS]
    for way, endpoint in zip(saw["ways"], ENDPOINTS, strict=True):
        assert set(way["fields"]) == set(endpoint.request.model_fields) - {"audio_url"}
        assert way["labels"] == [], "a field without a label"


def test_songs_wait_in_line_and_are_cancelled_where_they_stand(visit):
    saw = visit("cancel")
    assert all("Cancelled." in text for text in saw["texts"])
    assert saw["settings"] == ["second", "240"]


def test_a_file_is_sent_and_edited_and_a_result_is_edited_again(visit, song):
    saw = visit("edits", file=song)
    assert saw["inpainted"]["seconds"] == pytest.approx(4, abs=0.1)
    assert saw["extended"]["seconds"] == pytest.approx(8, abs=0.1)
    assert saw["original"] == "strings, longer"
    assert "Audio" in saw["failed"]


def test_an_engine_with_a_key_shows_nothing_without_it_and_the_key_is_kept_only_as_asked(visit):
    saw = visit("key", key=KEY)
    assert saw["hidden"]
    assert saw["refused"].startswith("Wrong key.")
    assert saw["audio"]["seconds"] == pytest.approx(6, abs=0.1)
    assert KEY not in saw["audio"]["src"]
    assert KEY not in "".join(saw["stored"]["local"])
    assert KEY in "".join(saw["stored"]["session"])
    assert "private piano" not in saw["other"]
    assert KEY in "".join(saw["remembered"])
    assert KEY not in "".join(saw["forgotten"])


def test_a_broken_stream_is_polled_a_lost_submit_is_not_repeated_and_silence_is_said(visit):
    saw = visit("trouble")
    assert saw["polled"]["seconds"] == pytest.approx(6, abs=0.1)
    assert "may or may not have received this" in saw["unknown"]
    assert saw["songs"] == 1
    assert saw["away"] == "No answer"
    assert saw["back"]
    assert saw["asked"] == 2, "a connection that stayed silent was given up"


def test_the_page_works_below_a_path_and_past_the_proxy(visit, song):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, at = one.getsockname()[1], other.getsockname()[1]
    saw = visit("prefix", "--public-url", f"http://127.0.0.1:{port}/music", at=at, file=song, port=port)
    through, past = (audio["src"] for audio in saw["audio"])
    assert through.startswith(f"http://127.0.0.1:{port}/music/files/")
    assert past.startswith(f"http://127.0.0.1:{at}/files/")
