"""Many jobs through a proxy that breaks things: each ends with the right song or a clear error, and is made once.

    python bench/network_faults.py client [JOBS] [SHARE]
    python bench/network_faults.py studio [JOBS] [SHARE]

The proxy spoils a SHARE (0.25) of all requests in eleven ways. `client`: the queue client alone, which gives up after 8 s of
faults and asks nobody about a submit without an answer. `studio`: whole jobs, which ask and go on. Prints how the jobs ended
and how often each fault came; raises AssertionError for a song that is wrong, lost or made twice. Run it in the root of a
clone: it uses `tests/`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.client.test_faults import SHORT, bought, check
from tests.support.engine import Tone, behind_a_port
from tests.support.faults import spoiling
from tests.support.requests import request

from acestep_mcp.client import Host

KIND = sys.argv[1] if len(sys.argv) > 1 else "client"
JOBS = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
SHARE = float(sys.argv[3]) if len(sys.argv) > 3 else 0.25
AT_ONCE = 12


async def through_the_client(folder: Path) -> Counter[str]:
    ledger, made, spoilt = await bought(JOBS, SHARE, folder)
    check(ledger, made, JOBS)
    print({name: len(seeds) for name, seeds in vars(ledger).items()})
    return spoilt


async def through_the_studio(folder: Path) -> Counter[str]:
    os.environ.update(ACESTEP_MUSIC_DIR=str(folder / "music"), ACESTEP_DATA_DIR=str(folder / "data"))
    Host.engine.__func__.__kwdefaults__["timeouts"] = SHORT  # a stalled answer would take a minute
    from acestep_mcp.assembly import open_studio
    from acestep_mcp.settings import load

    engine, seeds, ends, songs = Tone(), iter(range(JOBS)), Counter[str](), Counter[int]()
    async with (
        behind_a_port(folder / "queue", engine, max_queue=JOBS) as url,
        spoiling(int(url.rpartition(":")[2]), rate=SHARE, seed=7) as proxy,
        open_studio(load(engine_url=proxy.url)) as studio,
    ):

        async def make() -> None:
            for seed in seeds:
                job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 5, "seed": seed}))
                async for _ in studio.watch(job.id, 600):
                    pass
                outcome = await studio.outcome(job.id)
                ends[str(outcome.job.status)] += 1
                if outcome.track:
                    assert outcome.track.sidecar["seed"] == seed, "another job's song"
                    songs[seed] += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(make)
    assert max(Counter(engine.seeds).values()) == 1, "made twice"
    assert ends["COMPLETED"] == len(songs)
    print(dict(ends))
    return proxy.spoilt


async def main() -> None:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = {"client": through_the_client, "studio": through_the_studio}[KIND]
        spoilt = await run(Path(folder))
    print(f"{time.perf_counter() - began:.0f} s; {spoilt.total()} requests: {dict(spoilt)}")


anyio.run(main)
