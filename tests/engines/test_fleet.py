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
