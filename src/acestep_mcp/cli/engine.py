"""`acestep-mcp engine`: an engine server that fal's own clients can use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from acestep_mcp import __version__
from acestep_mcp.api.errors import ConfigurationError, Occupied
from acestep_mcp.cli.model_options import download, model_settings, offer_download, takes_model_options
from acestep_mcp.engines.registry import OFFERED, V1, Offer
from acestep_mcp.net import keys
from acestep_mcp.settings import Settings, load

if TYPE_CHECKING:
    from acestep_mcp.engine_server.options import QueueOptions
    from acestep_mcp.engine_server.serve import Opened

    State = Callable[[Opened], AbstractContextManager[None]]

_FOLDER = click.Path(path_type=Path, file_okay=False, resolve_path=True)
_FILE = click.Path(path_type=Path, dir_okay=False)
_SECONDS = click.FloatRange(0, min_open=True)


@click.command()
@click.option(
    "--engine", "name", type=click.Choice(tuple(OFFERED)), default="draft", show_default=True, help="Who plays."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Off loopback a key is required.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--key-file", type=_FILE, help="A file that holds the key callers must send.")
@click.option("--key", help="The key itself; other users see it among the processes. Better ACESTEP_ENGINE_KEY.")
@click.option("--tls-dir", type=_FOLDER, help="Speak TLS, with a throwaway authority that is made in this folder once.")
@click.option("--public-url", help="The address under which callers know it, such as a proxy's.")
@click.option(
    "--data-dir", type=_FOLDER, help="Where jobs and files are kept. [default: engine/NAME in ACESTEP_DATA_DIR]"
)
@click.option("--allow-webhooks", is_flag=True, help="Tell public addresses that callers name of a job's end.")
@click.option("--allowed-host", multiple=True, help="Another name callers use. May be repeated.")
@click.option("--idle-unload", type=_SECONDS, metavar="SECONDS", help="Free the model after so long without a song.")
@click.option("--idle-exit", type=_SECONDS, metavar="SECONDS", help="End after so long without songs and requests.")
@click.option("--detached", is_flag=True, hidden=True)
@takes_model_options
def engine(**given: Any) -> int:
    """Serve the five endpoints on fal's queue protocol, for acestep-mcp on other machines and for fal's own clients."""
    from acestep_mcp.assembly import engine_options

    settings = load(**model_settings(given))
    model = engine_options(settings)
    offer = OFFERED[given["name"]]
    if given["download"]:
        return download(offer.model or V1, model)
    if not given["detached"]:
        offer_download(offer, model)
    elif obstacle := offer.obstacle(model):
        raise ConfigurationError(f"The engine {offer.name} cannot run here: {obstacle}.")
    folder = given["data_dir"] or _process_folder(settings.data_dir, offer.name)
    try:
        return _serve(offer, _options(given, settings, folder), given, settings, folder)
    except Occupied as exc:
        from acestep_mcp.engine_server.launch.find import OCCUPIED
        from acestep_mcp.engine_server.launch.state import read

        if given["detached"]:
            click.echo(f"Error: {exc.message}", err=True)
            return OCCUPIED
        other = read(folder)
        if other is None or other.address in exc.message:
            raise
        raise Occupied(f"{exc.message} It answers at {other.address}, process id {other.pid}.") from exc


def _serve(offer: Offer, options: QueueOptions, given: dict[str, Any], settings: Settings, folder: Path) -> int:
    import logging
    from contextlib import closing

    from acestep_mcp.assembly import engine_options
    from acestep_mcp.engine_server.serve import Place, serve

    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel("WARNING")
    for problem in settings.problems:
        click.echo(f"Note: {problem}", err=True)
    place = Place(given["host"], given["port"], folder, given["tls_dir"])
    options, state = _findable(offer.name, options, given, folder)
    told = partial(_told, offer=offer, has_key=options.key is not None, state=state, detached=given["detached"])
    with closing(offer.built(engine_options(settings))) as playing:
        return serve(playing, place, options, told, idle_exit=given["idle_exit"])


def _findable(
    name: str, options: QueueOptions, given: dict[str, Any], folder: Path
) -> tuple[QueueOptions, State | None]:
    """How other programs on this machine find the server: by a state file, if it answers there over plain http.

    A detached one has a key of its own, which stands in that file and nowhere else; a key that a person chose does not.
    """
    import secrets

    from acestep_mcp.engine_server.launch.state import Running, kept, proof
    from acestep_mcp.net.loopback import is_loopback

    if given["tls_dir"] or given["public_url"] or not is_loopback(given["host"]):
        return options, None
    secret = secrets.token_urlsafe(32)
    key = secrets.token_urlsafe(32) if given["detached"] else None
    host = "127.0.0.1" if given["host"] == "localhost" else given["host"].strip("[]")

    def state(opened: Opened) -> AbstractContextManager[None]:
        address = f"http://{f'[{host}]' if ':' in host else host}:{opened.port}"
        running = Running(name, address, os.getpid(), __version__, secret, key, detached=given["detached"])
        return kept(folder, running)

    return replace(options, key=key or options.key, prove=partial(proof, secret)), state


def _options(given: dict[str, Any], settings: Settings, folder: Path) -> QueueOptions:
    from acestep_mcp.assembly import outbound_http, writer_of
    from acestep_mcp.engine_server.options import QueueOptions

    fetch, post = outbound_http(webhooks=given["allow_webhooks"])
    return QueueOptions(
        database=folder / "engine.sqlite3",
        key=_key(given["key"], given["key_file"], settings),
        public_url=_public(given["public_url"]),
        allowed_hosts=given["allowed_host"],
        fetch=fetch,
        post=post,
        writer=writer_of(settings),
        idle_unload=given["idle_unload"],
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


@contextmanager
def _told(opened: Opened, *, offer: Offer, has_key: bool, state: State | None, detached: bool) -> Iterator[None]:
    """Say how programs are switched to the server, and let those on this machine find it, while it answers."""
    from contextlib import nullcontext, suppress

    from acestep_mcp.cli.client_setup import lines

    with state(opened) if state else nullcontext():
        told = lines(opened.address, opened.authority, has_key=has_key, engine=offer.name, remark=offer.remark)
        with suppress(OSError):  # nobody listens to stderr any more: no reason to stop
            for line in told[: 1 if detached else None]:
                click.echo(line, err=True)
        yield


def _process_folder(data_dir: Path, name: str) -> Path:
    from acestep_mcp.engine_server.file_store import storage_errors
    from acestep_mcp.engine_server.launch.state import folder_of

    folder = folder_of(data_dir, name)
    with storage_errors(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
