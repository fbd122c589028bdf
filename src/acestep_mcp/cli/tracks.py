"""`acestep-mcp tracks`: the songs that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from acestep_mcp.cli.export import FORMATS, copy_to, format_of, rebuild_index
from acestep_mcp.cli.jobs import Listing, as_json_option
from acestep_mcp.cli.output import clock, print_json, track_json
from acestep_mcp.cli.session import with_studio
from acestep_mcp.library.models import Track
from acestep_mcp.settings import load

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Page


@click.group(cls=Listing)
def tracks() -> None:
    """List, show, export, delete or restore songs."""


@tracks.command("list")
@click.argument("words", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--cursor", help="Go on where the last page ended.")
@as_json_option
def list_tracks(words: tuple[str, ...], limit: int, cursor: str | None, as_json: bool) -> None:
    """Songs whose title, tags, lyrics, prompt or id hold every one of WORDS, newest first."""
    page: Page = with_studio(lambda studio: studio.tracks(" ".join(words), limit=limit, cursor=cursor), load())
    if as_json:
        found = [track_json(track) for track in page.tracks]
        print_json({"tracks": found, "total": page.total, "next_cursor": page.next_cursor})
        return
    for track in page.tracks:
        click.echo(f"{track.id}  {clock(track.duration):>5}  {track.path.name}")
    if page.next_cursor:
        click.echo(f'{page.total} in all; go on with --cursor "{page.next_cursor}"', err=True)
    elif not page.tracks:
        click.echo("No songs found." if words else "No songs yet. Make one: acestep-mcp make --help", err=True)


@tracks.command()
@click.argument("name")
@as_json_option
def show(name: str, as_json: bool) -> None:
    """One song with all that is known of it. NAME is an id, an acestep:// address or a file name."""
    track: Track = with_studio(lambda studio: studio.track(name), load())
    if as_json:
        print_json({"track": track_json(track), "sidecar": track.sidecar})
        return
    for key, value in track_json(track).items():
        click.echo(f"{key:<12} {value}")
    for key in ("seed", "tags", "lyrics"):
        click.echo(f"{key:<12} {track.sidecar.get(key, '')}")


@tracks.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), help="Convert; FILE's ending says it too.")
@as_json_option
def export(name: str, file: Path, form: str | None, as_json: bool) -> None:
    """Copy a song to FILE (or into the folder FILE), converted where the format differs."""
    form = format_of(file, form)
    track: Track = with_studio(lambda studio: studio.track(name), load())
    path = copy_to(track.path, file, form)
    if as_json:
        print_json({"track": track_json(track), "out": str(path)})
        return
    click.echo(str(path))


@tracks.command()
@click.argument("name")
@as_json_option
def delete(name: str, as_json: bool) -> None:
    """Move a song to the trash folder; `restore` brings it back."""
    track: Track = with_studio(lambda studio: studio.delete(name), load())
    if as_json:
        print_json({"track": track_json(track)})
        return
    click.echo(f"Moved to the trash. To bring it back: acestep-mcp tracks restore {track.id}")


@tracks.command()
@click.argument("name")
@as_json_option
def restore(name: str, as_json: bool) -> None:
    """Bring a deleted song back."""
    track: Track = with_studio(lambda studio: studio.restore(name), load())
    if as_json:
        print_json({"track": track_json(track)})
        return
    click.echo(str(track.path))


@tracks.command()
@as_json_option
def rebuild(as_json: bool) -> None:
    """Read every song's own record again and rebuild the list from them."""
    count = rebuild_index(load())
    if as_json:
        print_json({"tracks": count})
        return
    click.echo(f"{count} songs in the list.")
