"""Cached MP3 previews of long songs: encoding takes seconds, and hosts read the same resource repeatedly."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from acestep_mcp.api.errors import StorageError
from acestep_mcp.files import make_folder, open_regular, write_bytes
from acestep_mcp.library.models import Track

KEPT = 50
OpenFile = Callable[[Track], BinaryIO]
"""Opens the audio of a track. Raises NotFound."""


def _opened(track: Track) -> BinaryIO:
    return open_regular(track.path)


def preview(track: Track, folder: Path, max_bytes: int, open_file: OpenFile = _opened) -> bytes:
    """The whole song of a track as MP3 of at most `max_bytes`; `folder` caches it.

    Raises InvalidRequest when the song's file cannot be read. A folder that cannot be written only costs time.
    """
    from acestep_mcp.audio.preview import mp3_preview

    # A sidecar's fields never become part of a path.
    source = f"{track.id} {track.sidecar['audio'].get('sha256')} {max_bytes}"
    cached = folder / f"{hashlib.sha256(source.encode()).hexdigest()[:32]}.mp3"
    with contextlib.suppress(OSError):
        return cached.read_bytes()
    with open_file(track) as song:
        content = mp3_preview(song, max_bytes=max_bytes)
    with contextlib.suppress(OSError, StorageError):
        make_folder(folder)
        write_bytes(cached, content)
        for old in sorted(folder.glob("*.mp3"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink()
    return content
