"""A server in its own process, with a RecordingStudio.

    python run_server.py stdio|http FOLDER [TOKEN]

Its events go to stderr, one per line: `event started job-1`.
"""

import sys
from contextlib import asynccontextmanager
from pathlib import Path

from acestep_mcp.server.app import create_server
from acestep_mcp.settings import Settings
from tests.server.recording import StudioFactory


class PrintingFactory(StudioFactory):
    def record(self, event, job_id):
        super().record(event, job_id)
        print_event(*self.events[-1])


def print_event(*parts):
    sys.stderr.write(f"event {' '.join(parts)}\n")
    sys.stderr.flush()


def main(transport, folder, token=None):
    folder = Path(folder)
    settings = Settings(music_dir=folder / "music", data_dir=folder / "data", wait_seconds=50, token=token)
    studio_factory = PrintingFactory(settings)
    studio_factory.add_track("kept")

    @asynccontextmanager
    async def opened():
        async with studio_factory() as studio:
            print_event("opened")
            yield studio
        print_event("closed")

    server = create_server(opened, settings, transport=transport)
    if transport == "stdio":
        from acestep_mcp.server import stdio

        sys.exit(stdio.run_server(server))
    from acestep_mcp.server import http

    sys.exit(http.run_server(server, settings, host="127.0.0.1", port=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
