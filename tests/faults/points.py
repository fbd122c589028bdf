"""Ends a process before and after each disk call of making, deleting and restoring one song, and lets the next one go on.

    python -m tests.faults.points FOLDER [--sample COUNT] [--seed SEED] [--at-once COUNT]

Prints a line of JSON for each kill with problems, and at last one with the totals. Each kill happens in a child that is
forked from this process, which has imported everything: a start would take most of the time. The song comes from a small
engine in place of the draft engine, within the same queue.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio

import acestep_mcp.audio.hearing
import acestep_mcp.audio.measure
import acestep_mcp.audio.tags.file_tags
import acestep_mcp.audio.write
import acestep_mcp.engine_server.app
import acestep_mcp.net.download  # noqa: F401
from acestep_mcp.assembly import open_studio
from acestep_mcp.engines import draft
from acestep_mcp.library.process_folders import claim
from acestep_mcp.settings import Settings
from acestep_mcp.studio.studio import Studio
from tests.faults.checks import NO_SONG, make_old, problems, temporary
from tests.faults.disk_calls import DiskCalls
from tests.support.engine import Tone
from tests.support.requests import request

SONG = {"tags": "lofi", "duration": 5, "seed": 7}
LEASE = 0.3
DAY = 86_400.0


class Quick(Tone):
    name = "draft"

    def __init__(self, **_: Any) -> None:
        super().__init__()


async def make_delete_restore(studio: Studio) -> None:
    job = await studio.start(request("text_to_audio", SONG))
    await ended(studio, job.id)
    await studio.catalogue.delete(job.id)
    await studio.catalogue.restore(job.id)


async def ended(studio: Studio, job_id: str) -> None:
    with anyio.fail_after(60):
        async for _ in studio.watch(job_id, 60):
            pass


async def settle(studio: Studio) -> None:
    """What a later process does: it goes on with open jobs, and looks at the songs."""
    for job in await studio.jobs():
        await ended(studio, job.id)
    await studio.catalogue.page()
    studio.adopt_jobs()


def in_child(work: Callable[[], Any], report: Path | None = None) -> int:
    """Run this in a fork, and return how that ended, as os.waitpid does. Its result goes to `report` as JSON."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            result = work()
            if report is not None:
                report.write_text(json.dumps(result), encoding="utf-8")
            code = 0
        except BaseException:  # noqa: BLE001 - a fork must never return into the caller
            if report is not None:
                report.write_text(json.dumps([traceback.format_exc()]), encoding="utf-8")
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def with_studio(folder: Path, work: Callable[[Studio], Any], *, watched: DiskCalls | None = None) -> None:
    settings = Settings(music_dir=folder / "music", data_dir=folder / "data", backend="draft")

    async def opened() -> None:
        async with open_studio(settings, lease=LEASE) as studio:
            await work(studio)

    if watched:
        watched.watch()
    anyio.run(opened)
    sys.setprofile(None)


def count(folder: Path) -> list[str]:
    """The disk calls of a whole run, by their names."""

    def whole() -> list[str]:
        calls = DiskCalls()
        with_studio(folder / "whole", make_delete_restore, watched=calls)
        return calls.names

    report = folder / "whole.json"
    failed = in_child(whole, report)
    names = list(json.loads(report.read_text(encoding="utf-8")))
    if failed:
        raise SystemExit(f"the whole run failed: {names[0]}")
    return names


def killed_at(folder: Path, moment: tuple[int, str]) -> tuple[bool, list[str]]:
    """(whether the kill happened, what is wrong after the next process)."""
    calls = DiskCalls(moment)
    status = in_child(lambda: with_studio(folder, make_delete_restore, watched=calls))
    report = folder / "report.json"
    in_child(lambda: later(folder), report)
    wrong = json.loads(report.read_text(encoding="utf-8"))
    if not wrong:
        shutil.rmtree(folder)
    return os.WIFSIGNALED(status), wrong


def later(folder: Path) -> list[str]:
    """The next process, then one a day later."""
    music, data = folder / "music", folder / "data"
    with_studio(folder, settle)
    # The second sidecar of an interrupted move is removed once the move cannot go on any more.
    wrong = [what for what in problems(music, data) if not what.endswith(NO_SONG)]
    leftovers = temporary(music, data)
    make_old(list(folder.rglob("*")), 2 * DAY)
    with_studio(folder, settle)  # its own end may interrupt the cleaning, which leaves a file for another day
    wrong += [f"{path} is left for ever" for path in leftovers if path.exists()]
    claim(data / "draft", "later", ())[1]()
    wrong += [f"{path} is left" for path in (data / "draft").iterdir() if path.name != "later"]
    return wrong + problems(music, data)


def moments(calls: int, sample: int | None, seed: int) -> list[tuple[int, str]]:
    every = [(number, when) for when in ("after", "before") for number in range(1, calls + 1)]
    return every if sample is None else sorted(random.Random(seed).sample(every, sample))


def shares(found: list[tuple[int, str]], at_once: int, folder: Path) -> Iterator[Path]:
    """Work through the moments in this many processes; the report of each when all have ended."""
    children = []
    for share in range(at_once):
        report = folder / f"share {share}.json"
        yield report
        child = os.fork()
        if child == 0:
            results = [
                (moment, *killed_at(folder / f"{moment[0]} {moment[1]}", moment)) for moment in found[share::at_once]
            ]
            report.write_text(json.dumps(results), encoding="utf-8")
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=2)
    given = parser.parse_args()
    draft.DraftEngine = Quick  # type: ignore[assignment,misc]
    given.folder.mkdir(parents=True, exist_ok=True)
    names = count(given.folder)
    reports = list(shares(moments(len(names), given.sample, given.seed), given.at_once, given.folder))
    results = [result for report in reports for result in json.loads(report.read_text(encoding="utf-8"))]
    wrong = [result for result in results if result[2]]
    for (number, when), _, found in wrong:
        print(json.dumps({"killed": f"{when} call {number}, {names[number - 1]}", "problems": found}))
    kills = sum(killed for _, killed, _ in results)
    print(json.dumps({"disk calls": len(names), "moments": len(results), "kills": kills, "with problems": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
