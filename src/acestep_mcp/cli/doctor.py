"""`acestep-mcp doctor`: the settings, what is wrong with them, and which engine would be used."""

from __future__ import annotations

import os
import platform
import re
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import click
from pydantic import SecretStr

from acestep_mcp import __version__
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.assembly import rebuild_index, status_only
from acestep_mcp.cli.output import echo, print_json
from acestep_mcp.cli.repairs import findings, fix_all
from acestep_mcp.cli.request_options import takes_host_options
from acestep_mcp.cli.session import load_settings
from acestep_mcp.settings import Settings

PACKAGES = ("mcp", "httpx", "pydantic", "numpy", "soundfile", "soxr", "pretty_midi", "midirenderer")
_LOW_DISK = 500 * 2**20
# A user name and password in an address, which is refused where it is used.
_LOGIN = re.compile(r"//[^/?#]*@")


@takes_host_options
@click.command()
@click.option("--verbose", "-v", is_flag=True, help="Also print every setting, and the versions of the packages.")
@click.option(
    "--fix",
    is_flag=True,
    help="Put right what can be: damaged databases, temporary files, permissions, owners; and read the list of songs again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with everything.")
def doctor(verbose: bool, fix: bool, as_json: bool, **host: Any) -> int:
    """Check the set-up: settings, folders, databases, engine.

    Changes nothing on the disk without --fix. Exits with 1 if there is, or remains, a problem.
    """
    settings = load_settings(**host)
    places = settings.music_dir, settings.data_dir, settings.database, settings.engine_keys
    fixed, unfixed = _fix(settings, *fix_all(findings(*places))) if fix else ([], [])
    backend, failed = _backend(settings)
    folders = [_folder("music_dir", settings.music_dir), _folder("data_dir", settings.data_dir)]
    found = [finding.problem for finding in findings(*places)]
    # A damaged database is found twice; the first finding names the others too.
    failed = [problem for problem in failed if not any(str(settings.database) in other for other in found)]
    sound, unplayable = _sound(settings)
    problems = [*settings.problems, *unfixed, *found, *failed, *unplayable]
    problems += [problem for folder in folders for problem in folder["problems"] if folder["path"] not in str(problems)]
    report = {
        "version": __version__,
        "problems": list(dict.fromkeys(problems)),
        "fixed": fixed,
        "backend": backend,
        "folders": folders,
        "sound": sound,
        "settings": _settings(settings),
        "versions": _versions(),
    }
    if as_json:
        print_json(report)
    else:
        _print(report)
        _print_all(report) if verbose else echo("Everything else: acestep-mcp doctor --verbose")
    return 1 if problems else 0


def _fix(settings: Settings, fixed: list[str], unfixed: list[str]) -> tuple[list[str], list[str]]:
    """Read the list of songs again, after the rest: what was done, and what could not be."""
    try:
        if settings.music_dir.is_dir() or settings.database.is_file():
            count, told = rebuild_index(settings)
            fixed += [f"The list of songs was read again from {settings.music_dir}: {count} songs.", *told]
    except AceStepError as exc:
        unfixed.append(exc.message)
    return fixed, unfixed


def _backend(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """The studio's status, and the problems it reports; no status when the database cannot be read."""
    try:
        status = anyio.run(status_only, settings)
    except AceStepError as exc:
        return {}, [exc.message]
    return status.facts(), [*status.problems, *([status.trouble] if status.trouble else [])]


def _folder(name: str, path: Path) -> dict[str, Any]:
    """A folder that does not exist yet is checked by its nearest existing parent."""
    there = next((folder for folder in (path, *path.parents) if folder.is_dir()), path)
    free = shutil.disk_usage(there).free if there.is_dir() else 0
    problems = []
    if path.exists() and not path.is_dir():
        problems.append(f"{path} is not a folder. Move it away or set ACESTEP_{name.upper()} to another folder.")
    elif not os.access(there, os.W_OK | os.X_OK):
        problems.append(f"{path} is not writable. Fix its permissions or set ACESTEP_{name.upper()} to another folder.")
    elif free < _LOW_DISK:
        problems.append(
            f"{path} has only {free // 2**20} MiB of free space; a song takes up to 46 MiB. Free some space."
        )
    return {"name": name, "path": str(path), "exists": path.is_dir(), "free_bytes": free, "problems": problems}


def _sound(settings: Settings) -> tuple[str, list[str]]:
    """What plays the draft engine's music on this machine, and what is wrong with the font that is set."""
    from acestep_mcp.engines.draft.soundfont import check, installed_fonts

    if not find_spec("midirenderer"):
        return "the built-in synthesiser (midirenderer has no package for this platform)", []
    if settings.soundfont is None:
        others = "".join(f"; ACESTEP_SOUNDFONT may name {font}" for font in installed_fonts()[:1])
        return f"midirenderer with the built-in General MIDI SoundFont{others}", []
    try:
        check(settings.soundfont)
    except AceStepError as exc:
        return f"midirenderer with {settings.soundfont}, which cannot be played", [exc.message]
    return f"midirenderer with {settings.soundfont}", []


def _settings(settings: Settings) -> dict[str, Any]:
    """Every setting; of a secret only whether it is set."""
    shown: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        shown[name] = "set" if isinstance(value, SecretStr) else _plain(value)
    return shown


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(part) for part in value]
    if isinstance(value, str):
        return _LOGIN.sub("//(hidden)@", value)
    return str(value) if isinstance(value, Path) else value


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _print(report: dict[str, Any]) -> None:
    """What is wrong, then what makes the songs and where they go."""
    echo(f"acestep-mcp {report['version']}")
    for line in report["fixed"]:
        echo(f"Fixed: {line}")
    echo("Problems" if report["problems"] else "No problems found.")
    for problem in report["problems"]:
        echo(f"  - {problem}")
    backend = report["backend"]
    if "backend" in backend:
        echo(f"Songs are made by: {backend['backend']} ({backend['why']})")
    if "transcriber" in backend:
        echo(f"Words that are sung are checked by: {backend['transcriber']}")
    for folder in report["folders"]:
        state = "exists" if folder["exists"] else "created with the first song"
        title = "Songs go to" if folder["name"] == "music_dir" else "Other data is in"
        echo(f"{title}: {folder['path']} ({state}, {folder['free_bytes'] / 2**30:.1f} GiB free)")


def _print_all(report: dict[str, Any]) -> None:
    echo("Status")
    for key, value in report["backend"].items():
        if key not in ("version", "problems", "trouble", "music_dir", "data_dir"):
            echo(f"  {key:<22} {_line(value)}")
    echo(f"Sound\n  {'player':<22} {report['sound']}")
    for title in ("settings", "versions"):
        echo(title.capitalize())
        for key, value in report[title].items():
            echo(f"  {key:<22} {_line(value)}")


def _line(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(part)}" for key, part in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
