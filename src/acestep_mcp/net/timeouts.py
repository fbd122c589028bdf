"""How long we wait for other machines, and how we space repeated questions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds."""

    connect: float = 10
    """To reach one address of a host."""
    answer: float = 60
    """For one whole small answer."""
    submit: float = 120
    """For the answer to a submit: giving up earlier leaves a job of unknown fate."""
    silence: float = 60
    """Without one byte of a stream or file."""
    transfer: float = 3600
    """For one whole file."""
    outage: float = 300
    """That reads are repeated while their host fails."""
    first_wait: float = 0.5
    longest_wait: float = 15
    longest_retry_after: float = 60
    """A host that asks for a longer pause than this is not waited for."""

    def waits(self) -> Iterator[float]:
        """Pauses between repeated questions, without end: doubling, capped, spread by a quarter."""
        wait = self.first_wait
        while True:
            yield wait * random.uniform(0.75, 1.25)
            wait = min(wait * 2, self.longest_wait)


DEFAULT_TIMEOUTS = Timeouts()


def retry_after(value: str | None) -> float | None:
    """The seconds a Retry-After header asks for (a number or an HTTP date), or None when it says nothing usable."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
