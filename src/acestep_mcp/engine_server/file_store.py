"""Files of the engine server: uploads, inputs of jobs, results. All functions are synchronous."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath

from acestep_mcp import files
from acestep_mcp.api.errors import QueueError

_ADVICE = "give the engine server another data folder"
_NAME = re.compile(r"[0-9A-Za-z_-]{32}\.[a-z0-9]{1,8}")
_LETTERS, _RANDOM = 32, 24
"""Of a name without its suffix, and before the mark of its owner."""
OUTCOME = "outcome"
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
}


class FileStore:
    """Three folders: `files` (served to anyone who knows a name), `jobs` (one for each unfinished job) and `parts`
    (unfinished uploads). A file in `files` is complete.
    """

    is_local = True
    """Whether finding a file takes no time worth mentioning."""

    def __init__(self, folder: Path, most: int = 8 << 30) -> None:
        """UploadRegister and sources of jobs may take `most` bytes together; results do not count."""
        self._folder = folder
        self._most = most
        self._counting = threading.Lock()
        self._used = self._arriving = self._landed = 0
        """Bytes of all such files, of those that are being received, and of those received since counting began."""
        self._files, self._jobs, self._parts = (folder / name for name in ("files", "jobs", "parts"))
        with storage_errors(folder):
            for path in (self._files, self._jobs, self._parts):
                path.mkdir(parents=True, exist_ok=True)
        files.sweep(folder)  # what killed servers left of the files beside these folders

    @contextmanager
    def receiving(self) -> Iterator[Callable[[int], None]]:
        """Gives a function to call with the size of each piece before it is stored; the file is there when the block ends.

        The function raises QueueError (507) when all files would be too large together.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            with self._counting:
                if self._used + size > self._most:
                    raise self._full()
                self._used += size
                self._arriving += size
            taken += size

        try:
            yield take
        finally:
            with self._counting:
                self._arriving -= taken
                self._landed += taken

    def _full(self) -> QueueError:
        return QueueError(
            f"The engine server keeps {self._used >> 20} MiB of uploaded files, and {self._most >> 20} MiB is the most. "
            "Each is removed when its time is over: send this one again later.",
            status=507,
        )

    def find(self, name: str) -> Path | None:
        """The stored file of this name, None when there is none. Any string is safe."""
        path = self._files / name if is_name(name) else None
        return path if path and path.is_file() and not path.is_symlink() else None

    def new_name(self, suffix: str, owner: str = "") -> str:
        """A name with 192 random bits, or 144 and the mark of its owner; `suffix` is `.wav` and the like."""
        name = secrets.token_urlsafe(24)
        if owner:
            name = name[:_RANDOM] + _mark(name[:_RANDOM], owner)
        return name + (suffix if _SUFFIX.fullmatch(suffix) else ".bin")

    def publish(self, path: Path, name: str) -> None:
        """Move a finished file to `files` under a name from `new_name`, replacing an earlier one."""
        # Created again here and below: the folder may have been removed while the server runs.
        files.publish(path, _folder(self._files) / name, _ADVICE)

    def link(self, name: str, target: Path) -> bool:
        """Give a stored file a second name that outlives the first; False when there is no such file."""
        path = self.find(name)
        if not path:
            return False
        with storage_errors(target.parent):
            try:
                os.link(path, target)
            except OSError:  # a file system without hard links
                shutil.copyfile(path, target)
        return True

    def job(self, job_id: str) -> Path:
        """The folder of a job, created when missing."""
        return _folder(self._jobs / job_id)

    def parts(self, upload: str) -> Path:
        """The folder of an upload, created when missing."""
        return _folder(self._parts / upload)

    def source(self, job_id: str) -> Path:
        """Where the source of a job is read from."""
        return self.job(job_id) / "source"

    def keep_source(self, job_id: str) -> None:
        """The file at `source` is complete."""

    def keep_outcome(self, job_id: str, response: bytes) -> None:
        """Keep the response that names a song, before the song is published: a server may die before it records the end."""
        path = self.job(job_id) / OUTCOME
        with storage_errors(path):
            path.write_bytes(response)

    def outcome(self, job_id: str) -> bytes | None:
        """What `keep_outcome` has kept, perhaps only the beginning of it; None when there is nothing."""
        try:
            return (self._jobs / job_id / OUTCOME).read_bytes()
        except OSError:
            return None

    def keep_part(self, upload: str, number: int, arrived: Path) -> None:
        """Take over a complete part of an upload; an earlier one of this number is replaced."""
        arrived.replace(self.parts(upload) / str(number))

    def assemble(self, upload: str, numbers: list[int], name: str) -> None:
        """Publish an upload, joined from its parts in this order."""
        folder = self.parts(upload)
        join([folder / str(number) for number in numbers], folder / "joined")
        self.publish(folder / "joined", name)
        self.clear_parts(upload)

    def address(self, name: str) -> str | None:  # noqa: ARG002 - for stores that can
        """An address at which anyone can read the stored file for a while; None when there is none, or no such file."""
        return None

    def clear_job(self, job_id: str) -> None:
        """Remove a job's folder; its result is in `files`."""
        shutil.rmtree(self._jobs / job_id, ignore_errors=True)

    def discard_job(self, job_id: str) -> None:
        """Remove what is stored for a job that was not accepted."""
        self.clear_job(job_id)

    def clear_parts(self, upload: str) -> None:
        shutil.rmtree(self._parts / upload, ignore_errors=True)

    def forget(self, names: list[str]) -> None:
        """Remove stored files; missing ones are skipped."""
        for name in names:
            if is_name(name):
                with suppress(OSError):  # it is still being read: a later sweep removes it
                    (self._files / name).unlink(missing_ok=True)

    def sweep(self, before: float, *, files: set[str], jobs: set[str]) -> None:
        """Remove what was last changed before this time and is not listed: uploads, and files of a killed server.

        What is left is counted again.
        """
        with self._counting:
            self._landed, began = 0, time.time()
        for path in _older(self._files, before):
            if path.name not in files:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        for path in _older(self._jobs, before):
            if path.name not in jobs:
                shutil.rmtree(path, ignore_errors=True)
        for path in _older(self._parts, before):
            shutil.rmtree(path, ignore_errors=True)
        found = sum(size for path, size in _sizes(self._folder, began) if path.name not in files)
        with self._counting:
            self._used = found + self._arriving + self._landed

    def remove(self, *names: str) -> None:
        """Remove everything, these files too, and the folder itself when nothing else is in it; what cannot be stays."""
        for path in (self._files, self._jobs, self._parts):
            shutil.rmtree(path, ignore_errors=True)
        for name in names:
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # it is not empty
            self._folder.rmdir()


