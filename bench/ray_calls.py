"""Jobs on replicas of Ray: how long a replica idles between two, as plain actors and as a Serve deployment.

    python bench/ray_calls.py actors|serve [--replicas 4] [--jobs 40] [--seconds 1]
    python bench/ray_calls.py results [--megabytes 1,20,100,200]

Starts a cluster of its own on this machine and ends it. Each puller sends its next job when the last has ended, one puller a
replica. A job yields a step every 50 ms. `idle` is the time between the last step of a job and the first of the next on the
same replica; `first` is the time from the call to its first step at the caller. `results` gives the milliseconds from the yield of so many megabytes of
samples to the array at the caller.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time

os.environ["RAY_AUTH_MODE"] = "token"

import numpy as np
import ray


class Replica:
    def __init__(self) -> None:
        self.ended = None

    async def play(self, seconds: float):
        idle = time.time() - self.ended if self.ended else None
        end = time.time() + seconds
        yield {"idle": idle}
        while (left := end - time.time()) > 0:
            await asyncio.sleep(min(left, 0.05))
            yield {"step": 1}
        self.ended = time.time()


async def pull(call, jobs: list[int], seconds: float, seen: dict[str, list[float]]) -> None:
    while jobs:
        jobs.pop()
        began = time.time()
        first = None
        async for message in call(seconds):
            first = first or time.time() - began
            if message.get("idle") is not None:
                seen["idle"].append(message["idle"])
        seen["first"].append(first)


def actors(count: int):
    kind = ray.remote(num_cpus=1)(Replica)
    replicas = [kind.remote() for _ in range(count)]

    def calling(replica):
        async def call(seconds: float):
            async for ref in replica.play.options(num_returns="streaming").remote(seconds):
                yield await ref

        return call

    return [calling(replica) for replica in replicas]


def serve(count: int):
    from ray import serve

    deployed = serve.deployment(Replica, num_replicas=count, max_ongoing_requests=1, ray_actor_options={"num_cpus": 1})
    handle = serve.run(deployed.bind()).options(method_name="play", stream=True)
    return [handle.remote] * count


def results(sizes: list[int]) -> dict[str, float]:
    """The worse of two for each size, after one that is not counted."""

    class Maker:
        async def make(self, size: int):
            samples = np.ones(size * 250_000, "<i4")
            yield time.time()
            yield samples

    maker, found = ray.remote(num_cpus=1)(Maker).remote(), {}
    for size in [sizes[0], *sizes]:
        took = []
        for _ in range(2):
            moment, samples = map(ray.get, maker.make.options(num_returns="streaming").remote(size))
            took.append(round(1000 * (time.time() - moment), 1))
            assert samples[-1] == 1
            del samples
        found[f"{size} MB"] = max(took)
    return found


async def measure(calls, given: argparse.Namespace) -> dict:
    jobs, seen = list(range(given.jobs)), {"idle": [], "first": []}
    await asyncio.gather(*(pull(call, [0], 0.1, {"idle": [], "first": []}) for call in calls))
    began = time.monotonic()
    await asyncio.gather(*(pull(call, jobs, given.seconds, seen) for call in calls))
    took = time.monotonic() - began
    row = {
        name: {"median": round(1000 * statistics.median(all_), 1), "worst": round(1000 * max(all_), 1)}
        for name, all_ in seen.items()
    }
    return {**row, "seconds": round(took, 2), "times one replica": round(given.jobs * given.seconds / took, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("actors", "serve", "results"))
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--megabytes", default="1,20,100,200")
    given = parser.parse_args()
    ray.init(num_cpus=given.replicas + 2, object_store_memory=250_000_000, include_dashboard=False, log_to_driver=False)
    try:
        if given.what == "results":
            print(json.dumps({"ms": results(list(map(int, given.megabytes.split(",")))), "load": os.getloadavg()[0]}))
            return
        calls = {"actors": actors, "serve": serve}[given.what](given.replicas)
        row = asyncio.run(measure(calls, given))
        print(json.dumps({"what": given.what, **row, "load": round(os.getloadavg()[0], 1)}))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
