"""Counts the disk calls of this process, and ends it with SIGKILL before or after one of them."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_SYSTEM = frozenset({
    "open", "write", "fsync", "ftruncate", "replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir", "utime",
})  # fmt: skip
_DATABASE = frozenset({"execute", "executemany", "__exit__", "close", "backup"})
_FILE = frozenset({"write", "truncate", "flush", "close"})


class DiskCalls:
    """Every call that opens, writes, names or removes a file, and every statement of SQLite, in the order of their begin.

    `kill_at` is (number, "before" or "after"); the first call has the number 1.
    """

    def __init__(self, kill_at: tuple[int, str] | None = None) -> None:
        self.names: list[str] = []
        self._kill_at = kill_at
        self._lock = threading.Lock()
        self._open = threading.local()

    def watch(self) -> None:
        """From now on, in this thread and in those that start later."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, _: FrameType, event: str, function: Any) -> None:
        if event not in ("c_call", "c_return", "c_exception") or not _is_disk_call(function):
            return
        numbers = self._open.__dict__.setdefault("numbers", [])
        if event == "c_call":
            with self._lock:
                self.names.append(function.__qualname__)
                numbers.append(len(self.names))
            self._end_if((numbers[-1], "before"))
        elif numbers:
            self._end_if((numbers.pop(), "after"))

    def _end_if(self, moment: tuple[int, str]) -> None:
        if moment == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _is_disk_call(function: Callable[..., Any]) -> bool:
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if name in _SYSTEM and getattr(owner, "__name__", "") in ("posix", "nt", "_io"):
        return True
    if name in _DATABASE and isinstance(owner, sqlite3.Connection | sqlite3.Cursor):
        return True
    is_file = name in _FILE and isinstance(owner, io.BufferedWriter | io.BufferedRandom | io.FileIO)
    return is_file and not isinstance(getattr(owner, "name", 0), int)  # a pipe has only a number
