"""The state file: where an engine server answers, and the secret that proves that it wrote the file."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from acestep_mcp.files import put_back, write_json
from acestep_mcp.net.loopback import is_loopback

FILE = "engine.json"
_CHECK_SECONDS = 2.0
_ADVICE = "give another data folder"


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine server on loopback.

    `key` is what callers send; None when no key is needed, or when the owner chose one, which is never stored.
    `secret` is never sent: it proves the server's identity, see `proof`. `detached` servers were started
    automatically and end by themselves.
    """

    engine: str
    address: str
    pid: int
    version: str
    secret: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    detached: bool = False


def folder_of(data_dir: Path, engine: str) -> Path:
    """The default folder of this engine's jobs, files and state."""
    return data_dir / "engine" / engine


def proof(secret: str, challenge: str, port: int) -> str:
    """The answer to a challenge. It is valid for one port, so another server cannot relay the challenge."""
    return hmac.new(secret.encode(), f"{challenge} {port}".encode(), hashlib.sha256).hexdigest()


def read(folder: Path) -> RunningEngine | None:
    """The content of the file, perhaps outdated; None without a valid file."""
    try:
        running = RunningEngine(**json.loads((folder / FILE).read_text(encoding="utf-8")))
        parts = urlsplit(running.address)
        fits = parts.scheme == "http" and is_loopback(parts.hostname or "") and parts.port
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return running if fits and isinstance(running.secret, str) else None


@contextmanager
def state_file(folder: Path, running: RunningEngine) -> Iterator[None]:
    """Keep the state file while the block lasts; only its owner can read it. Raises StorageError.

    It is written again where the folder has been deleted or moved away: without it, the next program would start a second
    server. The file of another server is left alone.
    """
    path, ended = folder / FILE, threading.Event()
    write_json(path, asdict(running), _ADVICE, private=True)
    keeper = threading.Thread(target=_keep, args=(path, running, ended), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        if read(folder) == running:
            with suppress(OSError):
                path.unlink()


def _keep(path: Path, running: RunningEngine, ended: threading.Event) -> None:
    while not ended.wait(_CHECK_SECONDS):
        put_back(path, asdict(running))
