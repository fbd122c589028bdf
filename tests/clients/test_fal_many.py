"""fal's official clients against two devices behind one queue, and against two servers on one queue in PostgreSQL.

Every scene of `test_fal_clients.py` is played with both by `pytest -m long tests/clients/test_fal_clients.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.clients.test_fal_clients import HERE, KEY, LINES, check_grows, check_song, database, messages

__all__ = ["database"]

pytestmark = pytest.mark.process


def check_logs(updates, where):
    """A front that does not run a job hears of new lines a moment later: a poll there may have fewer than one elsewhere."""
    if where == "devices":
        return check_grows(updates)
    logs = [messages(one) for one in updates if one.get("logs") is not None]
    assert all(log == LINES[: len(log)] for log in logs)
    assert logs[-1] == LINES


PYTHON = pytest.mark.parametrize(
    ("where", "kinds"),
    [
        ("devices", ("sync",)),
        ("fronts", ("async",)),
        *(pytest.param(where, ("sync", "async"), marks=pytest.mark.long) for where in ("devices", "fronts")),
    ],
)


@PYTHON
def test_clients_of_both_languages_subscribe_run_and_stream_at_once(
    where, kinds, request, environment, tmp_path, engine, node
):
    more = {"ACESTEP_TESTS_DEVICES": "2"}
    if where == "fronts":
        more = {"ACESTEP_TESTS_JOBS": request.getfixturevalue("database")}
    scripts = dict.fromkeys(kinds, (sys.executable, HERE / "fal_python.py"))
    scripts["javascript"] = (node, HERE / "fal_javascript.mjs")
    clean = {name: value for name, value in environment.items() if not name.startswith("FAL_")}
    with engine(tmp_path / "engine", KEY, **more) as url:
        started = {}
        for kind, script in scripts.items():
            plan = {"url": url, "key": KEY, "kind": kind, "scene": "calls", "file": None}
            started[kind] = subprocess.Popen(
                [*script, json.dumps(plan)], env=clean | {"NO_PROXY": "127.0.0.1"}, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, encoding="utf-8",
            )  # fmt: skip
        said = {kind: process.communicate(timeout=50) for kind, process in started.items()}
    assert {kind: process.returncode for kind, process in started.items()} == dict.fromkeys(started, 0), said
    reports = {kind: json.loads(out) for kind, (out, _) in said.items()}
    assert [report["strangers"] for report in reports.values()] == [[]] * len(scripts)
    for kind in kinds:
        report = reports[kind]
        assert report["updates"][-1]["state"] == "Completed"
        check_logs(report["updates"], where)
        for song in (report["subscribed"], report["streamed"][-1]):
            check_song(song, "slow")
        check_song(report["ran"])
    for updates, song in (("polled", "subscribed"), ("told", "followed")):
        check_logs(reports["javascript"][updates], where)
        check_song(reports["javascript"][song]["data"], "slow")
    check_song(reports["javascript"]["ran"]["data"])
    check_song(reports["javascript"]["last"], "slow")
