"""The audio of a job whose process ended between publishing it and writing its sidecar."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.files import open_inside, storage_errors


def copy_published(published: Path, seed: int, part: Path) -> bool:
    """Copy that audio to `part`, so that the song is finished without being made or fetched again.

    False where there is none, where a sidecar makes it a track, or where it is not the job's: its own tags name another
    seed, or no song of this program. Raises StorageError.
    """
    from acestep_mcp.audio.read import probe
    from acestep_mcp.audio.tags.file_tags import read_tags

    if published.with_suffix(".json").exists():
        return False
    with contextlib.suppress(OSError, InvalidRequest), open_inside(published, [published.parent]) as file:
        own = read_tags(file)
        file.seek(0)
        probe(file)
        file.seek(0)
        if own.seed == seed and own.software.startswith("acestep-mcp"):
            with storage_errors("write", part), part.open("wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
            return True
    return False
