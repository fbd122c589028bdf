"""What several keys cost: a queue in memory and, with --postgres, one in PostgreSQL.

    python bench/fair_use.py [--waiting 1000] [--owners 1,10,100] [--postgres]

In processor microseconds, the least of five runs: a submit and a beginning, and the position of each job, with so many jobs
waiting, of one key without a name and of so many with names; and finding the owner of a key among so many. `--postgres` gives
the milliseconds (elapsed, the median) in which a front takes a job, without and with names. It needs Debian's PostgreSQL.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anyio

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from acestep_mcp.api.requests import TextToAudio  # noqa: E402
from acestep_mcp.engine_server.job_queue import JobQueue  # noqa: E402
from acestep_mcp.engine_server.job_store import JobStore  # noqa: E402
from acestep_mcp.engine_server.jobs import QueueJob  # noqa: E402

ENDPOINT = "fal-ai/ace-step"


def named(owners: int) -> list[str]:
    return [""] if owners == 0 else [f"k{number}" for number in range(owners)]


def jobs_of(owners: int, count: int) -> list[QueueJob]:
    names = named(owners)
    found = [QueueJob(ENDPOINT, TextToAudio(tags="x")) for _ in range(count)]
    for number, job in enumerate(found):
        if owners:
            job.owner = names[number % owners]
    return found


def least(work: Callable[[], float]) -> float:
    return min(work() for _ in range(5)) * 1e6


def in_memory(owners: int, waiting: int) -> tuple[float, float]:
    """Microseconds of processor time for a job's submit and beginning, and for a position."""
    given = {} if owners == 0 else {"keys": keys_of(owners)}

    def run() -> tuple[float, float]:
        async def work() -> tuple[float, float]:
            queue = JobQueue(JobStore(None), limit=waiting + 1, **given)
            jobs = jobs_of(owners, waiting)
            began = time.process_time()
            for job in jobs:
                queue.add(job)
            added = time.process_time()
            for job in jobs:
                queue.position(job)
            found = time.process_time()
            for _ in jobs:
                queue.running.pop(await queue.next_job(), None)
            return (time.process_time() - found + added - began) / waiting, (found - added) / waiting

        return anyio.run(work)

    runs = [run() for _ in range(5)]
    return min(each for each, _ in runs) * 1e6, min(each for _, each in runs) * 1e6


def keys_of(owners: int):
    # Not in earlier versions, which this can measure too.
    from acestep_mcp.engine_server.api_keys import ApiKey, ApiKeys

    return ApiKeys([ApiKey(name, secrets.token_bytes(32), max_running=100_000) for name in named(owners)])


def finding(owners: int) -> float:
    keys, given = keys_of(owners), secrets.token_hex(32)

    def work() -> float:
        began = time.process_time()
        for _ in range(1000):
            keys.owner(given)
        return (time.process_time() - began) / 1000

    return least(work)


async def taking(address: str, owners: int, waiting: int) -> float:
    from acestep_mcp.engine_server.shared.database import Postgres
    from acestep_mcp.engine_server.shared.order import Order, TurnOrder
    from acestep_mcp.engine_server.shared.queue import SharedQueue

    database = Postgres(address)
    await database.open()
    order = TurnOrder(keys_of(owners)) if owners else Order()
    queue, took = SharedQueue(database, "front", order, limit=waiting + 1, most_bytes=1 << 30), []
    for job in jobs_of(owners, waiting):
        await queue.add(job)
    for _ in range(200):
        began = time.perf_counter()
        await queue.next_job(lambda _: True)
        took.append(time.perf_counter() - began)
    await database.close()
    return statistics.median(took) * 1e3


def in_postgres(owners: list[int], waiting: int) -> None:
    from tests.support.postgres import programs, running

    folder = Path(tempfile.mkdtemp(prefix="acestep-pg-"))
    folder.chmod(0o755)
    bin_folder = programs()
    if bin_folder is None:
        raise SystemExit("PostgreSQL is not installed.")
    with running(folder, bin_folder) as server:
        for count in (0, *owners):
            milliseconds = anyio.run(taking, server.database(f"owners_{count}"), count, waiting)
            print(f"PostgreSQL, {count or 'no'} names: a job is taken in {milliseconds:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument(
        "--owners", type=lambda text: [int(part) for part in text.split(",") if part], default=[1, 10, 100]
    )
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    for owners in (0, *given.owners):
        job, place = in_memory(owners, given.waiting)
        own = f", the owner of a key {finding(owners):.1f} us" if owners else ""
        print(f"{owners or 'no'} names: a job {job:.0f} us, a position {place:.1f} us{own}")
    if given.postgres:
        in_postgres(given.owners, given.waiting)


if __name__ == "__main__":
    main()
