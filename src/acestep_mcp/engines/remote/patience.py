"""How long a server that makes songs is waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """All in seconds. `first` and `longest` are pauses between two looks at a job.

    A server that nobody reaches may come back within `outage`; one that is reached and does not answer is busy with a
    model, and has `busy`. A job has `job` in all: the server's queue may be long.
    """

    first: float = 0.25
    longest: float = 2.0
    outage: float = 300.0
    busy: float = 3600.0
    job: float = 24 * 3600.0


PATIENCE = Patience()


class Outage:
    """How long the server has not answered, and how many of its answers in a row were `odd`."""

    def __init__(self) -> None:
        self.odd = 0
        self._since: float | None = None

    @property
    def was_away(self) -> bool:
        return self._since is not None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since if self._since is not None else 0.0

    def begin(self) -> None:
        self._since = self._since if self._since is not None else time.monotonic()
