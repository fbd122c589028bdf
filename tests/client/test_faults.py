"""Many jobs through a proxy that breaks things: each ends with the right song or a clear error, and is bought once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import AceStepError, QueueError, SubmissionUnknown
from acestep_mcp.api.updates import Completed, InProgress
from acestep_mcp.client import Host, QueueClient
from acestep_mcp.net.timeouts import Timeouts
from tests.support.engine import Tone, behind_a_port, pcm_of
from tests.support.faults import FAULTS, spoiling

pytestmark = pytest.mark.anyio

ENDPOINT = "fal-ai/ace-step"
SHORT = Timeouts(
    connect=2, answer=0.5, submit=0.5, silence=0.5, transfer=5, outage=8, first_wait=0.02, longest_wait=0.2
)


@dataclass
class Ledger:
    right: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)


async def buy(client: QueueClient, seed: int, folder: Path, ledger: Ledger) -> None:
    part = folder / f"{seed}.part"
    try:
        handle = await client.submit(ENDPOINT, {"tags": "lofi", "duration": 5, "seed": seed})
    except SubmissionUnknown:
        ledger.unknown.append(seed)
        return
    except QueueError as exc:
        assert exc.status in (429, None), exc.message
        ledger.refused.append(seed)
        return
    try:
        updates = [update async for update in client.follow(ENDPOINT, handle)]
        song = await client.result(ENDPOINT, handle)
        await client.download(song.audio.url, part, size=song.audio.file_size)
    except AceStepError as exc:
        assert "ry again" in exc.message, exc.message
        ledger.given_up.append(exc.message)
        return
    logs = [log for u in updates if isinstance(u, InProgress | Completed) for log in u.logs]
    pcm, _ = soundfile.read(part, dtype="int32", always_2d=True)
    if song.seed != seed or not np.array_equal(pcm, pcm_of(seed)) or len(set(logs)) != len(logs):
        ledger.wrong.append(seed)
    ledger.right.append(seed)


async def bought(jobs: int, rate: float, folder: Path, at_once: int = 16) -> tuple[Ledger, Counter[int], Counter[str]]:
    engine, ledger = Tone(), Ledger()
    seeds = iter(range(jobs))
    async with (
        behind_a_port(folder / "q", engine, key=(key := "kid:a-long-secret"), max_queue=jobs) as url,
        spoiling(int(url.rpartition(":")[2]), rate=rate, seed=7) as proxy,
        QueueClient(Host.engine(proxy.url, key, timeouts=SHORT)) as client,
    ):

        async def buyer() -> None:
            for seed in seeds:
                await buy(client, seed, folder, ledger)

        async with anyio.create_task_group() as group:
            for _ in range(at_once):
                group.start_soon(buyer)
    return ledger, Counter(engine.seeds), proxy.spoilt


def check(ledger: Ledger, made: Counter[int], jobs: int) -> None:
    assert ledger.wrong == []
    assert len(ledger.right) + len(ledger.unknown) + len(ledger.refused) + len(ledger.given_up) == jobs
    assert len(ledger.given_up) <= jobs / 100, ledger.given_up
    assert {seed: times for seed, times in made.items() if times > 1} == {}, "bought twice"
    assert all(made[seed] == 1 for seed in ledger.right)
    assert all(made[seed] == 0 for seed in ledger.refused)


@pytest.mark.slow
async def test_no_fault_of_the_wire_buys_a_song_twice_or_spoils_one(tmp_path: Path):
    with anyio.fail_after(50):
        ledger, made, spoilt = await bought(24, 0.25, tmp_path)
    check(ledger, made, 24)
    assert set(FAULTS) <= set(spoilt)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_each_fault_happens_many_times_and_none_costs_a_song(tmp_path: Path):
    """`bench/network_faults.py` runs any number of jobs."""
    ledger, made, spoilt = await bought(150, 0.25, tmp_path)
    check(ledger, made, 150)
    assert min(spoilt[fault] for fault in FAULTS) > 5
