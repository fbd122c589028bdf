"""Timeouts for other machines, and the pauses between retries."""

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
    """To connect to one address of a host."""
    answer: float = 60
    """For one complete small response."""
    submit: float = 120
    """For the response to a submit: after giving up it is unknown whether the job was accepted."""
    silence: float = 60
    """Between two reads of a stream or file."""
    slowest: float = 2048
    """Bytes per second that each `silence` seconds of a file must bring on average."""
    transfer: float = 3600
    """For one complete file."""
    outage: float = 300
    """For which reads are retried while their host fails."""
    first_wait: float = 0.5
    longest_wait: float = 15
    longest_retry_after: float = 60
    """If a host asks for a longer pause than this, there is no retry."""

    def waits(self) -> Iterator[float]:
        """Endless pauses between retries: doubling, capped, with a jitter of a quarter."""
        wait = self.first_wait
        while True:
            yield wait * random.uniform(0.75, 1.25)
            wait = min(wait * 2, self.longest_wait)


DEFAULT_TIMEOUTS = Timeouts()


def retry_after(value: str | None) -> float | None:
    """The seconds a Retry-After header asks for (a number or an HTTP date), or None when it says nothing usable."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        when = parsedate_to_datetime(value)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser raises for odd dates
        return None
