"""How many replicas are wanted, and which weights they are started with. Nothing is started here."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from acestep_mcp.engines.fleet.fleet import Bounds, Fleet
from acestep_mcp.engines.processes.device_spec import DeviceSpec
from tests.support.engine import Tone


def fleet(bounds: Bounds, weights: Path | None = None) -> Fleet:
    def build(found: str | None) -> DeviceSpec:
        return DeviceSpec("test", "none:none", {"weights": found})

    return Fleet(None, Tone(), build, bounds, resources={}, weights=str(weights) if weights else None)


def wanted(replicas: Fleet) -> list[int]:
    return [number for number, engine in enumerate(replicas.engines) if engine.is_wanted]


@pytest.mark.parametrize(("waiting", "playing", "count"), [(0, 0, 2), (1, 0, 2), (2, 1, 3), (0, 4, 4), (900, 4, 5)])
def test_there_is_a_replica_for_each_job_within_bounds(waiting, playing, count) -> None:
    replicas = fleet(Bounds(2, 5))
    replicas.scale(waiting, playing)
    assert len(wanted(replicas)) == count


def test_replicas_are_given_up_only_after_a_quiet_time_and_those_that_play_last() -> None:
    replicas = fleet(Bounds(1, 4, quiet=0.05))
    replicas.scale(4, 0)
    replicas.engines[0].is_playing = replicas.engines[2].is_playing = True
    replicas.scale(0, 2)
    assert wanted(replicas) == [0, 1, 2, 3]
    time.sleep(0.06)
    replicas.scale(0, 2)
    assert wanted(replicas) == [0, 2]
    replicas.scale(2, 2)
    assert wanted(replicas) == [0, 1, 2, 3]


def test_replicas_are_started_with_the_folder_that_the_link_leads_to_now(tmp_path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "weights"
    link.symlink_to("old")
    replicas = fleet(Bounds(), link)
    link.unlink()
    replicas.scale(0, 0)
    assert replicas.spec.given["weights"] == str((tmp_path / "old").resolve())
    link.symlink_to("new")
    replicas.scale(0, 0)
    assert replicas.spec.given["weights"] == str((tmp_path / "new").resolve())


def test_a_replica_that_is_not_wanted_takes_no_job() -> None:
    replicas = fleet(Bounds(1, 2))
    assert replicas.engines[1].is_ready() is False


class Child:
    """What a fleet starts, in place of a process on a cluster. It is ready at once."""

    pid = 1

    def __init__(self) -> None:
        self.is_ended = False
        self._messages = [{"placed": {"node": "here", "pid": 1}}, {"ready": True}]

    def receive(self, seconds: float) -> dict | None:
        return self._messages.pop(0) if self._messages else None

    def end(self) -> None:
        self.is_ended = True


def started(monkeypatch: pytest.MonkeyPatch, replicas: Fleet) -> list[Child]:
    """Start what is wanted; gives all that have been started, also later."""
    children: list[Child] = []

    def launch(_fleet: Fleet, _log: object) -> Child:
        children.append(Child())
        return children[-1]

    monkeypatch.setattr(Fleet, "launch", launch)
    polled(replicas)
    return children


def polled(replicas: Fleet) -> None:
    """What the workers do between two songs, until nothing changes."""
    for _ in range(2):
        for engine in replicas.engines:
            engine.is_ready()


def test_a_replica_that_is_not_wanted_ends_after_its_song(monkeypatch) -> None:
    replicas = fleet(Bounds(1, 1))
    [child] = started(monkeypatch, replicas)
    [engine] = replicas.engines
    engine.is_playing, engine.is_wanted = True, False
    polled(replicas)
    assert not child.is_ended
    engine.is_playing = False
    polled(replicas)
    assert child.is_ended


def test_replicas_take_new_weights_one_at_a_time(monkeypatch, tmp_path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "weights"
    link.symlink_to("old")
    replicas = fleet(Bounds(3, 3), link)
    children = started(monkeypatch, replicas)
    link.unlink()
    link.symlink_to("new")
    ended = []
    for _ in range(4):
        replicas.scale(0, 0)
        polled(replicas)
        ended.append(sum(child.is_ended for child in children))
    assert ended == [1, 2, 3, 3]
    assert len(children) == 6
