"""Makes the kernel refuse to lock files, as some network folders do.

    python -m tests.support.refused_locks ERROR COMMAND ...

is `acestep-mcp COMMAND ...` in a process whose locks are refused with this error (ENOLCK, EOPNOTSUPP). Linux only.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from typing import Any

_NUMBERS = {"x86_64": (73, 72), "aarch64": (32, 25)}
"""flock and fcntl of each kind of machine, from Linux's tables of system calls."""
_SET_LOCK = (6, 7, 37, 38)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def can_refuse() -> bool:
    """Whether this machine has such filters, and may set them."""
    if not sys.platform.startswith("linux") or platform.machine() not in _NUMBERS:
        return False
    try:
        in_thread("ENOLCK", lambda: None)
    except BrokenExecutor:
        return False
    return True


def refuse(error: str) -> None:
    """From now on, in this thread, the threads and the processes that it starts; for good."""
    flock, fcntl = _NUMBERS[platform.machine()]
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 0),  # the number of the call
        (_EQUAL, len(_SET_LOCK) + 3, 0, flock),
        (_EQUAL, 0, len(_SET_LOCK) + 1, fcntl),
        (_LOAD, 0, 0, 24),  # its second argument
        *((_EQUAL, len(_SET_LOCK) - number, 0, command) for number, command in enumerate(_SET_LOCK)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | getattr(errno, error)),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(steps), code)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter can be set here")


def in_thread(error: str, function: Callable[[], Any]) -> Any:
    """What `function` returns or raises in a thread whose locks are refused."""
    with ThreadPoolExecutor(1, initializer=refuse, initargs=(error,)) as thread:
        return thread.submit(function).result()


if __name__ == "__main__":
    refuse(sys.argv.pop(1))
    from acestep_mcp.cli import main

    sys.exit(main())
