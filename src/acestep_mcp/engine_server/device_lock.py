"""One engine a device: a lock that every process and every user of this machine sees."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError, Occupied

_LONGEST = 500
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]{1,200}")


@contextmanager
def device_lock(device: str | None, *, folder: Path | None = None) -> Iterator[Callable[[str], None]]:
    """Hold a device while the block lasts, or until this process ends in any way; `None` needs no lock.

    Gives a function that writes down the address at which the device's engine answers, for whoever is refused.
    Raises Occupied, with that address, when another engine has the device; ConfigurationError when the lock's file is
    not one that may be trusted.
    """
    if device is None:
        yield lambda _: None
        return
    from filelock import lock_descriptor

    path = (folder or _shared_folder()) / f"acestep-mcp-{re.sub(r'[^A-Za-z0-9-]', '-', device)}.lock"
    with _opened(path) as file:
        if not lock_descriptor(file, blocking=False):
            raise Occupied(_refusal(device, _read_holder(file)))
        _write_holder(file, "")
        yield lambda address: _write_holder(file, address)


def _shared_folder() -> Path:
    """A folder that is the same for everybody: on macOS the usual one is each user's own."""
    if sys.platform == "win32":
        import platformdirs

        return platformdirs.site_data_path()
    return Path("/tmp")  # noqa: S108 - opened with the care that such a folder needs


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The lock's file. In a folder that all may write to, it must be neither a link nor a second name of a file."""
    try:
        file = _open(path)
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise _unusable(path, "it is no file of its own")
        yield file
    finally:
        os.close(file)


def _open(path: Path) -> int:
    # Where the system knows no such flag it has no such trap either.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        # Somebody else's file in such a folder may be opened, but not with the wish to create it.
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(path, flags)
    if hasattr(os, "fchmod"):
        os.fchmod(file, 0o666)  # whatever our umask: the next user locks the same file
    return file


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The lock of the device, {path}, cannot be used: {why}. If no other user's engine runs there, remove that file."
    )


def _write_holder(file: int, address: str) -> None:
    """The first byte stays free: it is what Windows locks, against reading too."""
    os.lseek(file, 1, os.SEEK_SET)
    os.write(file, json.dumps({"pid": os.getpid(), "address": address}).encode())
    os.ftruncate(file, os.lseek(file, 0, os.SEEK_CUR))


def _read_holder(file: int) -> dict[str, Any]:
    """What the holder wrote. Anybody could have: only what looks right is repeated."""
    try:
        os.lseek(file, 1, os.SEEK_SET)
        holder = json.loads(os.read(file, _LONGEST))
        pid, address = holder["pid"], holder["address"]
        return {"pid": int(pid), "address": address if _ADDRESS.fullmatch(address) else ""}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _refusal(device: str, holder: dict[str, Any]) -> str:
    who = f"the engine with process id {holder['pid']}" if holder else "another engine"
    address = holder.get("address")
    if not address:
        return f"The device {device} is taken by {who}, which is only starting. Try again in a minute, or stop it."
    return (
        f"The device {device} is taken by {who}, which answers at {address}. Use that one "
        f"(ACESTEP_ENGINE_URL={address}), or stop it and start again."
    )
