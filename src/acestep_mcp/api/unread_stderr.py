"""A stderr that keeps nobody waiting: a host that starts a server need not read what the server logs.

A full pipe, or a terminal that is held, would otherwise stop the thread that logs, which is often the event loop's.
"""

from __future__ import annotations

import atexit
import io
import os
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_MOST_BYTES = 1 << 20
_DRAIN_SECONDS = 1.0
_RETRY_SECONDS = 0.1


class UnreadStderr(io.TextIOBase):
    """Text for a stream that may stop being read. `write` never waits: a thread writes in its place.

    Beyond 1 MiB that waits, text is left out; `left_out` gives the line that says how many pieces were.
    """

    def __init__(self, stream: Any, left_out: Callable[[int], str], most_bytes: int = _MOST_BYTES) -> None:
        self._stream = stream
        # Not the buffered writer: its lock would be held while a write waits, and the interpreter's end asks for it.
        self._raw = getattr(stream.buffer, "raw", stream.buffer)
        self._left_out = left_out
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._write_on, name="stderr", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(self._stream.encoding)

    @property
    def errors(self) -> str:  # type: ignore[override]
        return str(self._stream.errors)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    def reconfigure(self, **options: Any) -> None:
        self._stream.reconfigure(**options)

    def write(self, text: str) -> int:
        data = text.encode(self.encoding, self.errors)
        with self._changed:
            if self._size + len(data) > self._most_bytes:
                self._lost += 1
                return len(text)
            if self._lost:
                self._add(self._left_out(self._lost).encode(self.encoding, self.errors))
                self._lost = 0
            self._add(data)
        return len(text)

    def flush(self) -> None:
        """Nothing: `drain` waits."""

    def drain(self, seconds: float = _DRAIN_SECONDS) -> bool:
        """Wait until everything is written, at most so long; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    def _add(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        self._changed.notify_all()

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting[0]
            self._write_all(data)
            with self._changed:
                self._size -= len(self._waiting.popleft())
                self._changed.notify_all()

    def _write_all(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                written = self._raw.write(left)
            except (OSError, ValueError):  # closed by the host or by us: nobody can read it
                return
            if written is None:  # the pipe is full, and its other end made it non-blocking
                time.sleep(_RETRY_SECONDS)
            else:
                left = left[written:]


def install(left_out: Callable[[int], str]) -> None:
    """Replace `sys.stderr`, unless it is a file, which is never full of unread text, or no stream of the system."""
    stream = sys.stderr
    if stream is None or isinstance(stream, UnreadStderr) or _is_file(stream):
        return
    sys.stderr = UnreadStderr(stream, left_out)
    atexit.register(_give_back, stream)


def drain() -> None:
    """Before the process ends without the interpreter's help: wait at most a second for stderr to be read."""
    if isinstance(sys.stderr, UnreadStderr):
        sys.stderr.drain()
    elif sys.stderr is not None:
        sys.stderr.flush()


def _give_back(stream: Any) -> None:
    """The thread ends with the interpreter; what is written later goes to the stream itself, if that can be written."""
    if isinstance(sys.stderr, UnreadStderr) and sys.stderr.drain():
        sys.stderr = stream


def _is_file(stream: Any) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode) or not hasattr(stream, "buffer")
    except (OSError, ValueError):  # `io.UnsupportedOperation`, or closed
        return True
