"""Whether a file system locks files, as SQLite needs it."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path


def refusal_of_locks(folder: Path) -> str | None:
    """Why files in this folder cannot be locked; None where they can, or where that cannot be found out."""
    try:
        import fcntl
    except ImportError:  # Windows, where a network folder has the locks of its server
        return None
    # A new file: closing the database's own file would release the locks that this process holds on it.
    with suppress(OSError), tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            return exc.strerror or str(exc)
    return None
