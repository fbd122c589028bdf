"""Options of an engine server that shares its jobs and files with others."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.net import keys
from acestep_mcp.settings import Settings

_VARIABLE = "ACESTEP_ENGINE_JOBS"
_HIDDEN = "***"
_ADDRESS = re.compile(r"(postgres(?:ql)?://[^\s:/@]*:)([^\s@]+)(@.*)", re.DOTALL)

_OPTIONS = (
    click.option(
        "--jobs", metavar="ADDRESS", help="PostgreSQL address of jobs that engine servers share. Needs --files."
    ),
    click.option(
        "--jobs-file", type=click.Path(path_type=Path, dir_okay=False), help="File with that address and its password."
    ),
    click.option("--files", metavar="ADDRESS", help="Where shared files are: s3://, gs:// or file:///."),
    click.option("--send-files", is_flag=True, help="Send files from here, never by addresses of the bucket."),
    click.option(
        "--lease",
        type=click.FloatRange(min=1),
        default=15,
        show_default=True,
        metavar="SECONDS",
        help="Others take over the jobs of a server that is not heard for this time.",
    ),
)


def takes_shared_jobs(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def shared_jobs(given: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The fields of QueueOptions. Raises ConfigurationError for an address that is none of PostgreSQL's."""
    jobs = given["jobs"]
    if jobs is not None:
        _hide_password(jobs)
    if (jobs is None or _HIDDEN in jobs) and settings.engine_jobs:
        jobs = settings.engine_jobs.get_secret_value()
    if given["jobs_file"] is not None:
        jobs = keys.read(given["jobs_file"])
    if jobs is None:
        if given["files"] is not None:
            raise ConfigurationError("--files is for engine servers that share their jobs. Give --jobs as well.")
        return {}
    if not jobs.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError("--jobs must be an address like postgresql://user@host/database.")
    return {"jobs": jobs, "files": given["files"], "sends_files": given["send_files"], "lease": given["lease"]}


def _hide_password(jobs: str) -> None:
    """Start again without the password among the arguments: every user of the machine can read those."""
    found = _ADDRESS.fullmatch(jobs)
    if found is None or found[2] == _HIDDEN or sys.platform == "win32":
        return
    hidden = f"{found[1]}{_HIDDEN}{found[3]}"
    arguments = [argument.replace(jobs, hidden) for argument in sys.orig_argv]
    if jobs not in " ".join(sys.orig_argv):
        return  # the program was not started from a command line
    os.execve(sys.executable, arguments, {**os.environ, _VARIABLE: jobs})  # noqa: S606 - this very program, again
