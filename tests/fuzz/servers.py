"""The two HTTP servers in this process, each as a function from a request to its answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.server.app import create_server
from acestep_mcp.server.http import http_app
from acestep_mcp.settings import Settings
from tests.fuzz.arguments import KEPT
from tests.fuzz.routes import OPENED, App, Got, Sent, answer
from tests.server.recording import StudioFactory
from tests.support.engine import Tone

Ask = Callable[[Sent], Got]


@contextmanager
def engine_server(folder: Path) -> Iterator[Ask]:
    """An engine server that makes half a second of a tone, sends webhooks nowhere and downloads nothing."""

    async def post(_: str, __: bytes, ___: dict[str, str]) -> int:
        return 200

    options = QueueOptions(database=folder / "queue.sqlite3", post=post, max_upload=4 * 2**20)
    with _in_a_thread(lambda: serving(Tone(), folder=folder / "files", options=options)) as ask:
        job = json.loads(ask(Sent("POST", "/fal-ai/ace-step", body=b'{"tags":"lofi"}')).body)["request_id"]
        upload = json.loads(ask(Sent("POST", "/storage/upload/initiate", body=b"{}")).body)
        secret, name = (upload[key].rpartition("/")[2] for key in ("upload_url", "file_url"))

        def opened(sent: Sent) -> Got:
            ids = (
                [name, secret]
                if sent.path.startswith("/files/")
                else [secret]
                if sent.path.startswith("/put/")
                else [job]
            )
            for known in ids:
                sent.path = sent.path.replace(OPENED, known, 1)
            return ask(sent)

        yield opened


@contextmanager
def http_server(folder: Path, token: str | None = None) -> Iterator[Ask]:
    """`serve --http`, with one song."""
    chosen = Settings(music_dir=folder / "music", data_dir=folder / "data", wait_seconds=0, token=token)
    factory = StudioFactory(chosen)
    path = factory.add_track(KEPT, seconds=1)
    sidecar = path.with_suffix(".json").read_text(encoding="utf-8")

    @asynccontextmanager
    async def app() -> AsyncIterator[App]:
        server = create_server(factory, chosen, transport="http")
        opened = http_app(server, chosen, host="127.0.0.1")
        async with server.session_manager.run():
            yield opened

    with _in_a_thread(app) as ask:

        def with_the_song(sent: Sent) -> Got:
            trashed = path.parent / ".trash" / path.name
            if not path.exists() and trashed.exists():  # an earlier request deleted it
                trashed.rename(path)
                path.with_suffix(".json").write_text(sidecar, encoding="utf-8")
            return ask(sent)

        yield with_the_song


@contextmanager
def _in_a_thread(app: Callable[[], object]) -> Iterator[Ask]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(app()) as opened:
        yield lambda sent: portal.call(answer, opened, sent)
