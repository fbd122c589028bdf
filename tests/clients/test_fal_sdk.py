"""The queue client of the `fal` package, unmodified, against our engine server, over TLS and by the environment alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

HERE = Path(__file__).parent
LINES = [f"rendering {number}/3" for number in range(4)]

pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def saw(sdk: str, secure, environment_in, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All that the client saw, in a process of its own."""
    clean = {n: v for n, v in environment_in(tmp_path_factory.mktemp("sdk")).items() if not n.startswith("FAL_")}
    clean["PYTHONPATH"] = str(ROOT)  # our helpers, and nothing of this environment
    done = subprocess.run(
        [sdk, str(HERE / "fal_sdk.py")], env=clean | secure.environment | {"FAL_KEY": secure.key},
        capture_output=True, text=True, encoding="utf-8", timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def messages(status: dict[str, Any]) -> list[str]:
    return [line["message"] for line in status["logs"]]


def is_song(song: dict[str, Any], tags: str) -> bool:
    return song["audio"]["content_type"] == "audio/wav" and (song["tags"], song["lyrics"]) == (tags, "[inst]")


def test_the_sdk_talks_to_nobody_else(saw: dict[str, Any]) -> None:
    assert saw["strangers"] == []


def test_the_sdk_sees_a_job_wait_run_and_end_and_a_cancelled_one_end_so(saw: dict[str, Any]) -> None:
    told = saw["life"]
    assert told["queued"] == [{"state": "Queued", "position": 0}, {"state": "Queued", "position": 1}]
    assert (told["held"]["state"], told["bare"]) == ("InProgress", {"state": "InProgress", "logs": None})
    assert (told["early"]["status"], told["early"]["body"]) == (400, {"detail": "Request is still in progress"})
    states = [one["state"] for one in told["events"]]
    assert states == sorted(states, key=["Queued", "InProgress"].index)
    for running in (one for one in told["events"] if one["state"] == "InProgress"):
        assert messages(running) == LINES[: len(running["logs"])]
    assert (told["last"]["state"], messages(told["last"]), told["last"]["error"]) == ("Completed", LINES, None)
    assert is_song(told["song"], "slow")
    assert told["same"] == told["song"]
    assert told["cancelled"]["status"] == 499
    assert "Request cancelled by the client." in told["cancelled"]["text"]
    assert told["cancelled_status"]["error_type"] == "client_cancelled"


def test_the_sdk_runs_and_streams(saw: dict[str, Any]) -> None:
    told = saw["calls"]
    assert is_song(told["ran"], "lofi")
    assert told["by path"]["audio"]["url"].startswith("https://127.0.0.1:")
    *states, song = told["streamed"]
    assert {one["status"] for one in states} <= {"IN_QUEUE", "IN_PROGRESS"}
    assert states
    assert is_song(song, "slow")
    assert is_song(told["direct"], "lofi")


def test_the_sdk_raises_what_it_raises_at_fal(saw: dict[str, Any]) -> None:
    told = saw["ends"]
    assert told["cancel of a finished job"]["status"] == 400
    assert told["cancel of a finished job"]["body"] == {"status": "ALREADY_COMPLETED"}
    for name, field in (("bad field", "duration"), ("late", "start_time")):
        [entry] = told[name]["body"]["detail"]
        assert (told[name]["status"], entry["loc"]) == (422, ["body", field])
    assert told["failed"]["status"] == 500
    assert "The string broke." in told["failed"]["text"]
    status = told["failed status"]
    assert (status["state"], status["error"], status["error_type"]) == (
        "Completed", "The string broke.", "runner_server_error",
    )  # fmt: skip
    assert [(one["status"], one["body"]) for one in told["unknown"]] == [(404, {"status": "NOT_FOUND"})] * 3
    assert (told["no such endpoint"]["status"], told["wrong key"]["status"]) == (404, 401)
