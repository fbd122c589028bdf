"""fal's official clients, unmodified, against our engine server in a process of its own."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from tests.support import ray_cluster

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
KEY = "kid:s3cr3t-of-the-engine"
LINES = [f"rendering {number}/3" for number in range(4)]
SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("async", "sync over tls", "async over tls")]
PYTHON = pytest.mark.parametrize("kind", ["sync", *SLOW])

Scene = Callable[..., dict[str, Any]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Five seconds of real sound."""
    path = tmp_path / "song.wav"
    soundfile.write(path, (np.sin(np.arange(40_000) / 7) * 9000).astype(np.int16), 8000)
    return path


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of an empty database in PostgreSQL."""
    pytest.importorskip("psycopg", reason="the extra fronts is not installed")
    from tests.support import postgres

    bin_folder = postgres.programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # Not in pytest's own folder: its parents are closed to other users, and the path of a socket is short.
    with tempfile.TemporaryDirectory(prefix="acestep-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with postgres.running(Path(folder), bin_folder) as server:
            yield server.database("jobs")


MANY = [pytest.param(name, marks=pytest.mark.long) for name in ("on two devices", "at two fronts")]


@pytest.fixture(scope="session", params=["here", pytest.param("on Ray", marks=pytest.mark.slow), *MANY])
def shared_engine(
    request: pytest.FixtureRequest, engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """One engine server that the clients come to, one after the other, and its folder; its engine may be on a cluster,
    or it has two. `test_fal_many.py` is the short form of the last two.
    """
    folder, more = tmp_path_factory.mktemp("fal") / "engine", {}
    if request.param == "on two devices":
        more = {"ACESTEP_TESTS_DEVICES": "2"}
    if request.param == "at two fronts":
        more = {"ACESTEP_TESTS_JOBS": request.getfixturevalue("database")}
    if request.param == "on Ray":
        cluster = request.getfixturevalue("ray_cluster")
        more = {"python": ray_cluster.PYTHON, "ACESTEP_TESTS_RAY_ADDRESS": cluster.address, **cluster.environment}
    with engine(folder, KEY, **more) as url:
        yield url, folder


@pytest.fixture
def saw(request: pytest.FixtureRequest, environment: dict[str, str], shared_engine: tuple[str, Path]) -> Scene:
    """Play one scene with one of the clients, in its own process, and give what it saw."""
    clean = {name: value for name, value in environment.items() if not name.startswith("FAL_")}

    def play(kind: str, scene: str, file: Path | None = None) -> dict[str, Any]:
        kind, _, tls = kind.partition(" over ")
        script = [sys.executable, HERE / "fal_python.py"]
        if kind == "javascript":
            script = [request.getfixturevalue("node"), HERE / "fal_javascript.mjs"]
        told, url = {"NO_PROXY": "127.0.0.1"}, shared_engine[0]
        if tls:
            secure = request.getfixturevalue("secure")
            told, url = secure.environment, secure.url
        plan = {"url": url, "key": KEY, "kind": kind, "scene": scene, "file": str(file)}
        is_one_of_two = request.node.callspec.params["shared_engine"] in ("on two devices", "at two fronts")
        if is_one_of_two and scene == "life":  # which is of jobs that wait for an engine
            with httpx.Client(base_url=shared_engine[0], headers={"Authorization": f"Key {KEY}"}) as http:
                other = http.post("/fal-ai/ace-step", json={"tags": "hold", "duration": 5}).json()["request_id"]
                address = f"{shared_engine[0]}/fal-ai/ace-step/requests/{other}/cancel"
                request.addfinalizer(lambda: httpx.put(address, headers=http.headers))
        done = subprocess.run(
            [*script, json.dumps(plan)], env=clean | told, capture_output=True, text=True, encoding="utf-8",
            timeout=50, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report.pop("strangers") == []
        return report

    return play


def messages(status: dict[str, Any]) -> list[str]:
    return [line["message"] for line in status["logs"] or []]


def check_song(song: dict[str, Any], tags: str | None = None) -> None:
    file = song["audio"]
    assert set(file) >= {"url", "content_type", "file_name", "file_size"}
    assert (file["content_type"], song["lyrics"]) == ("audio/wav", "[inst]")
    assert isinstance(song["seed"], int)
    assert tags in {None, song["tags"]}


def check_grows(updates: list[dict[str, Any]]) -> None:
    """A poll gives the whole log so far: what was there stays, and nothing comes twice."""
    logs = [messages(one) for one in updates if one.get("logs") is not None]
    assert all(later[: len(earlier)] == earlier for earlier, later in itertools.pairwise(logs))
    assert logs[-1] == LINES


@PYTHON
def test_python_sees_a_job_wait_run_and_end_and_a_cancelled_one_end_so(kind: str, saw: Scene) -> None:
    report = saw(kind, "life")
    states = [one["state"] for one in report["events"]]
    assert report["queued"] == [{"state": "Queued", "position": 0}, {"state": "Queued", "position": 1}]
    assert list(dict.fromkeys(states)) == ["Queued", "InProgress", "Completed"]
    assert states == sorted(states, key=["Queued", "InProgress", "Completed"].index)
    check_grows(report["events"])
    last = report["events"][-1]
    assert (last["error"], last["error_type"]) == (None, None)
    assert last["metrics"]["inference_time"] > 0.1
    assert (report["held"]["state"], report["bare"]["logs"]) == ("InProgress", None)
    assert report["rebuilt"] == [True, True, True]
    check_song(report["song"], "slow")
    assert report["same"] == report["song"]
    cancelled = {"status": 499, "type": "client_cancelled", "message": "Request cancelled by the client."}
    assert report["cancelled"] == cancelled | {"text": cancelled["message"]}
    assert (report["cancelled_status"]["state"], report["cancelled_status"]["error_type"]) == (
        "Completed", "client_cancelled",
    )  # fmt: skip


def test_javascript_sees_a_job_wait_run_and_end_and_a_cancelled_one_end_so(saw: Scene) -> None:
    report = saw("javascript", "life")
    ticket, events = report["ticket"], report["events"]
    assert [one["queue_position"] for one in report["queued"]] == [0, 1]
    assert (ticket["status"], ticket["queue_position"], ticket["logs"]) == ("IN_QUEUE", 1, None)
    assert list(dict.fromkeys(one["status"] for one in events)) == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert [one["status"] for one in events].count("COMPLETED") == 1
    assert events[-1]["status"] == "COMPLETED"
    assert [message for one in events if "logs" in one for message in messages(one)] == LINES
    assert messages(report["polled"]) == LINES
    assert (report["held"]["status"], report["bare"]["logs"]) == ("IN_PROGRESS", None)
    early = {
        "name": "ApiError",
        "status": 400,
        "message": "Bad Request",
        "body": {"detail": "Request is still in progress"},
    }
    assert report["early"] == early
    check_song(report["song"]["data"], "slow")
    assert report["song"]["requestId"] == ticket["request_id"]
    cancelled = {"detail": "Request cancelled by the client.", "error_type": "client_cancelled"}
    assert report["cancelled"] == {"name": "ApiError", "status": 499, "message": "", "body": cancelled}


@PYTHON
def test_python_subscribes_runs_and_streams(kind: str, saw: Scene) -> None:
    report = saw(kind, "calls")
    assert len(report["ids"]) == 1
    assert report["updates"][-1]["state"] == "Completed"
    check_grows(report["updates"])
    check_song(report["subscribed"], "slow")
    check_song(report["ran"])
    *states, song = report["streamed"]
    assert {one["status"] for one in states} <= {"IN_QUEUE", "IN_PROGRESS"}
    assert states
    check_song(song, "slow")
    assert (report["subscribed"]["seed"], song["seed"]) == (7, 7)


def test_javascript_subscribes_both_ways_runs_and_streams(saw: Scene) -> None:
    report = saw("javascript", "calls")
    for updates, song, name in zip(
        (report["polled"], report["told"]), (report["subscribed"], report["followed"]), report["ids"], strict=True
    ):
        assert updates[-1]["status"] == "COMPLETED"
        assert {one["request_id"] for one in updates} == {name} == {song["requestId"]}
        check_grows(updates)
        check_song(song["data"], "slow")
    check_song(report["ran"]["data"])
    assert report["ran"]["requestId"]
    assert report["events"][0]["status"] in {"IN_QUEUE", "IN_PROGRESS"}
    assert report["events"][-1] == report["last"]
    check_song(report["last"], "slow")


def check_field(detail: Any, name: str, kind: str, value: int) -> None:
    [entry] = detail
    assert (entry["loc"], entry["type"], entry["input"]) == (["body", name], kind, value)
    assert entry["url"] == f"https://docs.fal.ai/errors/#{kind}"


@PYTHON
def test_python_raises_what_it_raises_at_fal(kind: str, saw: Scene) -> None:
    report = saw(kind, "ends")
    done = report["cancel of a finished job"]
    assert (done["status"], done["message"]) == (400, '{"status":"ALREADY_COMPLETED"}')
    for name in ("bad field", "bad field direct"):
        assert report[name]["status"] == 422
        check_field(report[name]["message"], "duration", "less_than_equal", 9999)
    assert report["late"]["status"] == 422
    check_field(report["late"]["message"], "start_time", "value_error", 9)
    failed = {"status": 500, "message": "The string broke.", "type": "runner_server_error"}
    assert report["failed"] == failed | {"text": "The string broke."}
    status = report["failed status"]
    assert (status["state"], status["error"], status["error_type"]) == (
        "Completed", "The string broke.", "runner_server_error",
    )  # fmt: skip
    unknown = {"status": 404, "message": '{"status":"NOT_FOUND"}', "type": None, "text": '{"status":"NOT_FOUND"}'}
    assert report["unknown"] == [unknown] * 3
    assert (report["no such endpoint"]["status"], report["wrong key"]["status"]) == (404, 401)


def test_javascript_raises_what_it_raises_at_fal(saw: Scene) -> None:
    report = saw("javascript", "ends")
    done = {"name": "ApiError", "status": 400, "message": "Bad Request", "body": {"status": "ALREADY_COMPLETED"}}
    assert report["cancel of a finished job"] == done
    for name in ("bad field", "bad field direct", "bad field subscribed"):
        assert (report[name]["name"], report[name]["status"]) == ("ValidationError", 422)
        check_field(report[name]["body"]["detail"], "duration", "less_than_equal", 9999)
    late, failed = report["refuse"], report["fail"]
    assert late["result"]["name"] == "ValidationError"
    check_field(late["result"]["body"]["detail"], "start_time", "value_error", 9)
    assert (late["last"]["status"], late["last"]["error_type"]) == ("COMPLETED", "value_error")
    broken = {"detail": "The string broke.", "error_type": "runner_server_error"}
    assert (failed["result"]["status"], failed["result"]["body"]) == (500, broken)
    assert (failed["last"]["status"], failed["last"]["error"]) == ("COMPLETED", "The string broke.")
    unknown = {"name": "ApiError", "status": 404, "message": "Not Found", "body": {"status": "NOT_FOUND"}}
    assert report["unknown"] == [unknown] * 3
    assert (report["no such endpoint"]["status"], report["wrong key"]["status"]) == (404, 401)


@PYTHON
def test_python_uploads_bytes_and_files_and_edits_what_it_uploaded(kind: str, saw: Scene, source: Path) -> None:
    report = saw(kind, "uploads", source)
    assert report["same"] == [True, True]
    assert len(set(report["urls"])) == 2
    check_song(report["edited"], "strings")


def test_javascript_uploads_by_itself_and_when_told(saw: Scene, source: Path) -> None:
    report = saw("javascript", "uploads", source)
    assert report["same"] is True
    check_song(report["edited"]["data"], "strings")


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file and its sha256. One client sends whole what is no larger than 90 MiB, the other than 100."""
    path, digest = tmp_path_factory.mktemp("large") / "large.wav", hashlib.sha256()
    with path.open("wb") as file:
        for number in range(101):
            piece = bytes([number]) * 2**20
            digest.update(piece)
            file.write(piece)
    return path, digest.hexdigest()


