"""Disks that fill up, turn read-only or disappear, a database that another program locks, and a clock that jumps.

    python bench/disk_faults.py

runs them many times. Each trial makes one song while the fault begins at a random moment, ends the fault, and looks at what
is there then.
"""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.assembly import open_studio
from acestep_mcp.engine_server import worker
from acestep_mcp.engines import draft
from acestep_mcp.library import database
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.settings import Settings
from acestep_mcp.studio import run, studio, submitter
from tests.engine_server.sine import Sine
from tests.faults.checks import problems
from tests.support.requests import request

REAL_TIME = time.time
TEN_YEARS = 10 * 365.25 * 86_400


class Fault:
    """One kind of fault below a folder; `begin` and `end` may be called at any moment."""

    def __init__(self, folder: Path, chosen: random.Random) -> None:
        self.folder, self.chosen = folder, chosen

    def begin(self) -> None: ...

    def end(self) -> None: ...


class Full(Fault):
    """A small real disk with 0 to 600 KiB left; a song of 5 s takes 80 KiB, the database 60 KiB."""

    def begin(self) -> None:
        free = self.chosen.choice([0, 4, 16, 60, 100, 150, 300, 600]) * 1024
        with (self.folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        left = (self.folder / "ballast").stat().st_size - free
        with contextlib.suppress(OSError), (self.folder / "ballast").open("r+b") as file:
            file.truncate(max(0, left))

    def end(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


class ReadOnly(Fault):
    def begin(self) -> None:
        # Files that are open for writing keep a disk from it; a bind mount does not ask.
        subprocess.run(["mount", "-o", "remount,ro,bind", str(self.folder)], check=False, capture_output=True)

    def end(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw,bind", str(self.folder)], check=False, capture_output=True)


class Away(Fault):
    """The music folder, the data folder or both are moved away and come back."""

    def begin(self) -> None:
        self.moved = self.chosen.choice([("music",), ("data",), ("music", "data")])
        for name in self.moved:
            with contextlib.suppress(OSError):
                (self.folder / name).rename(self.folder / f"{name}.away")

    def end(self) -> None:
        for name in self.moved:
            away, there = self.folder / f"{name}.away", self.folder / name
            if away.is_dir():
                for path in there.glob("*") if there.is_dir() and name == "music" else ():  # started meanwhile
                    path.rename(away / path.name)
                shutil.rmtree(there, ignore_errors=True)
                away.rename(there)


class Deleted(Fault):
    """The database is deleted for good."""

    def begin(self) -> None:
        for path in (self.folder / "data").glob("acestep.sqlite3*"):
            path.unlink()


class Locked(Fault):
    """Another program holds the lock of the database; `studio` waits for less here."""

    _other: sqlite3.Connection | None = None

    def begin(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._other = sqlite3.connect(self.folder / "data" / "acestep.sqlite3", isolation_level=None, timeout=5)
            self._other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        if self._other:
            self._other.close()
            self._other = None


class Clock(Fault):
    """It jumps by ten years, in either direction, and back."""

    def begin(self) -> None:
        jump = self.chosen.choice([-TEN_YEARS, TEN_YEARS])
        time.time = lambda: REAL_TIME() + jump

    def end(self) -> None:
        time.time = REAL_TIME


class TooManyFiles(Fault):
    """This process may open no further file, nor SQLite a file of its own."""

    def begin(self) -> None:
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + self.chosen.choice([1, 2, 4]), self.limits[1]))

    def end(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)


FAULTS: dict[str, type[Fault]] = {
    "full": Full, "read-only": ReadOnly, "away": Away, "deleted": Deleted, "locked": Locked, "clock": Clock,
    "files": TooManyFiles,
}  # fmt: skip


def prepare(lock_seconds: float = 0.3) -> None:
    """A fast engine, and short pauses."""
    draft.DraftEngine = lambda **_: Sine()  # type: ignore[misc,assignment]
    run.FIRST_PAUSE = submitter.RECORD_PAUSE = 0.05
    worker.RETRY_SECONDS = 0.1
    database._LOCK_SECONDS = lock_seconds


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "3m") -> Iterator[None]:
    """A disk of its own at this folder. Raises CalledProcessError where mounting is not allowed, OSError without `mount`."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


async def trial(kind: str, folder: Path, seed: int) -> list[str]:
    """A sentence for each promise that was broken. `folder` is on a disk of its own where the fault needs one."""
    chosen = random.Random(seed)
    fault = FAULTS[kind](folder, chosen)
    settings = Settings(music_dir=folder / "music", data_dir=folder / "data", backend="draft")
    broken: list[str] = []
    try:
        with anyio.fail_after(90):
            async with open_studio(settings) as opened:
                earlier = await _song(opened, 1)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_disturb, fault, chosen.uniform(0, 0.3), chosen.uniform(0.05, 0.8))
                    await _told(opened, broken)
                await _song(opened, 3)  # this server lives
            async with open_studio(settings) as opened:
                for job in await opened.jobs(20):
                    async for _ in opened.watch(job.id, 30):
                        pass
                names = {track.id for track in (await opened.catalogue.page(limit=50)).tracks}
                ended = {job.id: job for job in await opened.jobs(20)}
                broken += [
                    f"{job.id} is {job.status}: {job.error}" for job in ended.values() if job.status != "COMPLETED"
                ]
                broken += [f"the song of {job} is not listed" for job in ended if job not in names]
                broken += ["the first song is gone"] if earlier not in names else []
    except TimeoutError:
        broken.append("it hung")
    except Exception as exc:  # noqa: BLE001 - what the process would end with
        broken.append(f"{type(exc).__name__}: {exc}")
    finally:
        fault.end()
    return broken + problems(folder / "music", folder / "data")


async def _disturb(fault: Fault, after: float, seconds: float) -> None:
    await anyio.sleep(after)
    fault.begin()
    await anyio.sleep(seconds)
    fault.end()


async def _told(opened: studio.Studio, broken: list[str]) -> None:
    """What a caller does and reads meanwhile: errors are ours, and no bug."""
    for _ in range(6):
        try:
            job = await opened.start(request("text_to_audio", {"tags": "second", "duration": 5}))
            async for _ in opened.watch(job.id, 0.2):
                pass
            await opened.delivered(job.id)
            found = (await opened.outcome(job.id)).job
            if found.error and "bug in acestep-mcp" in found.error.message:
                broken.append(found.error.message)
            await opened.catalogue.page()
        except AceStepError as exc:
            if "bug in acestep-mcp" in exc.message:
                broken.append(exc.message)
        await anyio.sleep(0.05)


async def _song(opened: studio.Studio, seed: int) -> str:
    job = await opened.start(request("text_to_audio", {"tags": f"song {seed}", "duration": 5}))
    async for _ in opened.watch(job.id, 40):
        pass
    outcome = await opened.outcome(job.id)
    if outcome.track is None:
        raise RuntimeError(f"song {seed} was not made: {outcome.job.error}")
    await opened.delivered(job.id)
    return outcome.track.id


def damage(folder: Path, seed: int, jobs: int = 40) -> tuple[list[str], int]:
    """Damage a database of so many jobs at random and open it: broken promises, and how many jobs were kept."""
    chosen, path = random.Random(seed), folder / "acestep.sqlite3"
    with closing(Database(path)) as opened:
        for number in range(jobs):
            asked = request("text_to_audio", {"tags": f"lofi {number}", "lyrics": "la " * 400})
            Jobs(opened).add(studio.Job(f"job-{number}", "fal-ai/ace-step", asked, "NEW", "draft", 1.0))
    content = bytearray(path.read_bytes())
    for _ in range(chosen.choice([1, 1, 3, 10])):
        at, length = chosen.randrange(len(content)), chosen.choice([1, 16, 512, 4096, 20_000])
        content[at : at + length] = chosen.randbytes(min(length, len(content) - at))
    path.write_bytes(content[: chosen.choice([len(content)] * 3 + [chosen.randrange(len(content))])])
    broken: list[str] = []
    kept: set[str] = set()
    for attempt in range(4):
        try:
            with closing(Database(path)) as opened:
                kept = {job.id for job in Jobs(opened).newest(1000)}
                with opened.writing() as db:
                    db.execute("DELETE FROM uploads")
            break
        except AceStepError as exc:
            if attempt == 3:
                broken.append(f"it stays unusable: {exc.message}")
        except Exception as exc:  # noqa: BLE001 - what the process would end with
            broken.append(f"{type(exc).__name__}: {exc}")
            break
    return broken, len(kept & {f"job-{number}" for number in range(jobs)})
