"""The state file: where an engine server answers, and what proves that it is the one that wrote the file."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from acestep_mcp.api.errors import StorageError
from acestep_mcp.net.loopback import is_loopback

FILE = "engine.json"


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine server on loopback.

    `key` is what callers send; None when it asks for none, or for one that its owner chose and that is written
    nowhere. `secret` never travels: it proves the server, see `proof`. `detached` ones were started by nobody in
    particular, and end by themselves.
    """

    engine: str
    address: str
    pid: int
    version: str
    secret: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    detached: bool = False


def folder_of(data_dir: Path, engine: str) -> Path:
    """Where a server of this engine keeps its jobs, its files and its state, unless it is told otherwise."""
    return data_dir / "engine" / engine


def proof(secret: str, challenge: str, port: int) -> str:
    """The answer to a challenge. It holds for one port: a stranger cannot have it answered by the true server."""
    return hmac.new(secret.encode(), f"{challenge} {port}".encode(), hashlib.sha256).hexdigest()


def read(folder: Path) -> RunningEngine | None:
    """What the file says, true or not any more; None without a file that makes sense."""
    try:
        running = RunningEngine(**json.loads((folder / FILE).read_text(encoding="utf-8")))
        parts = urlsplit(running.address)
        fits = parts.scheme == "http" and is_loopback(parts.hostname or "") and parts.port
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return running if fits and isinstance(running.secret, str) else None


@contextmanager
def state_file(folder: Path, running: RunningEngine) -> Iterator[None]:
    """Keep the state file while the block lasts; only its owner can read it. Raises StorageError."""
    path = folder / FILE
    part = path.with_name(f".{FILE}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(running), file)
        part.replace(path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {exc.strerror or exc}. Give another data folder.") from exc
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
