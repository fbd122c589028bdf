"""`acestep-mcp tracks`: list, show, play, export, delete and restore songs; `cli.versions` has the takes and versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acestep_mcp.cli.export import EXPORTS, format_of, rebuild_index, target_of, write_picture
from acestep_mcp.cli.jobs import Listing, as_json_option
from acestep_mcp.cli.output import clock, echo, print_json
from acestep_mcp.cli.play import play as play_file
from acestep_mcp.cli.session import load_settings, with_studio
from acestep_mcp.cli.versions import COMMANDS
from acestep_mcp.library.models import Track, TrackPage
from acestep_mcp.studio.build_views import deletion_view, summary_of, track_list, track_row, track_view
from acestep_mcp.studio.views import TrackView

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio


@click.group(cls=Listing)
def tracks() -> None:
    """List, play, remake, compare, export or delete songs."""


@tracks.command("list")
@click.argument("words", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to list.")
@click.option("--cursor", help="Continue after the last page; the end of that page shows the value.")
@as_json_option
def list_tracks(words: tuple[str, ...], limit: int, cursor: str | None, as_json: bool) -> None:
    """List songs, newest first.

    With WORDS, only songs with all of them in the title, tags, lyrics, prompt or id.
    """
    query = " ".join(words)
    page: TrackPage = with_studio(
        lambda studio: studio.catalogue.page(query, limit=limit, cursor=cursor), load_settings()
    )
    if as_json:
        print_json(track_list(page).facts() | ({"problems": list(page.problems)} if page.problems else {}))
        return
    for problem in page.problems:
        echo(f"Note: {problem}", err=True)
    for track in page.tracks:
        # A file keeps the name of its song's first title.
        titled = "" if track.title in track.path.name else f"  {track.title}"
        echo(f"{track.id}  {clock(track.duration):>5}  {track.path.name}{titled}")
    if page.next_cursor:
        echo(f'{page.total} in all; for the next page: --cursor "{page.next_cursor}"', err=True)
    elif not page.tracks:
        echo("No songs found." if words else "No songs yet. Make one: acestep-mcp make --help", err=True)


@tracks.command()
@click.argument("name")
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), help="Draw waveform and spectrogram: a PNG."
)
@as_json_option
def show(name: str, picture: Path | None, as_json: bool) -> None:
    """Show a song with its tags, lyrics and seed. NAME is an id, an acestep:// URI or a file name."""

    async def found(studio: Studio) -> tuple[Track, list[Any]]:
        track = await studio.catalogue.get(name)
        return track, await studio.catalogue.descent(track)

    track, descent = with_studio(found, load_settings())
    if picture is not None:
        write_picture(track, picture)
    if as_json:
        print_json(track_view(track, descent=descent).facts() | {"sidecar": track.sidecar})
        return
    for key, value in track_row(track).facts().items():
        if key != "tags":
            echo(f"{key:<12} {value}")
    for key in ("seed", "tags", "lyrics"):
        echo(f"{key:<12} {track.sidecar.get(key, '')}")
    _echo_made(track_view(track))
    if (heard := summary_of(track)) is not None:
        echo(f"{'heard':<12} {heard}")
    _echo_descent(descent)


def _echo_made(view: TrackView) -> None:
    """What made the song, what was noted, and where its sections are."""
    if view.engine:
        echo(f"{'engine':<12} {view.engine}")
    for note in view.notes or ():
        echo(f"{'note':<12} {note}")
    for section in view.sections or ():
        echo(f"{'section':<12} {clock(section.start):>5}  {section.name}")


def _echo_descent(descent: list[Any]) -> None:
    for step in descent:
        echo(f"{'descent':<12} {step.id}  {step.made_by or ''}  {step.changed or ''}".rstrip())


@tracks.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(EXPORTS),
    help="Format to convert to; mid: the notes of a draft. [default: from the ending of FILE]",
)
@as_json_option
def export(name: str, file: Path, form: str | None, as_json: bool) -> None:
    """Copy a song to FILE, converted if needed.

    If FILE is a folder, the song keeps its name there.
    """
    form = format_of(file, form, EXPORTS)

    async def copied(studio: Studio) -> tuple[Track, Path]:
        track = await studio.catalogue.get(name)
        path = target_of(track.path, file, form)
        await studio.catalogue.copy(track, path)
        return track, path

    track, path = with_studio(copied, load_settings())
    if as_json:
        print_json(track_view(track).facts() | {"out": str(path)})
        return
    echo(str(path))


@tracks.command()
@click.argument("name")
def play(name: str) -> None:
    """Play a song. NAME is an id or a file name."""
    track: Track = with_studio(lambda studio: studio.catalogue.get(name), load_settings())
    echo(f"Playing {track.path}", err=True)
    play_file(track.path)


@tracks.command()
@click.argument("name")
@as_json_option
def delete(name: str, as_json: bool) -> None:
    """Move a song to the trash; `restore` brings it back."""
    track: Track = with_studio(lambda studio: studio.catalogue.delete(name), load_settings())
    if as_json:
        print_json(
            deletion_view(track).facts() | {"next_step": f"to restore it: acestep-mcp tracks restore {track.id}"}
        )
        return
    echo(f"Moved to the trash. To restore it: acestep-mcp tracks restore {track.id}")


@tracks.command()
@click.argument("name")
@as_json_option
def restore(name: str, as_json: bool) -> None:
    """Restore a deleted song."""
    track: Track = with_studio(lambda studio: studio.catalogue.restore(name), load_settings())
    if as_json:
        print_json(deletion_view(track).facts())
        return
    echo(str(track.path))


@tracks.command()
@as_json_option
def rebuild(as_json: bool) -> None:
    """Rebuild the list of songs from their .json files."""
    count = rebuild_index(load_settings())
    if as_json:
        print_json({"tracks": count})
        return
    echo(f"{count} songs in the list.")


for command in COMMANDS:
    tracks.add_command(command)
