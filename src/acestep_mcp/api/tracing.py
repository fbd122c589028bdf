"""Spans for OpenTelemetry. Where no program has imported its API none is set up: then this does nothing, and imports nothing."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

Kind = Literal["CLIENT", "SERVER", "PRODUCER", "CONSUMER", "INTERNAL"]

_NAME, _PREFIX = "acestep-mcp", "acestep"
_PARENT, _STATE = "traceparent", "tracestate"
_FORMS = {
    _PARENT: re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    _STATE: re.compile(r"[\x20-\x7e]{1,512}"),
}


@contextmanager
def span(
    name: str, parent: Mapping[str, str] | None = None, kind: Kind = "INTERNAL", **attributes: str | float
) -> Iterator[Callable[[str], None]]:
    """A span around a block, below the span that `parent` hands on, else below the current one.

    What is yielded records a result. Of an error only the type is recorded: messages contain texts of people.
    """
    if not _is_on():
        yield lambda _: None
        return
    from opentelemetry import trace

    tracer = trace.get_tracer(_NAME)
    with tracer.start_as_current_span(
        name,
        _context(parent),
        trace.SpanKind[kind],
        _ours(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield lambda result: current.set_attribute(f"{_PREFIX}.result", result)
        finally:
            if error := sys.exc_info()[0]:
                current.set_attribute("error.type", error.__name__)
                current.set_status(trace.StatusCode.ERROR)


def past_span(name: str, since: float, parent: Mapping[str, str]) -> None:
    """A span from `since`, in seconds since the epoch, until now."""
    if _is_on():
        from opentelemetry import trace

        start = min(int(since * 1e9), time.time_ns())
        trace.get_tracer(_NAME).start_span(name, _context(parent), start_time=start).end()


def handed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The current span as headers for another process, without baggage; where there is none, that of `headers`."""
    found: dict[str, str] = {}
    if _is_on():
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(found)
    if _PARENT in found:
        return found
    return given(headers)


def given(headers: Mapping[str, str]) -> dict[str, str]:
    """The caller's span, where its headers have the form of W3C's Trace Context."""
    found = {name: value for name, form in _FORMS.items() if form.fullmatch(value := headers.get(name, ""))}
    return found if _PARENT in found else {}


def _is_on() -> bool:
    return "opentelemetry.trace" in sys.modules


def _context(parent: Mapping[str, str] | None) -> Any:
    """None stands for the current span."""
    if not parent:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(parent)


def _ours(attributes: Mapping[str, str | float]) -> dict[str, str | float]:
    return {f"{_PREFIX}.{name}": value for name, value in attributes.items()}
