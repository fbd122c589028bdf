"""The command group, and the one place where an error becomes a message or JSON, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from acestep_mcp import __version__
from acestep_mcp.api import logs
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.cli.doctor import doctor
from acestep_mcp.cli.engine import engine
from acestep_mcp.cli.install import install
from acestep_mcp.cli.jobs import jobs
from acestep_mcp.cli.make import make
from acestep_mcp.cli.output import echo, failure, print_json
from acestep_mcp.cli.serve import serve
from acestep_mcp.cli.tracks import tracks

EPILOG = "Without a command, acestep-mcp is an MCP server on stdin and stdout, for a host to start."


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="acestep-mcp", message="%(prog)s %(version)s")
def commands() -> None:
    """Make music from tags and lyrics: a command line, and an MCP server for language models."""


for command in (serve, make, tracks, jobs, doctor, engine, install):
    commands.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Returns 0 for success, 1 for an error, 2 for a wrong command line, 130 after Ctrl-C."""
    _replace_unprintable()
    as_json = "--json" in arguments
    try:
        code = commands.main(list(arguments), prog_name="acestep-mcp", standalone_mode=False)
    except click.UsageError as exc:
        return _usage_error(exc, "usage", 2, as_json=as_json)
    except click.ClickException as exc:
        return _usage_error(exc, "error", exc.exit_code, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        echo("Stopped.", err=True)
        return 130
    except AceStepError as exc:
        if as_json:
            print_json(failure(exc))
        elif logs.is_json():
            logs.logger.error("%s", exc.message)
        else:
            echo(f"Error: {exc.message}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _usage_error(exc: click.ClickException, code: str, exit_code: int, *, as_json: bool) -> int:
    if as_json:
        print_json({"error": {"code": code, "message": exc.format_message()}})
    else:
        exc.show()
    return exit_code


def _replace_unprintable() -> None:
    """Print characters that the console cannot encode, such as a Japanese title, as question marks."""
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
