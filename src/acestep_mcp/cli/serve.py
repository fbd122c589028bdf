"""`acestep-mcp serve`: the MCP server on stdio or on Streamable HTTP."""

from __future__ import annotations

from typing import Any

import click

from acestep_mcp.cli.request_options import takes_host_options, takes_log_format
from acestep_mcp.settings import load


@takes_host_options
@click.command()
@click.option("--http", is_flag=True, help="Use Streamable HTTP instead of stdio.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on. Other than loopback needs a token."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="0 chooses a free port.")
@click.option(
    "--token",
    help="Bearer token that callers must send. Other users can see it in the list of processes; ACESTEP_TOKEN is safer.",
)
@takes_log_format
@click.option(
    "--allowed-host", multiple=True, help="Another host name that callers use, such as a proxy's. May be repeated."
)
def serve(
    http: bool, host: str, port: int, token: str | None, allowed_host: tuple[str, ...], **host_options: Any
) -> int:
    """Run the MCP server, over stdio or HTTP.

    Over stdio this is the same as `acestep-mcp` without a command.
    """
    settings = load(token=token, **host_options)
    if http:
        from acestep_mcp.server.http import run

        return run(settings, host=host, port=port, allowed_hosts=allowed_host)
    from acestep_mcp.server.stdio import run as run_stdio

    return run_stdio(settings)