def is_name(name: str) -> bool:
    """Whether `new_name` may have given this name."""
    return _NAME.fullmatch(name) is not None


def belongs(name: str, owner: str) -> bool:
    """Whether a file of this name may be given to a caller: to its owner only, and to one whose key has no name ("")."""
    return not owner or (is_name(name) and name[_RANDOM:_LETTERS] == _mark(name[:_RANDOM], owner))


def _mark(random: str, owner: str) -> str:
    digest = hashlib.sha256(f"{random} {owner}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[: _LETTERS - _RANDOM]


def join(parts: list[Path], target: Path) -> None:
    """Write the parts, in this order, into one file."""
    with storage_errors(target.parent), target.open("wb") as out:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, out, 2**20)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, atomically; folders are created, an earlier file is replaced."""
    files.make_folder(path.parent, _ADVICE)
    files.write_bytes(path, content, _ADVICE, private=True)


def suffix_of(file_name: str, content_type: str = "") -> str:
    """A suffix such as `.wav`, from a file's name or else its type; safe for any input."""
    suffix = PurePosixPath(file_name.replace("\\", "/")).suffix.lower()
    if _SUFFIX.fullmatch(suffix):
        return suffix
    plain = content_type.split(";", maxsplit=1)[0].strip().lower()
    return next((known for known, name in _TYPES.items() if name == plain.replace("audio/x-", "audio/")), ".bin")


def content_type_of(name: str) -> str:
    """Only audio types are served as such: anything else could be a page that runs in our origin."""
    return _TYPES.get(Path(name).suffix, "application/octet-stream")


def storage_errors(folder: Path) -> AbstractContextManager[None]:
    """`files.storage_errors` for a folder of the engine server."""
    return files.storage_errors("write in", folder, _ADVICE)


def _folder(path: Path) -> Path:
    return files.make_folder(path, _ADVICE)


def _sizes(folder: Path, before: float) -> Iterator[tuple[Path, int]]:
    """The files below a folder that were written before this time.

    A second name of the same file, which a job's source may be, has no size of its own.
    """
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with suppress(OSError):
                found = path.stat()
                if found.st_mtime < before:
                    yield path, 0 if found.st_nlink > 1 and path.name == "source" else found.st_size


def _older(folder: Path, before: float) -> list[Path]:
    """Entries last changed before this time. Jobs and uploads may remove theirs meanwhile."""
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    found.append(path)
    return found
