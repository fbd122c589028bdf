"""`acestep-mcp engine`: an engine server that fal's own clients can use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acestep_mcp import __version__
from acestep_mcp.api import logs
from acestep_mcp.api.errors import ConfigurationError, InvalidRequest, Occupied
from acestep_mcp.cli.fleet_options import fleet, takes_fleet
from acestep_mcp.cli.model_options import download, model_settings, offer_download, takes_model_options
from acestep_mcp.cli.output import echo
from acestep_mcp.cli.request_options import takes_log_format
from acestep_mcp.cli.shared_jobs import shared_jobs, takes_shared_jobs
from acestep_mcp.engines.registry import ENGINES, V1, EngineSpec
from acestep_mcp.net import keys
from acestep_mcp.settings import Settings, load

if TYPE_CHECKING:
    from acestep_mcp.engine_server.metrics import Metrics
    from acestep_mcp.engine_server.options import QueueOptions
    from acestep_mcp.engine_server.serve import RunningServer
    from acestep_mcp.engines.model.options import EngineOptions

    OnStarted = Callable[[RunningServer], AbstractContextManager[None]]

_FOLDER = click.Path(path_type=Path, file_okay=False, resolve_path=True)
_FILE = click.Path(path_type=Path, dir_okay=False)
_SECONDS = click.FloatRange(0, min_open=True)


@click.command()
@click.option(
    "--engine", "name", type=click.Choice(tuple(ENGINES)), default="draft", show_default=True, help="Engine to run."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Off loopback a key is required.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--key-file", type=_FILE, help="File with the key that callers must send.")
@click.option("--key", help="The key itself, visible in the process list. Prefer ACESTEP_ENGINE_KEY.")
@click.option("--keys", type=_FILE, help="TOML file of several keys, each with a name and limits, in place of one key.")
@click.option("--tls-dir", type=_FOLDER, help="Use TLS; a certificate and its authority are made in this folder once.")
@click.option("--public-url", help="The address that callers use, such as a proxy's.")
@click.option(
    "--data-dir", type=_FOLDER, help="Where jobs and files are kept. [default: engine/NAME in ACESTEP_DATA_DIR]"
)
@takes_shared_jobs
@click.option("--allow-webhooks", is_flag=True, help="Post results to public addresses that callers name.")
@click.option("--allowed-host", multiple=True, help="Another name callers use. May be repeated.")
@click.option("--devices", metavar="LIST", help="A process on each: all, cuda:0,cuda:1 or cpu:2. [default: one engine]")
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="After SIGTERM songs that are being made have this time to end.",
)
@takes_fleet
@click.option("--idle-unload", type=_SECONDS, metavar="SECONDS", help="Unload the model after this time without a job.")
@click.option("--idle-exit", type=_SECONDS, metavar="SECONDS", help="Exit after this time without jobs and requests.")
@takes_log_format
@click.option("--detached", is_flag=True, hidden=True)
@takes_model_options
def engine(**given: Any) -> int:
    """Make songs for other programs, over fal's queue protocol.

    Callers are acestep-mcp, on this machine or others, and fal's own clients.
    """
    from acestep_mcp.assembly import engine_options

    settings = load(log_format=given["log_format"], **model_settings(given))
    model = engine_options(settings)
    spec = ENGINES[given["name"]]
    if given["download"]:
        return download(spec.files or V1, model)
    if not given["detached"]:
        offer_download(spec, model)
    elif reason := spec.unavailable_reason(model):
        raise ConfigurationError(f"The engine {spec.name} cannot run here: {reason}.")
    folder = given["data_dir"] or _own_folder(settings.data_dir, spec.name)
    try:
        return _serve(spec, _options(given, settings, folder), given, settings, folder)
    except Occupied as exc:
        from acestep_mcp.engine_server.launch.launcher import OCCUPIED
        from acestep_mcp.engine_server.launch.state import read

        if given["detached"]:
            echo(f"Error: {exc.message}", err=True)
            return OCCUPIED
        other = read(folder)
        if other is None or other.address in exc.message:
            raise
        raise Occupied(f"{exc.message} It answers at {other.address}, process id {other.pid}.") from exc


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What the options mean: the engine and what it is built from, its queue, and the folder of its jobs and files."""

    spec: EngineSpec
    model: EngineOptions
    options: QueueOptions
    folder: Path


def planned(given: dict[str, Any]) -> ServerPlan:
    """For a server that something else than this command runs. Raises ConfigurationError."""
    from acestep_mcp.assembly import engine_options

    settings = load(log_format=given["log_format"], **model_settings(given))
    spec = ENGINES[given["name"]]
    folder = given["data_dir"] or _own_folder(settings.data_dir, spec.name)
    return ServerPlan(spec, engine_options(settings), _options(given, settings, folder), folder)


