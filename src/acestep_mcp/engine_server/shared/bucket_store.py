"""Files that several engine servers share, in a bucket or a folder, through fsspec."""

from __future__ import annotations

import datetime as dt
import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.file_store import OUTCOME, FileStore, content_type_of, is_name, storage_errors

SIGNED_SECONDS = 3600
_TYPE_OPTION = {"s3": "ContentType", "s3a": "ContentType", "gs": "content_type", "gcs": "content_type"}
# What the packages of file systems raise beside OSError.
_FAILURES = {
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "aiohttp": ("ClientError",),
    "gcsfs.retry": ("HttpError",),
    "google.auth.exceptions": ("GoogleAuthError",),
}


class BucketStore(FileStore):
    """`files`, `jobs` (sources) and `parts` are in the bucket; what is being received or made is in a folder here.

    A file of `jobs` is removed some time after its job has ended, by `sweep`: the front that works on a job may have lost it.
    """

    is_local = False

    def __init__(self, address: str, folder: Path, most: int, *, sends_files: bool = False) -> None:
        """`sends_files`: callers get files from here, never an address of the bucket. Raises ConfigurationError."""
        super().__init__(folder, most)
        self._sends_files = sends_files
        try:
            from fsspec.core import url_to_fs

            self._system, root = url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as exc:
            raise ConfigurationError(
                f"Files at {address.partition('?')[0]} need a package that is not installed ({exc.name or exc}). "
                "Install it (pip install 'acestep-mcp[fronts]'; gcsfs for gs://), or give another --files."
            ) from exc
        except ValueError as exc:
            raise ConfigurationError(f"--files: {exc}. Give one like s3://bucket/folder or file:///folder.") from exc
        self._root = root.rstrip("/")
        protocols = self._system.protocol
        self._protocol = protocols if isinstance(protocols, str) else protocols[0]
        self._is_folder = self._protocol in {"file", "local"}

    def find(self, name: str) -> Path | None:
        """A copy of the stored file, or the file itself where the bucket is a folder."""
        if not is_name(name):
            return None
        if self._is_folder:
            path = Path(self._key("files", name))
            return path if path.is_file() and not path.is_symlink() else None
        if copy := super().find(name):
            return copy
        arriving = self.parts(f"copy-{self.new_name('')}") / name
        if not self._get(self._key("files", name), arriving):
            return None
        super().publish(arriving, name)
        arriving.parent.rmdir()
        return super().find(name)

    def address(self, name: str) -> str | None:
        if self._sends_files or self._is_folder or not is_name(name):
            return None
        key = self._key("files", name)
        with self._errors():
            if not self._system.exists(key):
                return None
            try:
                return str(self._system.sign(key, expiration=SIGNED_SECONDS))
            except NotImplementedError:
                return None

    def publish(self, path: Path, name: str) -> None:
        self._put(path, self._key("files", name))
        path.unlink(missing_ok=True)

    def link(self, name: str, target: Path) -> bool:
        return is_name(name) and self._get(self._key("files", name), target)

    def source(self, job_id: str) -> Path:
        path = super().source(job_id)
        if not path.exists():
            self._get(self._key("jobs", job_id, "source"), path)
        return path

    def keep_source(self, job_id: str) -> None:
        self._put(super().source(job_id), self._key("jobs", job_id, "source"))

    def discard_job(self, job_id: str) -> None:
        super().discard_job(job_id)
        self._remove(self._key("jobs", job_id, "source"))

    def keep_outcome(self, job_id: str, response: bytes) -> None:
        super().keep_outcome(job_id, response)
        self._put(self.job(job_id) / OUTCOME, self._key("jobs", job_id, OUTCOME))

    def outcome(self, job_id: str) -> bytes | None:
        self._get(self._key("jobs", job_id, OUTCOME), self.job(job_id) / OUTCOME)
        return super().outcome(job_id)

    def keep_part(self, upload: str, number: int, arrived: Path) -> None:
        self._put(arrived, self._key("parts", upload, str(number)))
        arrived.unlink(missing_ok=True)

    def assemble(self, upload: str, numbers: list[int], name: str) -> None:
        folder = self.parts(upload)
        for number in numbers:
            self._get(self._key("parts", upload, str(number)), folder / str(number))
        super().assemble(upload, numbers, name)
        for number in numbers:
            self._remove(self._key("parts", upload, str(number)))

    def forget(self, names: list[str]) -> None:
        super().forget(names)
        for name in filter(is_name, names):
            self._remove(self._key("files", name))

    def sweep(self, before: float, *, files: set[str], jobs: set[str]) -> None:
        """As for a folder; every front does it."""
        super().sweep(before, files=set(), jobs=jobs)  # the copies here
        with self._counting:
            self._landed, began, used = 0, time.time(), 0
        with self._errors():
            found = self._system.find(self._root, detail=True) if self._system.exists(self._root) else {}
        for key, info in found.items():
            kind, *names = PurePosixPath(key).parts[len(PurePosixPath(self._root).parts) :] or [""]
            is_kept = (kind == "files" and names[0] in files) or (kind == "jobs" and names[0] in jobs)
            if kind in {"files", "jobs", "parts"} and not is_kept and _changed(info) < before:
                self._remove(key)
            elif not (kind == "files" and names[0] in files) and _changed(info) < began:
                used += info.get("size") or 0
        with self._counting:
            self._used = used + self._arriving + self._landed

    def _key(self, *names: str) -> str:
        return "/".join((self._root, *names))

    def _put(self, path: Path, key: str) -> None:
        with self._errors():
            if self._is_folder:
                # Never seen in part: copied beside its place, then moved.
                Path(key).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._system.put_file(str(path), f"{key}.arriving-{os.getpid()}")
                Path(f"{key}.arriving-{os.getpid()}").replace(key)
                return
            option = _TYPE_OPTION.get(self._protocol)
            # Anything but audio could be a page, which would run in the bucket's origin.
            self._system.put_file(str(path), key, **({option: content_type_of(key)} if option else {}))

    def _get(self, key: str, path: Path) -> bool:
        """Copy a file of the bucket; False when there is none."""
        with self._errors():
            try:
                self._system.get_file(key, str(path))
            except FileNotFoundError:
                path.unlink(missing_ok=True)
                return False
        return True

    def _remove(self, key: str) -> None:
        with self._errors(), suppress(FileNotFoundError):
            self._system.rm_file(key)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        known = tuple(_failures())
        with storage_errors(self._folder):
            try:
                yield
            except known as exc:
                said = f"the bucket at {self._protocol}://{self._root} does not answer: {exc}"
                raise OSError(errno.EIO, said) from exc


def _failures() -> Iterator[type[Exception]]:
    for module, names in _FAILURES.items():
        if loaded := sys.modules.get(module):
            yield from (getattr(loaded, name) for name in names)


def _changed(info: dict[str, Any]) -> float:
    """When a file was last changed, in seconds since the epoch; each file system says it in its own way."""
    value = info.get("LastModified") or info.get("mtime") or info.get("updated") or info.get("created") or 0
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    return value.timestamp() if isinstance(value, dt.datetime) else float(value)
