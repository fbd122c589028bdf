"""`acestep-mcp install HOST`: write this server into the configuration of an MCP host, or remove it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest
from acestep_mcp.cli.install import jsonc
from acestep_mcp.cli.install.hosts import HOSTS, NAME, Machine, McpHost
from acestep_mcp.cli.install.program import command
from acestep_mcp.cli.output import echo
from acestep_mcp.files import make_folder, storage_errors, write_bytes
from acestep_mcp.net.addresses import parse_url

_ADVICE = "use --print and paste the entry yourself"


def _address(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    """Refuse what the settings would refuse at the host's next start, where nobody sees it."""
    try:
        if given:
            parse_url(given)
    except InvalidRequest as exc:
        raise click.BadParameter(exc.message) from exc
    return given


_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("host", type=click.Choice([*HOSTS]), metavar="HOST")
@click.option("--fal-key-file", type=_existing, help="A text file with your fal key, so that fal makes the songs.")
@click.option("--engine-url", callback=_address, help="Address of an engine server that makes the songs.")
@click.option("--music-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder for the songs.")
@click.option("--print", "only_print", is_flag=True, help="Print the file as it would be, and write nothing.")
@click.option("--remove", is_flag=True, help="Remove the server from the configuration.")
def install(
    host: str,
    fal_key_file: Path | None,
    engine_url: str | None,
    music_dir: Path | None,
    *,
    only_print: bool,
    remove: bool,
) -> None:
    """Write this server into the configuration of HOST.

    HOST is claude-desktop, claude-code, cursor, vscode, codex, windsurf or zed.

    Other servers and settings, and comments, stay as they are. Settings (env) of an earlier entry stay, unless they are
    given again. The earlier file is kept beside it as a backup.
    """
    given = {
        "ACESTEP_KEY_FILE": fal_key_file and str(fal_key_file.absolute()),
        "ACESTEP_ENGINE_URL": engine_url,
        "ACESTEP_MUSIC_DIR": music_dir and str(music_dir.absolute()),
    }
    chosen = HOSTS[host]
    file = chosen.file(Machine(sys.platform, Path.home(), os.environ))
    before = _read(file)
    settings = {name: value for name, value in given.items() if value}
    after = _changed(chosen, file, before or "", None if remove else settings)
    if only_print:
        echo(after)
    elif after == (before or ""):
        echo(f"Nothing to change in {file}.")
    else:
        backup = _replaced(file, before, after)
        echo(
            f"{'Removed from' if remove else 'Written to'} {file}.{f' The earlier file is {backup}.' if backup else ''}"
        )
        echo(f"{chosen.title} stops using it at its next start." if remove else chosen.then)


def _read(file: Path) -> str | None:
    """None where there is no such file. Raises ConfigurationError for one that is not text."""
    with storage_errors("read", file, _ADVICE):
        if not file.exists():
            return None
        content = file.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _broken(file, "it is not UTF-8 text") from exc


def _changed(host: McpHost, file: Path, text: str, settings: Mapping[str, str] | None) -> str:
    """The file's text with the entry, or without it where `settings` is None. Raises ConfigurationError for a broken file."""
    try:
        if file.suffix == ".toml":
            return _changed_toml(host, text, settings)
        path = [host.table, NAME]
        earlier = jsonc.value_at(text, path) if text.strip("\ufeff \t\r\n") else None
        if settings is None:
            return jsonc.without_member(text, path) if earlier is not None else text
        entry = _merged(earlier, host.entry(command(), settings))
        return text if entry == earlier else _ended(jsonc.with_member(text, path, entry))
    except ValueError as exc:
        raise _broken(file, str(exc)) from exc


def _changed_toml(host: McpHost, text: str, settings: Mapping[str, str] | None) -> str:
    import tomllib

    import tomlkit

    tomllib.loads(text)  # raises ValueError with the place
    whole = tomlkit.parse(text)
    servers = whole.setdefault(host.table, tomlkit.table(is_super_table=True))
    if not isinstance(servers, dict):
        raise ValueError(f"{host.table} is not a table")  # noqa: TRY004 - one type for whatever is wrong with a file
    earlier = servers.get(NAME)
    if settings is None:
        return tomlkit.dumps(whole) if servers.pop(NAME, None) is not None else text
    known = earlier.unwrap() if earlier is not None else None
    entry = _merged(known, host.entry(command(), settings))
    if entry == known:
        return text
    servers[NAME] = entry
    return tomlkit.dumps(whole)


def _merged(earlier: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry, with what the earlier one has besides: fields that a host or a person added, and settings."""
    if not isinstance(earlier, dict):
        return entry
    known = earlier.get("env")
    return {**earlier, **entry, "env": {**(known if isinstance(known, dict) else {}), **entry["env"]}}


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _replaced(file: Path, before: str | None, after: str) -> Path | None:
    """Write the file, through a link if it is one; returns the copy of the earlier one."""
    real = file.resolve()
    make_folder(real.parent, _ADVICE)
    backup = None
    with storage_errors("write", file, _ADVICE):
        if before is not None:
            backup = real.with_name(f"{real.name}.{datetime.now().astimezone():%Y%m%d-%H%M%S}.bak")
            shutil.copy2(real, backup)
        mode = real.stat().st_mode if before is not None else None
        write_bytes(real, after.encode("utf-8"), _ADVICE, private=True)
        if mode is not None:
            real.chmod(mode)
    return backup


def _broken(file: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(f"{file} was left as it is: {reason}. Fix that place, and run this again.")
