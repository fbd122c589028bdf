"""`acestep-mcp engine`: an engine server that fal's own clients can use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from acestep_mcp import keys
from acestep_mcp.errors import ConfigurationError
from acestep_mcp.settings import Settings, load

if TYPE_CHECKING:
    from acestep_mcp.queue.options import QueueOptions

ENGINES = ("draft", "ace-step-v1")
_FOLDER = click.Path(path_type=Path, file_okay=False, resolve_path=True)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--engine", "name", type=click.Choice(ENGINES), default="draft", show_default=True, help="Who plays.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Off loopback a key is required.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--key-file", type=_FILE, help="A file that holds the key callers must send.")
@click.option("--key", help="The key itself; other users see it among the processes. Better ACESTEP_ENGINE_KEY.")
@click.option("--tls-dir", type=_FOLDER, help="Speak TLS, with a throwaway authority that is made in this folder once.")
@click.option("--public-url", help="The address under which callers know it, such as a proxy's.")
@click.option("--data-dir", type=_FOLDER, help="Where jobs and files are kept. [default: engine in ACESTEP_DATA_DIR]")
@click.option("--allow-webhooks", is_flag=True, help="Tell public addresses that callers name of a job's end.")
@click.option("--allowed-host", multiple=True, help="Another name callers use. May be repeated.")
def engine(**given: Any) -> int:
    """Serve the five endpoints on fal's queue protocol, for acestep-mcp on other machines and for fal's own clients."""
    settings = load()
    if given["name"] != "draft":
        raise ConfigurationError(
            f"The engine {given['name']} is not built yet: this version serves only the draft engine. "
            "Leave --engine out, or update acestep-mcp when a later version has it."
        )
    folder = given["data_dir"] or settings.data_dir / "engine"
    return _serve(_options(given, settings, folder), given, settings, folder)


def _serve(options: QueueOptions, given: dict[str, Any], settings: Settings, folder: Path) -> int:
    import logging
    from contextlib import closing
    from functools import partial

    from acestep_mcp.engines.draft import DraftEngine
    from acestep_mcp.queue.serve import Place, serve

    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel("WARNING")
    for problem in settings.problems:
        click.echo(f"Note: {problem}", err=True)
    place = Place(given["host"], given["port"], folder, given["tls_dir"])
    with closing(DraftEngine(keep_worker=True)) as draft:
        return serve(draft, place, options, partial(_tell, has_key=options.key is not None))


def _options(given: dict[str, Any], settings: Settings, folder: Path) -> QueueOptions:
    from acestep_mcp.assembly import ways_out, writer_of
    from acestep_mcp.queue.options import QueueOptions

    fetch, post = ways_out(webhooks=given["allow_webhooks"])
    return QueueOptions(
        database=folder / "engine.sqlite3",
        key=_key(given["key"], given["key_file"], settings),
        public_url=_public(given["public_url"]),
        allowed_hosts=given["allowed_host"],
        fetch=fetch,
        post=post,
        writer=writer_of(settings),
    )


def _key(said: str | None, file: Path | None, settings: Settings) -> str | None:
    """The key from the command line, else the file, else the settings. Its text is in no message."""
    if said is None and file is not None:
        return keys.read(file)
    if said is None and settings.engine_key:
        said = settings.engine_key.get_secret_value()
    return None if said is None else keys.usable(said, "The engine's key")


def _public(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        fits = (
            parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment or "@" in url)
        )
        _ = parts.port
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(f"--public-url {url!r} is not an address like https://music.example.org. Give one.")
    return url.rstrip("/")


def _tell(opened: Any, *, has_key: bool) -> None:
    from contextlib import suppress

    from acestep_mcp.cli.switch import lines

    with suppress(OSError):  # nobody listens to stderr any more: no reason to stop
        for line in lines(opened.address, opened.authority, has_key=has_key):
            click.echo(line, err=True)
