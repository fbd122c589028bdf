"""Idle, slow and rude callers hold nobody up and leave nothing behind. `python -m bench.load` has the long forms."""

from __future__ import annotations

import sys

import pytest
from bench import load

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")]


def test_a_host_that_never_reads_is_not_read_from_and_gets_every_answer_when_it_does(tmp_path):
    found = load.unread(tmp_path, 500)
    assert found["taken before it stopped reading"] < 400
    assert found["answered when read"] == 300
    assert found["stalled"]["mib"] < found["before"]["mib"] + 60


@pytest.mark.slow
def test_idle_sessions_keep_nobody_waiting_and_dropped_ones_hold_no_descriptor(tmp_path):
    found = load.sessions(tmp_path, 40, rounds=1)
    assert found["idle 1"]["answer_seconds"] < 5
    assert found["dropped 1"]["descriptors"] <= found["before"]["descriptors"] + 2
    assert found["dropped 1"]["threads"] <= found["before"]["threads"] + 1


@pytest.mark.slow
def test_streams_that_are_opened_and_dropped_hold_no_descriptor(tmp_path):
    found = load.streams(tmp_path, 60, at_once=20)
    for server in ("engine", "serve"):
        assert found[server]["after"]["descriptors"] <= found[server]["before"]["descriptors"] + 3, found
