from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice

import pytest

from acestep_mcp.net.timeouts import Timeouts, retry_after


def test_waits_double_up_to_the_longest_and_spread_by_a_quarter():
    waits = list(islice(Timeouts(first_wait=1, longest_wait=8).waits(), 6))
    for wait, middle in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert 0.75 * middle <= wait <= 1.25 * middle


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("\u00b2", None),
        ("Mon, 01 Jan 2026 00:00:00 +9999999999999999", None),
    ],
)
def test_retry_after_in_seconds(value, seconds):
    assert retry_after(value) == seconds


def test_retry_after_as_a_date():
    later = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < (retry_after(format_datetime(later, usegmt=True)) or 0) <= 30
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