@pytest.mark.slow
@PYTHON
def test_python_uploads_more_than_100_mib_in_parts(
    kind: str, saw: Scene, shared_engine: tuple[str, Path], secure, large: tuple[Path, str]
) -> None:
    report = saw(kind, "multipart", large[0])
    assert (report["size"], report["sha256"]) == (101 * 2**20, large[1])
    folder = secure.folder if "tls" in kind else shared_engine[1]
    log = (folder / "server.log").read_text(encoding="utf-8")
    name = report["url"].rpartition("/")[2]
    parts = re.findall(rf'PUT /files/{re.escape(name)}/multipart/[\w-]+/(\d+) HTTP/1.1" 200', log)
    assert sorted(map(int, parts)) == list(range(1, 12))


@pytest.mark.slow
def test_javascript_uploads_more_than_90_mib_in_parts(
    saw: Scene, shared_engine: tuple[str, Path], large: tuple[Path, str]
) -> None:
    report = saw("javascript", "multipart", large[0])
    assert (report["size"], report["sha256"]) == (101 * 2**20, large[1])
    log = (shared_engine[1] / "server.log").read_text(encoding="utf-8")
    parts = re.findall(r'PUT /put/([\w-]+)/(\d+) HTTP/1.1" 200', log)
    assert len({secret for secret, _ in parts}) == 1
    assert sorted(int(number) for _, number in parts) == list(range(1, 12))
