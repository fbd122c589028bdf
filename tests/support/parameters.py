"""Parameters of which a few run in a shorter suite and all in a longer one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(values: Iterable[Any], count: int, others: pytest.MarkDecorator = pytest.mark.slow) -> list[Any]:
    """The values, evenly spaced `count` of them unmarked and the others marked slow, or as told."""
    every = list(values)
    kept = {round(number * (len(every) - 1) / max(1, count - 1)) for number in range(count)}
    return [
        value if number in kept else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=others)
        for number, value in enumerate(every)
    ]
