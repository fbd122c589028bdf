"""Servers that other people wrote, behind a queue of ours: which one answers, and its engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from acestep_mcp.api.errors import AceStepError, ConfigurationError, NoResponse
from acestep_mcp.engine_server.options import Writer
from acestep_mcp.engines.remote import Form
from acestep_mcp.engines.remote.ledger import Ledger
from acestep_mcp.engines.remote.recognition import WIRES, recognised
from acestep_mcp.net.chosen_server import ChosenServer
from acestep_mcp.songwriter.song_text import SongText

if TYPE_CHECKING:
    from acestep_mcp.engines.remote.engine import RemoteEngine

USUAL = ("http://127.0.0.1:8001", "http://127.0.0.1:8080", "http://127.0.0.1:8085")
"""Where acestep-api and ace-server listen unless they are told otherwise, and where ace-server's own script has it listen."""
_LOOK_SECONDS = 0.5


class Upstreams:
    """`server_of` makes a checked address of one, and raises ConfigurationError. `ledger` is shared by all processes."""

    def __init__(self, server_of: Callable[[str], ChosenServer], ledger: Path, form: Form) -> None:
        self._server_of = server_of
        self._ledger = Ledger(ledger)
        self._form = form
        self._kinds: dict[str, str] = {}
        self._engines: dict[tuple[str, str], RemoteEngine] = {}

    def known(self, url: str) -> str | None:
        """The kind that `kind_at` has found there."""
        return self._kinds.get(url)

    async def kind_at(self, url: str) -> str | None:
        """The kind of server that answers there; None for one of ours, and where nothing answers.

        Raises ConfigurationError for an address that cannot be used, or an ACE-Step server that takes no jobs.
        """
        try:
            wire = await recognised(self._server_of(url).ask)
        except NoResponse as exc:
            # One that loads a model answers nobody meanwhile.
            return self._kinds.get(url) if exc.sent else None
        if wire is None:
            self._kinds.pop(url, None)
            return None
        self._kinds[url] = wire.name
        return wire.name

    async def running(self) -> tuple[str, str] | None:
        """The first of USUAL at which a server answers that can make a song now, and its kind."""
        found: dict[str, str] = {}
        async with anyio.create_task_group() as tasks:
            for url in USUAL:
                tasks.start_soon(self._look_at, url, found)
        for url in USUAL:
            if url in found and (await self.state(found[url], url))[0] is None:
                return found[url], url
        return None

    async def _look_at(self, url: str, found: dict[str, str]) -> None:
        with anyio.move_on_after(_LOOK_SECONDS):
            try:
                kind = await self.kind_at(url)
            except ConfigurationError:
                return
            if kind is not None:
                found[url] = kind

    def engine(self, kind: str, url: str) -> RemoteEngine:
        """Raises ConfigurationError for an address that cannot be used."""
        from acestep_mcp.engines.remote.engine import (
            RemoteEngine,  # loads NumPy, which recognising a server does not need
        )

        found = self._engines.get((kind, url))
        if found is None:
            found = RemoteEngine(WIRES[kind](), self._server_of(url).ask, self._ledger, self._form)
            self._engines[kind, url] = found
        return found

    @staticmethod
    def folder(url: str) -> str:
        """The name of the folder for the queues in front of it."""
        return f"queue-{hashlib.sha256(url.encode()).hexdigest()[:12]}"

    def writer(self, kind: str, url: str, otherwise: Writer) -> Writer:
        """The server's language model; `otherwise` writes where it has none, and when it fails, which a note says."""
        engine = self.engine(kind, url)

        async def write(prompt: str, instrumental: bool, duration: float, seed: int) -> SongText:
            asked = partial(engine.write, prompt, instrumental=instrumental, seed=seed)
            try:
                found, notes = await anyio.to_thread.run_sync(asked), tuple[str, ...]()
            except AceStepError as exc:
                found, notes = None, (f"The server's language model wrote nothing: {exc.message}",)
            if found is not None:
                return SongText(*found, writer=f"the language model of {engine.name}")
            words = await otherwise(prompt, instrumental, duration, seed)
            return replace(words, notes=(*notes, *words.notes))

        return write

    async def state(self, kind: str, url: str) -> tuple[str | None, dict[str, Any]]:
        """Why no song can be made there now, and the server's name, model, version and adapters."""
        engine, trouble, loras = self.engine(kind, url), None, None
        try:
            loras = list((await anyio.to_thread.run_sync(engine.look)).loras) or None
        except AceStepError as exc:
            trouble = exc.message
        return trouble, {"name": engine.name, "model": engine.model, "version": engine.version, "loras": loras}
