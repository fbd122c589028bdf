"""A server in a process of its own, over the studio in memory.

    python run_server.py stdio|http FOLDER [TOKEN]

What the studio is told goes to stderr, a line each: `told started job-1`. Jobs end only when they are cancelled.
"""

import contextlib
import importlib.util
import sys
from pathlib import Path

from acestep_mcp.server.app import create_server
from acestep_mcp.settings import Settings

spec = importlib.util.spec_from_file_location("conftest", Path(__file__).with_name("conftest.py"))
conftest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conftest)


class Aloud(list):
    def append(self, what):
        super().append(what)
        sys.stderr.write(f"told {' '.join(what)}\n")
        sys.stderr.flush()


@contextlib.asynccontextmanager
async def opened(studio):
    async with studio():
        studio.told.append(("opened",))
        yield studio
        studio.told.append(("closed",))


def main(transport, folder, *rest):
    folder = Path(folder)
    studio = conftest.StudioInMemory(folder)
    studio.told, studio.by_itself = Aloud(), False
    studio.keep("kept", size=5000)
    token = rest[0] if rest else None
    settings = Settings(music_dir=folder, data_dir=folder / "data", wait_seconds=50, token=token)
    server = create_server(lambda: opened(studio), settings, transport=transport)
    if transport == "stdio":
        from acestep_mcp.server import stdio

        sys.exit(stdio.run_server(server))
    from acestep_mcp.server import http

    sys.exit(http.run_server(server, settings, host="127.0.0.1", port=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
