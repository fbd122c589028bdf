"""The order of waiting jobs: by priority, by turns between owners, by time of submission."""

from __future__ import annotations

import math
import time
from bisect import bisect_left, insort
from collections.abc import Collection, Iterator
from functools import partial

from acestep_mcp.engine_server.jobs import QueueJob

_Line = list[tuple[int, str, QueueJob]]
"""One owner's jobs of one priority, by their sequence; the ids keep two jobs from being compared."""


class WaitingJobs:
    """Within one priority the owner whose last job began longest ago is next, with its first job.

    With one owner this is the order of submission. A position takes logarithmic time for each owner. Jobs that are set aside
    wait too, but are not next.
    """

    def __init__(self) -> None:
        self._lines: dict[int, dict[str, _Line]] = {}
        self._aside: dict[str, QueueJob] = {}
        self._began: dict[str, int] = {}
        """The number of the last beginning of a job of each owner."""
        self._beginnings = 0
        self._count = 0

    def __len__(self) -> int:
        return len(self._aside) + self._count

    def __iter__(self) -> Iterator[QueueJob]:
        """Those that are not set aside, in no certain order."""
        for lines in self._lines.values():
            for line in lines.values():
                yield from (job for _, _, job in line)

    def add(self, job: QueueJob) -> None:
        self._count += 1
        insort(self._lines.setdefault(job.options.priority, {}).setdefault(job.owner, []), (job.sequence, job.id, job))

    def set_aside(self, job: QueueJob) -> None:
        self.remove(job)
        self._aside[job.id] = job

    def put_back(self, job: QueueJob) -> bool:
        """Add a job that was set aside; False where it was not."""
        if self._aside.pop(job.id, None) is None:
            return False
        self.add(job)
        return True

    def remove(self, job: QueueJob) -> None:
        if self._aside.pop(job.id, None) is None:
            lines = self._lines[job.options.priority]
            line = lines[job.owner]
            self._count -= 1
            del line[bisect_left(line, (job.sequence, job.id))]
            if not line:
                del lines[job.owner]

    def first(self, without: Collection[str] = ()) -> QueueJob | None:
        """The next job of an owner that is not in `without`."""
        for _, lines in sorted(self._lines.items()):
            if owners := [owner for owner in lines if owner not in without]:
                return lines[min(owners, key=partial(self._turn, lines))][0][2]
        return None

    def begin(self, job: QueueJob) -> None:
        """Remove a job because it begins: its owner has had a turn."""
        self.remove(job)
        self._beginnings += 1
        self._began[job.owner] = self._beginnings

    def count(self, owner: str) -> int:
        """The number of this owner's jobs."""
        aside = sum(job.owner == owner for job in self._aside.values())
        return aside + sum(len(lines.get(owner, ())) for lines in self._lines.values())

    def position(self, job: QueueJob) -> int:
        """The number of jobs that are before this one if no other comes. It need not be here itself."""
        priority = job.options.priority
        ahead, lines = 0, self._lines.get(priority, {})
        for other, before in self._lines.items():
            if other < priority:
                ahead += sum(map(len, before.values()))
        line = lines.get(job.owner, [])
        turns = bisect_left(line, (job.sequence, job.id))
        if len(lines) <= bool(line):  # no other owner waits
            return ahead + turns
        own = self._turn(lines, job.owner) if line else (self._began.get(job.owner, 0), job.sequence)
        return (
            ahead
            + turns
            + sum(
                min(len(other), turns + (self._turn(lines, owner) < own))
                for owner, other in lines.items()
                if owner != job.owner
            )
        )

    def late(self) -> list[QueueJob]:
        """Those whose time to start has passed."""
        now = time.time()
        return [job for job in self if _start_by(job) <= now]

    def until_late(self) -> float:
        """Seconds until the next one is late."""
        return min(map(_start_by, self), default=math.inf) - time.time()

    def _turn(self, lines: dict[str, _Line], owner: str) -> tuple[int, int]:
        return self._began.get(owner, 0), lines[owner][0][0]


def _start_by(job: QueueJob) -> float:
    return math.inf if job.options.start_by is None else job.options.start_by
