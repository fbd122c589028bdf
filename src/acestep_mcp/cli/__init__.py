"""The command `acestep-mcp`: an MCP server on stdio by default, and commands for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_TERMINAL_HINT = """\
This is an MCP server: a host such as Claude Desktop starts it and speaks JSON-RPC over stdin and stdout.
To make a song yourself: acestep-mcp make --help. To check the set-up: acestep-mcp doctor. Ctrl-D stops the server.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code.

    Without arguments, or with `serve` alone, it is the stdio server. The modules of the other commands are not imported
    then, so that a host does not wait for them.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in ([], ["serve"]):
        return _serve_stdio()
    try:
        from acestep_mcp.cli.app import run

        return run(given)
    except KeyboardInterrupt:  # before the command began: importing takes a moment
        sys.stderr.write("Stopped before anything was started.\n")
        return 130


def _serve_stdio() -> int:
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write(_TERMINAL_HINT)
    from acestep_mcp.server import stdio
    from acestep_mcp.settings import load

    return stdio.run(load())
