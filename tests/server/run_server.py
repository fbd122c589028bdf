"""A server in a process of its own, over the studio in memory; what the studio is told goes to a file, a line each.

    python run_server.py stdio|http FOLDER [TOKEN]

A file `never` in the folder: jobs do not end by themselves.
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


class Written(list):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def append(self, what):
        super().append(what)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(" ".join(what) + "\n")


def main(transport, folder, *rest):
    folder = Path(folder)
    studio = conftest.StudioInMemory(folder)
    studio.told = Written(folder / "told.txt")
    studio.by_itself = not (folder / "never").exists()
    told = studio.told

    async def start(*args, **kwargs):
        job = await type(studio).start(studio, *args, **kwargs)
        told.append(("started", job.id))
        return job

    studio.start = start
    settings = Settings(music_dir=folder, data_dir=folder / "data", wait_seconds=20, token=rest[0] if rest else None)
    server = create_server(lambda: opened(studio, told), settings, transport=transport)
    if transport == "stdio":
        from acestep_mcp.server import stdio

        sys.exit(stdio.run_server(server))
    else:
        from acestep_mcp.server import http

        sys.exit(http.run_server(server, settings, host="127.0.0.1", port=0))


@contextlib.asynccontextmanager
async def opened(studio, told):
    async with studio():
        told.append(("opened",))
        yield studio
        told.append(("closed",))


if __name__ == "__main__":
    main(*sys.argv[1:])
