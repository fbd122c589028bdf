"""A server in a process of its own, over the whole house.

    python run_server.py stdio|http FOLDER [TOKEN]

What the studio is told goes to stderr, a line each: `told started job-1`.
"""

import sys
from contextlib import asynccontextmanager
from pathlib import Path

from acestep_mcp.server.app import create_server
from acestep_mcp.settings import Settings
from tests.server.overheard import House


class Aloud(House):
    def hear(self, what, job_id):
        super().hear(what, job_id)
        say(*self.told[-1])


def say(*words):
    sys.stderr.write(f"told {' '.join(words)}\n")
    sys.stderr.flush()


def main(transport, folder, token=None):
    folder = Path(folder)
    settings = Settings(music_dir=folder / "music", data_dir=folder / "data", wait_seconds=50, token=token)
    house = Aloud(settings)
    house.keep("kept")

    @asynccontextmanager
    async def opened():
        async with house() as studio:
            say("opened")
            yield studio
        say("closed")

    server = create_server(opened, settings, transport=transport)
    if transport == "stdio":
        from acestep_mcp.server import stdio

        sys.exit(stdio.run_server(server))
    from acestep_mcp.server import http

    sys.exit(http.run_server(server, settings, host="127.0.0.1", port=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
