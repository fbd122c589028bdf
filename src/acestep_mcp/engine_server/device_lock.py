"""One engine per device: a lock that all processes and users of this machine share."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError, Occupied

logger = logging.getLogger(__name__)

_LONGEST = 500
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]{1,200}")


@contextmanager
def device_lock(device: str | None, *, folder: Path | None = None) -> Iterator[Callable[[str], None]]:
    """Lock a device while the block lasts, or until this process ends in any way; `None` needs no lock.

    Where the file system refuses locks, a warning says so, and there is none. Yields a function that records the address at which the device's engine answers, for the error of other processes.
    Raises Occupied, with that address, when another engine uses the device; ConfigurationError when the lock file
    cannot be trusted.
    """
    if device is None:
        yield lambda _: None
        return
    from filelock import lock_descriptor

    path = (folder or _shared_folder()) / f"acestep-mcp-{re.sub(r'[^A-Za-z0-9-]', '-', device)}.lock"
    with _opened(path) as file:
        try:
            is_free = lock_descriptor(file, blocking=False)
        except OSError as exc:
            logger.warning(
                "The device %s cannot be locked: the file system of %s refuses locks (%s). Start no second engine on it.",
                device, path, exc.strerror,
            )  # fmt: skip
            is_free = True
        if not is_free:
            raise Occupied(_refusal(device, _read_holder(file)))
        _write_holder(file, "")
        yield lambda address: _write_holder(file, address)


def _shared_folder() -> Path:
    """A folder that all users share: on macOS the usual temporary folder is per user."""
    if sys.platform == "win32":
        import platformdirs

        return platformdirs.site_data_path()
    return Path("/tmp")  # noqa: S108 - opened with the care that such a folder needs


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The lock file. In a folder that everyone can write to, it must be neither a symbolic link nor a hard link."""
    try:
        file = _open(path)
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise _unusable(path, "it is a link or not a regular file")
        yield file
    finally:
        os.close(file)


def _open(path: Path) -> int:
    # A system without one of these flags does not have the problem either.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        # Another user's file in such a folder can be opened, but not with O_CREAT.
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(path, flags)
    if hasattr(os, "fchmod"):
        os.fchmod(file, 0o666)  # despite our umask: the next user locks the same file
    return file


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The lock of the device, {path}, cannot be used: {why}. If no other engine uses the device, remove that file."
    )


def _write_holder(file: int, address: str) -> None:
    """The first byte stays free: Windows locks it, against reading too."""
    os.lseek(file, 1, os.SEEK_SET)
    os.write(file, json.dumps({"pid": os.getpid(), "address": address}).encode())
    os.ftruncate(file, os.lseek(file, 0, os.SEEK_CUR))


def _read_holder(file: int) -> dict[str, Any]:
    """What the holder wrote. Anyone could have written it: only a valid process id and address are used."""
    try:
        os.lseek(file, 1, os.SEEK_SET)
        holder = json.loads(os.read(file, _LONGEST))
        pid, address = holder["pid"], holder["address"]
        return {"pid": int(pid), "address": address if _ADDRESS.fullmatch(address) else ""}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _refusal(device: str, holder: dict[str, Any]) -> str:
    who = f"the engine with process id {holder['pid']}" if holder else "another engine"
    address = holder.get("address")
    if not address:
        return f"The device {device} is used by {who}, which is still starting. Try again in a minute, or stop it."
    return (
        f"The device {device} is used by {who}, which answers at {address}. Use that one "
        f"(ACESTEP_ENGINE_URL={address}), or stop it and start again."
    )
