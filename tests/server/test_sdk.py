"""The private parts of the SDK that `server/sdk.py` uses exist and behave as it expects."""

import sys

import anyio
import pytest
from mcp.server import MCPServer, Server
from mcp.server.stdio import stdio_server

from acestep_mcp.server import sdk


def test_an_mcp_server_has_a_lowlevel_server_that_takes_handlers_and_a_lifespan():
    low = sdk.lowlevel(MCPServer("x"))
    assert isinstance(low, Server)
    assert callable(low.add_request_handler)
    assert callable(low.lifespan)


@pytest.mark.anyio
async def test_the_stdio_writer_shows_that_it_waits_for_the_next_message(tmp_path):
    (tmp_path / "in").touch()
    async with (
        await anyio.open_file(tmp_path / "in") as incoming,
        await anyio.open_file(tmp_path / "out", "w") as outgoing,
        stdio_server(incoming, outgoing) as (read, written),
        read,
        written,
    ):
        with anyio.fail_after(5):
            await sdk.flushed(written)


def test_without_rich_the_import_fails_and_afterwards_works(monkeypatch):
    monkeypatch.delitem(sys.modules, "rich.console", raising=False)
    with sdk.without_rich(), pytest.raises(ImportError):
        import rich.console  # noqa: F401
    assert "rich.console" not in sys.modules
