"""Faults of disks, databases and clocks, at length. Needs root for the small disks; without it those kinds are left out.

    python bench/disk_faults.py [--trials 50] [--faults KINDS] [--damages 500] [--together 5] [--seconds 30] [--parts 1,2,3,4]

1. Each call that writes while a song is made fails, with six errors, once and until the fault ends.
2. One song is made at a time while a disk fills up, turns read-only, or is away; while the database is deleted or locked; while
   the clock jumps by ten years; and while no file can be opened. Moments and lengths are drawn from seeds.
3. A database is damaged at random and opened.
4. Two servers (stdio and HTTP) and the command line make songs in one library while another process locks its database for
   `--seconds`, and while its disk is full. "slowest_read" is the slowest answer of a call that only reads, in seconds.

Prints a JSON object for each part. "broken" lists each promise that was broken: a song that is lost, torn or made twice, an
error that is not from `api/errors.py`, a process that does not recover after the fault.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.faults import together
from tests.faults.disk import ERRORS, run_points
from tests.faults.places import FAULTS, damage, prepare, small_disk

NEED_A_DISK = ("full", "read-only")


def tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def calls() -> None:
    tried, told, broken = 0, 0, []
    for error in ERRORS:
        for times in (1, 100_000):
            _, trials = run_points([], (error,), (times,))
            tried += len(trials)
            told += sum(bool(trial.errors) for trial in trials)
            broken += [[error, trial.point, *trial.broken] for trial in trials if trial.broken]
    tell(part="failing calls", tried=tried, with_an_error=told, broken=broken)


def places(kind: str, trials: int) -> None:
    broken, done = [], 0
    for seed in range(trials):
        with tempfile.TemporaryDirectory() as above, ExitStack() as stack:
            folder = Path(above) / "disk"
            folder.mkdir()
            if kind in NEED_A_DISK:
                try:
                    stack.enter_context(small_disk(folder))
                except (OSError, subprocess.CalledProcessError) as exc:
                    return tell(part=kind, tried=0, why=f"no disk can be mounted here: {exc}")
            broken += [[seed, found] for found in anyio.run(trial_of, kind, folder, seed)]
            done += 1
    return tell(part=kind, tried=done, broken=broken)


async def trial_of(kind: str, folder: Path, seed: int) -> list[str]:
    from tests.faults.places import trial

    return await trial(kind, folder, seed)


def damages(count: int) -> None:
    broken, kept = [], []
    for seed in range(count):
        with tempfile.TemporaryDirectory() as folder:
            found, jobs = damage(Path(folder), seed)
            broken += [[seed, text] for text in found]
            kept.append(jobs)
    share = round(sum(kept) / (40 * count), 3)
    tell(part="damaged databases", tried=count, jobs_kept=share, none_kept=kept.count(0), broken=broken)


def servers(kind: str, count: int, seconds: float) -> None:
    trials = []
    for seed in range(count):
        try:
            trials.append(together.trial(kind, seconds, 15, seed))
        except (OSError, subprocess.CalledProcessError) as exc:
            return tell(part=f"servers, {kind}", tried=0, why=f"no disk can be mounted here: {exc}")
    return tell(
        part=f"servers, {kind}",
        tried=count,
        songs=sum(trial["songs"] for trial in trials),
        slowest_read=max(trial["slowest_read"] for trial in trials),
        broken=[[trial["seed"], *trial["broken"]] for trial in trials if trial["broken"]],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50, help="Of each kind in part 2.")
    parser.add_argument("--faults", default=",".join(FAULTS), help="Those of part 2.")
    parser.add_argument("--damages", type=int, default=500)
    parser.add_argument("--together", type=int, default=5, help="Trials of each kind in part 4.")
    parser.add_argument("--seconds", type=float, default=30, help="How long the faults of part 4 last.")
    parser.add_argument("--kinds", default=",".join(together.KINDS), help="Those of part 4.")
    parser.add_argument("--parts", default="1,2,3,4")
    given = parser.parse_args()
    parts = given.parts.split(",")
    if "1" in parts:
        calls()
    prepare()
    for kind in given.faults.split(",") if "2" in parts else ():
        places(kind, given.trials)
    if "3" in parts:
        damages(given.damages)
    for kind in given.kinds.split(",") if "4" in parts else ():
        servers(kind, given.together, given.seconds)


if __name__ == "__main__":
    main()