def _serve(spec: EngineSpec, options: QueueOptions, given: dict[str, Any], settings: Settings, folder: Path) -> int:
    from contextlib import ExitStack, closing

    from acestep_mcp.assembly import engine_options
    from acestep_mcp.engine_server.serve import ServerAddress, serve
    from acestep_mcp.engines.processes.devices import engines_for

    secrets = (*filter(None, [options.key, options.jobs]), *(options.keys.secrets if options.keys else ()))
    logs.configure(settings.log_level, settings.log_format, (*settings.secrets, *secrets))
    for problem in (*settings.problems, *filter(None, [options.keys and options.keys.exposure])):
        _tell([f"Note: {problem}"])
    address = ServerAddress(given["host"], given["port"], folder, given["tls_dir"])
    options, state = _findable(spec.name, options, given, folder)
    on_started = partial(_announce, spec=spec, has_key=options.needs_key, state=state, detached=given["detached"])
    with ExitStack() as stack:
        replicas = fleet(spec, engine_options(settings), given)
        engines = replicas.engines if replicas else engines_for(spec, engine_options(settings), given["devices"])
        options = replace(options, scale=replicas.scale if replicas else None)
        first, *others = [stack.enter_context(closing(each)) for each in engines]
        return serve(first, address, options, on_started, others=others, idle_exit=given["idle_exit"])


def _findable(
    name: str, options: QueueOptions, given: dict[str, Any], folder: Path
) -> tuple[QueueOptions, OnStarted | None]:
    """How other programs on this machine find the server: by a state file, if it answers over plain http on loopback.

    A detached server has its own key, stored only in that file; a key that a person chose is not stored.
    """
    import secrets

    from acestep_mcp.engine_server.launch.state import RunningEngine, proof, state_file
    from acestep_mcp.net.loopback import is_loopback

    if given["tls_dir"] or given["public_url"] or not is_loopback(given["host"]):
        return options, None
    secret = secrets.token_urlsafe(32)
    key = secrets.token_urlsafe(32) if given["detached"] else None
    host = "127.0.0.1" if given["host"] == "localhost" else given["host"].strip("[]")

    def state(running: RunningServer) -> AbstractContextManager[None]:
        address = f"http://{f'[{host}]' if ':' in host else host}:{running.port}"
        engine = RunningEngine(name, address, os.getpid(), __version__, secret, key, detached=given["detached"])
        return state_file(folder, engine)

    return replace(options, key=key or options.key, prove=partial(proof, secret)), state


def _options(given: dict[str, Any], settings: Settings, folder: Path) -> QueueOptions:
    from acestep_mcp.assembly import outbound_http, writer_of
    from acestep_mcp.engine_server.options import QueueOptions

    fetch, post = outbound_http(webhooks=given["allow_webhooks"])
    return QueueOptions(
        database=folder / "engine.sqlite3",
        **shared_jobs(given, settings),
        **_keys(given, settings),
        public_url=_public(given["public_url"]),
        allowed_hosts=given["allowed_host"],
        fetch=fetch,
        post=post,
        writer=writer_of(settings),
        drain=given["drain"],
        idle_unload=given["idle_unload"],
        metrics=_metrics(),
    )


def _metrics() -> Metrics | None:
    """Nothing is measured where the extra `metrics` is not installed."""
    from importlib.util import find_spec

    if find_spec("prometheus_client") is None:
        return None
    from acestep_mcp.engine_server.metrics import Metrics

    return Metrics()


def _keys(given: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The fields of QueueOptions: several keys from a file, or else one."""
    file = given["keys"] or settings.engine_keys
    if given["detached"] or file is None:  # one that is started automatically has a key of its own
        return {"key": _key(given["key"], given["key_file"], settings)}
    if given["key"] is not None or given["key_file"] is not None:
        source = "--keys" if given["keys"] else "ACESTEP_ENGINE_KEYS"
        raise ConfigurationError(
            f"{source} takes the place of --key and --key-file. Give one of them, or add that key to {file} as an entry."
        )
    from acestep_mcp.engine_server import api_keys

    return {"keys": api_keys.read(file)}


def _key(given_key: str | None, file: Path | None, settings: Settings) -> str | None:
    """The key from the command line, else the file, else the settings. No message contains it."""
    if given_key is None and file is not None:
        return keys.read(file)
    if given_key is None and settings.engine_key:
        given_key = settings.engine_key.get_secret_value()
    return None if given_key is None else keys.usable(given_key, "The engine's key")


def _public(url: str | None) -> str | None:
    if url is None:
        return None
    from acestep_mcp.net.addresses import parse_url

    try:
        parsed = parse_url(url)
    except InvalidRequest as exc:
        raise ConfigurationError(f"--public-url: {exc.message} Give one like https://music.example.org.") from exc
    if parsed.query or parsed.fragment:
        raise ConfigurationError(f"--public-url {url!r} may not hold a query. Give one like https://music.example.org.")
    return url.rstrip("/")


@contextmanager
def _announce(
    running: RunningServer, *, spec: EngineSpec, has_key: bool, state: OnStarted | None, detached: bool
) -> Iterator[None]:
    """Print the setup lines for clients, and write the state file while the server answers."""
    from contextlib import nullcontext, suppress

    from acestep_mcp.cli.client_setup import lines

    with state(running) if state else nullcontext():
        on_started = lines(running.address, running.authority, has_key=has_key, engine=spec.name, remark=spec.summary)
        with suppress(OSError):  # stderr is closed: no reason to stop
            _tell(on_started[: 1 if detached or logs.is_json() else None])
        yield


def _tell(lines_out: list[str]) -> None:
    """On stderr, where programs may read every line as JSON."""
    for line in lines_out:
        logs.logger.info("%s", line) if logs.is_json() else echo(line, err=True)


def _own_folder(data_dir: Path, name: str) -> Path:
    from acestep_mcp.engine_server.file_store import storage_errors
    from acestep_mcp.engine_server.launch.state import folder_of

    folder = folder_of(data_dir, name)
    with storage_errors(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
