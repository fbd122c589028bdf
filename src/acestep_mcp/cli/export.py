"""Copy songs out of the music folder, and rebuild the index."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from acestep_mcp.api.errors import StorageError
from acestep_mcp.settings import Settings

if TYPE_CHECKING:
    from acestep_mcp.audio.write import Format
    from acestep_mcp.library.models import Track

_ADVICE = "choose another folder"
FORMATS = ("wav", "flac", "mp3", "ogg")


EXPORTS = (*FORMATS, "mid")


def format_of(out: Path | None, form: str | None, known: Sequence[str] = FORMATS) -> str | None:
    """The format given by name or by the file's suffix. UsageError when they disagree or the suffix is unknown.

    Also refuses a file that exists. Called before anything is made or paid for.
    """
    if out is None or out.is_dir():
        return form
    if out.exists():
        raise click.UsageError(f"{out} exists already. Choose another name; nothing was made.")
    ending = out.suffix[1:].lower()
    if ending not in known:
        raise click.UsageError(f"{out.name} must end in one of {', '.join(f'.{name}' for name in known)}.")
    if form and form != ending:
        raise click.UsageError(f"--format {form} and a file ending in .{ending} disagree. Give one of them.")
    return ending


def target_of(song: Path, out: Path, form: str | None) -> Path:
    """The absolute path of a copy of a song in `out` (a file or a folder), whose folder is made."""
    from acestep_mcp.files import make_folder

    target = (out / f"{song.stem}.{form or song.suffix[1:]}" if out.is_dir() else out).absolute()
    if target.exists():
        raise StorageError(f"{target} exists already and was left alone. The song itself is at {song}.")
    make_folder(target.parent, _ADVICE)
    return target


def copy_to(song: Path, out: Path, form: str | None) -> Path:
    """Copy a song to `out` (a file or a folder), atomically; returns the absolute path of the copy."""
    from acestep_mcp.files import atomic

    target = target_of(song, out, form)
    if song.suffix.lower() != target.suffix.lower():
        _convert(song, target)
        return target
    with atomic(target, _ADVICE) as part:
        shutil.copyfile(song, part)
    return target


def write_picture(track: Track, out: Path) -> None:
    """Draw the song into a new PNG file, atomically."""
    from acestep_mcp.files import atomic
    from acestep_mcp.studio.pictures import picture_of

    if out.exists():
        raise StorageError(f"{out} exists already and was left alone. Choose another name.")
    content = picture_of(track, lambda track: track.path.open("rb"))
    with atomic(out.absolute(), _ADVICE) as part:
        part.write_bytes(content)


def _convert(song: Path, target: Path) -> None:
    from acestep_mcp.audio.tags.file_tags import read_tags
    from acestep_mcp.audio.write import convert_file

    convert_file(song, target, format=cast("Format", target.suffix[1:].lower()), tags=read_tags(song))


def rebuild_index(settings: Settings) -> int:
    """Read every sidecar again; returns the number of songs."""
    from acestep_mcp.assembly import tracks_of
    from acestep_mcp.library.database import Database

    with closing(Database(settings.database)) as database:
        return tracks_of(settings, database).rebuild()
