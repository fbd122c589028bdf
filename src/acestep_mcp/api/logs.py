"""Logging to stderr, as text or as one JSON object a line, with the ids of what a line concerns."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from acestep_mcp.api import unread_stderr
from acestep_mcp.api.redaction import redaction

Form = Literal["text", "json"]

IDS = ("job_id", "request_id", "call_id")
"""The job of this package, the request at its queue, and the request of an MCP client."""

logger = logging.getLogger("acestep_mcp")

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 6
_LONGEST_ID = 100
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ADDRESS = re.compile(r"(?i)\b(https?://)([^\s/?#@\"'<>\\]*@)?([^\s?\"'<>\\]*)(\?[^\s\"'<>]*)?")
_concerned: ContextVar[Mapping[str, str]] = ContextVar("concerned", default={})  # noqa: B039 - never changed in place


@contextmanager
def concerning(**ids: object) -> Iterator[None]:
    """Every line that is logged inside, also in threads and tasks that start there, has these ids. None adds nothing."""
    token = _concerned.set(_with(ids))
    try:
        yield
    finally:
        _concerned.reset(token)


def concern(**ids: object) -> None:
    """As `concerning`, for the rest of the task or of the surrounding `concerning`."""
    _concerned.set(_with(ids))


def _with(ids: Mapping[str, object]) -> dict[str, str]:
    return {**_concerned.get(), **{name: str(value)[:_LONGEST_ID] for name, value in ids.items() if value is not None}}


def configure(level: str, form: Form = "text", secrets: Collection[str] = (), *, serves: bool = True) -> None:
    """Log to stderr, unless logging is already set up; uncaught exceptions and warnings become lines too.

    No line contains one of the secrets. Where the program `serves`, no line waits for a reader.
    """
    if level != "DEBUG":
        logging.getLogger("httpx").setLevel("WARNING")  # it logs every poll
    if logging.getLogger().handlers:
        return
    lines = LogLine(form, secrets)
    if serves:
        unread_stderr.install(lines.left_out)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    logging.basicConfig(level=level, handlers=[handler])
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda found: _log_uncaught(found.exc_type, found.exc_value, found.exc_traceback)
    sys.unraisablehook = lambda found: _log_uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def is_json() -> bool:
    """Whether every line on stderr has to be a JSON object."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    return any(isinstance(formatter, LogLine) and formatter.is_json for formatter in formatters)


class LogLine(logging.Formatter):
    """One line for each record. Control characters are escaped: a host's text cannot look like another line."""

    def __init__(self, form: Form, secrets: Collection[str] = ()) -> None:
        super().__init__(_TEXT)
        self.is_json = form == "json"
        self._hide_keys = redaction(*secrets, instead=_HIDDEN, shortest=_SHORTEST_SECRET)

    def _redact(self, text: str) -> str:
        return _ADDRESS.sub(_without_secrets, self._hide_keys(text))

    def format(self, record: logging.LogRecord) -> str:
        if self.is_json:
            return json.dumps(self._facts(record), ensure_ascii=False)
        return _escaped(self._redact(super().format(record)), keep="\n\t")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """Only the message: the lines of a traceback stay lines."""
        record.message = _escaped(record.message)
        return super().formatMessage(record)

    def left_out(self, count: int) -> str:
        """The line that stands where so many others are missing."""
        message = "%d lines were left out here: nobody read stderr for a while"
        record = logging.LogRecord(logger.name, logging.WARNING, __file__, 0, message, (count,), None)
        return self.format(record) + "\n"

    def _facts(self, record: logging.LogRecord) -> dict[str, Any]:
        time = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        facts = {"time": time, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        known = _concerned.get()
        facts |= {name: str(found) for name in IDS if (found := getattr(record, name, None) or known.get(name))}
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return {name: _escaped(self._redact(value), keep="\n") for name, value in facts.items()}


def _without_secrets(address: re.Match[str]) -> str:
    """An address as log lines have it: who may use it is often said in its query, or before its host."""
    scheme, user, place, query = address.groups()
    return f"{scheme}{f'{_HIDDEN}@' if user else ''}{place}{f'?{_HIDDEN}' if query else ''}"


def _escaped(text: str, keep: str = "") -> str:
    return _CONTROLS.sub(lambda found: found[0] if found[0] in keep else f"\\u{ord(found[0]):04x}", text)


def _log_uncaught(kind: Any, error: Any, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger.critical("uncaught %s", kind.__name__, exc_info=(kind, error, trace))
