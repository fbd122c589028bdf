"""Unfinished uploads."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Protocol

MAX_OPEN = 10_000


@dataclass(slots=True)
class Upload:
    """An unfinished upload of the file `name`. `secret` is part of its address; `parts` are (etag, size) by number."""

    name: str
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    parts: dict[int, tuple[str, int]] = field(default_factory=dict)
    touched: float = field(default_factory=time.time)

    @property
    def digest(self) -> bytes:
        return digest_of(self.secret)

    def size_without(self, number: int) -> int:
        """Bytes of all parts received so far except this one."""
        return sum(size for part, (_, size) in self.parts.items() if part != number)


class UploadRegister(Protocol):
    """The uploads that have begun. `begin` gives False when MAX_OPEN have begun and not ended."""

    async def begin(self, upload: Upload) -> bool: ...
    async def find(self, secret: str) -> Upload | None: ...
    async def add_part(self, upload: Upload, number: int, etag: str, size: int) -> None: ...
    async def end(self, upload: Upload) -> None: ...
    async def forget(self, before: float) -> None: ...


class OpenUploads:
    """In memory: they are lost when the process ends.

    They are kept by the digest of the secret: how long a wrong one is looked for tells nothing about the right ones.
    """

    def __init__(self) -> None:
        self._open: dict[bytes, Upload] = {}

    async def begin(self, upload: Upload) -> bool:
        if len(self._open) >= MAX_OPEN:
            return False
        self._open[upload.digest] = upload
        return True

    async def find(self, secret: str) -> Upload | None:
        upload = self._open.get(digest_of(secret))
        if upload:
            upload.touched = time.time()
        return upload

    async def add_part(self, upload: Upload, number: int, etag: str, size: int) -> None:
        upload.parts[number] = (etag, size)

    async def end(self, upload: Upload) -> None:
        self._open.pop(upload.digest, None)

    async def forget(self, before: float) -> None:
        """Drop uploads that have received nothing since this time."""
        for upload in [upload for upload in self._open.values() if upload.touched < before]:
            del self._open[upload.digest]


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
