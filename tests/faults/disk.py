"""A disk that fails: each call that writes fails in turn, once or until the fault ends, while one song is made.

    python -m tests.faults.disk [--errors ENOSPC,EIO] [--times 1,100000] [--step 1]

Prints one JSON object: how many points there are, how many were tried, and each that broke a promise. After every fault the
same process makes the song: with a clear error meanwhile, one song at the end, and no file left over.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import errno
import functools
import io
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from acestep_mcp.api.errors import AceStepError, StorageError
from acestep_mcp.assembly import open_studio
from acestep_mcp.engine_server import worker
from acestep_mcp.engines import draft
from acestep_mcp.settings import Settings
from acestep_mcp.studio import run, studio, submitter
from tests.engine_server.sine import Sine
from tests.support.requests import request

ERRORS = ("ENOSPC", "EIO", "EROFS", "EMFILE", "EDQUOT", "EACCES")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_NAMES = ("mkdir", "replace", "rename", "link", "fsync", "unlink", "remove", "rmdir", "truncate", "chmod")


@dataclass
class FailingDisk:
    """Wraps the calls of Python that write below a folder, and fails them from number `first` on, `times` times."""

    folder: str
    first: int = 10**9
    times: int = 1
    code: int = errno.ENOSPC
    calls: list[str] = field(default_factory=list)
    failed: int = 0
    point: str = ""

    def meet(self, name: str, path: Any) -> None:
        """Count a call, and raise if it is to fail."""
        self.calls.append(f"{name} {path}")
        if self.first <= len(self.calls) < self.first + self.times:
            self.failed += 1
            self.point = self.point or self.calls[-1]
            raise OSError(self.code, os.strerror(self.code), str(path))

    def mend(self) -> None:
        self.first = 10**9

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name in _NAMES:
                self._wrap(stack, os, name, lambda *_, **__: True)
            self._wrap(stack, os, "open", lambda _, flags=0, *__, **___: bool(flags & _WRITING))
            writes = lambda _, mode="r", *__, **___: isinstance(mode, str) and bool(set(mode) & set("wax+"))  # noqa: E731
            self._wrap(stack, builtins, "open", writes)
            self._wrap(stack, io, "open", writes)
            yield

    def _wrap(self, stack: contextlib.ExitStack, owner: Any, name: str, writes: Callable[..., bool]) -> None:
        real = getattr(owner, name)

        @functools.wraps(real)
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            shown = self._place(path)
            if shown.startswith(self.folder) and writes(path, *arguments, **options):
                self.meet(name, shown)
            return real(path, *arguments, **options)

        setattr(owner, name, call)
        stack.callback(setattr, owner, name, real)

    @staticmethod
    def _place(path: Any) -> str:
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                return os.readlink(f"/proc/self/fd/{path}")
            return ""
        return os.fsdecode(path)


@dataclass(frozen=True)
class Trial:
    """What one fault did: the errors that were told, and each promise that it broke."""

    point: str
    errors: tuple[str, ...]
    broken: tuple[str, ...]


async def song_despite(disk: FailingDisk, folder: Path) -> Trial:
    """Make one song while the disk fails, and again after it is mended."""
    settings = Settings(music_dir=folder / "music", data_dir=folder / "data", backend="draft")
    told: list[str] = []
    broken: list[str] = []
    job_id = None
    for attempt in (1, 2, 3):
        try:
            async with open_studio(settings) as opened:
                job_id = await _attempt(opened, job_id, told, disk)
                if job_id is not None:
                    break
        except AceStepError as exc:
            told.append(exc.message)
        except Exception as exc:  # noqa: BLE001 - what the process would end with
            broken.append(
                f"{type(exc).__name__}: {exc} at {[frame.name for frame in traceback.extract_tb(exc.__traceback__)][-6:]}"
            )
        disk.mend()
        if attempt == 3:
            broken.append("no song after the fault ended")
    broken += [f"unclear: {message}" for message in told if disk.failed and not _is_clear(message)]
    broken += _left_behind(folder)
    return Trial(disk.point, tuple(told), tuple(broken))


async def _attempt(opened: studio.Studio, job_id: str | None, told: list[str], disk: FailingDisk) -> str | None:
    """The id of the job once it is COMPLETED; None when it could not be made yet."""
    try:
        if job_id is None:
            job_id = (await opened.start(request("text_to_audio", {"tags": "lofi", "duration": 5}))).id
        for _ in range(2):  # the second time without the fault
            with anyio.fail_after(60):
                async for progress in opened.watch(job_id, 50):
                    if "waiting for the disk" in progress.stage:
                        told.append(progress.stage)
                        disk.mend()
                    if disk.failed and disk.times > 1 and job_id not in opened._runs:
                        break
            outcome = await opened.outcome(job_id)
            if outcome.job.status == "COMPLETED":
                return job_id
            told += [outcome.job.error.message] if outcome.job.error else []
            disk.mend()
    except StorageError as exc:
        told.append(exc.message)
    return None


def _is_clear(message: str) -> bool:
    """It names what happened and what to do, and is no mistake of ours."""
    return "bug in acestep-mcp" not in message and any(
        words in message
        for words in ("Free some space", "Check the disk", "Make it writable", "Allow access", "space and permissions",
                      "or set ACESTEP", "waiting for the disk", "raise the limit (ulimit -n)")
    )  # fmt: skip


def _left_behind(folder: Path) -> list[str]:
    music = folder / "music"
    songs = sorted(path.name for path in music.glob("[!.]*")) if music.is_dir() else []
    found = [] if len(songs) == 2 else [f"not one song and its sidecar: {songs}"]
    for path in music.glob("*.json"):
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        if sidecar["audio"]["size"] != (music / sidecar["file_name"]).stat().st_size:
            found.append(f"torn: {path.name}")
    return found


def run_points(points: list[int], errors: tuple[str, ...], times: tuple[int, ...]) -> tuple[int, list[Trial]]:
    """The number of points of an undisturbed song, and a trial for each of `points`, with an error and a length in turn."""
    draft.DraftEngine = lambda **_: Sine()  # type: ignore[misc,assignment] - a fast one
    run.FIRST_PAUSE = submitter.RECORD_PAUSE = 0.05
    worker.RETRY_SECONDS = 0.1
    studio._HEARTBEAT_SECONDS = 0.2
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        disk = FailingDisk(folder)
        with disk.installed():
            anyio.run(song_despite, disk, Path(folder))
        count = len(disk.calls)
    trials = []
    for number, point in enumerate(point for point in points or range(1, count + 1)):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            code = getattr(errno, errors[number % len(errors)])
            disk = FailingDisk(folder, point, times[number % len(times)], code)
            with disk.installed():
                trials.append(anyio.run(song_despite, disk, Path(folder)))
    return count, trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", default=",".join(ERRORS))
    parser.add_argument("--step", type=int, default=1, help="Try every n-th point only.")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--most", type=int, default=10**6, help="The last point to try.")
    parser.add_argument("--times", default="1,100000", help="How many calls in a row fail; in turn.")
    given = parser.parse_args()
    times = tuple(int(number) for number in given.times.split(","))
    count, _ = run_points([0], ("EIO",), (1,))
    points = [*range(given.first, min(given.most, count) + 1, given.step)]
    _, trials = run_points(points, tuple(given.errors.split(",")), times)
    broken = [trial for trial in trials if trial.broken]
    report = {"points": count, "tried": len(trials), "told": sum(bool(trial.errors) for trial in trials),
              "broken": [[trial.point, trial.errors, trial.broken] for trial in broken]}  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
