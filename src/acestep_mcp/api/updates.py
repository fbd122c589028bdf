"""The status updates of a request: Queued | InProgress | Completed."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEP = re.compile(r"(?<![\d/.])(\d{1,5})\s*/\s*(\d{1,5})(?![\d/.])")


@dataclass(frozen=True, slots=True)
class Log:
    """One log line of the engine. `timestamp` is ISO 8601, as the host gave it."""

    message: str
    level: str = "INFO"
    timestamp: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting; `position` requests are ahead (0 = next)."""

    position: int


@dataclass(frozen=True, slots=True)
class InProgress:
    """Running; `logs` holds only new lines."""

    logs: tuple[Log, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """Ended, successfully unless `error` is set; the full answer is at the result address."""

    logs: tuple[Log, ...] = ()
    error: str | None = None
    error_type: str | None = None
    inference_time: float | None = None


Update = Queued | InProgress | Completed


def step_in(message: str) -> tuple[int, int] | None:
    """`n` and `m` of a log line with `n/m`, such as `denoising 3/27`; None without a pair 0 <= n <= m, m > 0."""
    found = _STEP.search(message)
    if not found:
        return None
    step, total = int(found[1]), int(found[2])
    return (step, total) if total > 0 and step <= total else None
