"""Copies of songs outside the music folder, and the list's rebuilding."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import click

from acestep_mcp.errors import StorageError
from acestep_mcp.settings import Settings

FORMATS = ("wav", "flac", "mp3", "ogg")


def format_of(out: Path | None, form: str | None) -> str | None:
    """The format asked for by name or by the file's ending. UsageError when they disagree or the ending is unknown.

    Also refuses a file that exists: asked before anything is made or paid for.
    """
    if out is None or out.is_dir():
        return form
    if out.exists():
        raise click.UsageError(f"{out} exists already. Choose another name; nothing was made.")
    ending = out.suffix[1:].lower()
    if ending not in FORMATS:
        raise click.UsageError(f"{out.name} must end in one of {', '.join(f'.{known}' for known in FORMATS)}.")
    if form and form != ending:
        raise click.UsageError(f"--format {form} and a file ending in .{ending} disagree. Give one of them.")
    return ending


def place(kept: Path, out: Path, form: str | None) -> Path:
    """Copy a kept song to `out` (a file, or a folder to put it into), whole or not at all; the absolute path of it."""
    form = form or kept.suffix[1:].lower()
    target = (out / f"{kept.stem}.{form}" if out.is_dir() else out).absolute()
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise FileExistsError(17, "exists already")
        _write(kept, part, form)
        part.replace(target)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise StorageError(
            f"{target} could not be written: {exc.strerror or exc}. The song itself is safe at {kept}."
        ) from exc
    return target


def _write(kept: Path, part: Path, form: str) -> None:
    if kept.suffix[1:].lower() == form:
        shutil.copyfile(kept, part)
        return
    from acestep_mcp.audio import convert

    convert.convert(kept, part, form)


def rebuilt(settings: Settings) -> int:
    """How many songs the list has after reading every sidecar again."""
    from acestep_mcp.library.database import Database
    from acestep_mcp.library.tracks import Tracks

    return Tracks(Database(settings.database), settings.music_dir).rebuild()
