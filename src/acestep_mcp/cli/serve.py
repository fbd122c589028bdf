"""`acestep-mcp serve`: the MCP server on stdio or on Streamable HTTP."""

from __future__ import annotations

from typing import Any

import click

from acestep_mcp.cli.request_options import takes_host_options
from acestep_mcp.settings import load


@takes_host_options
@click.command()
@click.option("--http", is_flag=True, help="Streamable HTTP instead of stdio.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Off loopback a token is required.")
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="0 takes a free one.")
@click.option("--token", help="Bearer token that callers must send; better given as ACESTEP_TOKEN.")
@click.option("--allowed-host", multiple=True, help="Another name callers use, such as a proxy's. May be repeated.")
def serve(http: bool, host: str, port: int, token: str | None, allowed_host: tuple[str, ...], **songs_at: Any) -> int:
    """Serve MCP on stdin and stdout (what `acestep-mcp` alone does), or with --http on a port."""
    settings = load(token=token, **songs_at)
    if http:
        from acestep_mcp.server.http import run

        return run(settings, host=host, port=port, allowed_hosts=allowed_host)
    from acestep_mcp.server.stdio import run as run_stdio

    return run_stdio(settings)
