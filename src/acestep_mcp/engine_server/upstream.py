"""Servers that other people wrote, behind a queue of ours: which one answers, and its engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from acestep_mcp.api.errors import AceStepError, NoResponse
from acestep_mcp.engines.remote import Form
from acestep_mcp.engines.remote.ledger import Ledger
from acestep_mcp.engines.remote.recognition import WIRES, recognised
from acestep_mcp.net.chosen_server import ChosenServer

if TYPE_CHECKING:
    from acestep_mcp.engines.remote.engine import RemoteEngine


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

    async def state(self, kind: str, url: str) -> tuple[str | None, dict[str, str | None]]:
        """Why no song can be made there now, and the server's name, model and version."""
        engine, trouble = self.engine(kind, url), None
        try:
            await anyio.to_thread.run_sync(engine.look)
        except AceStepError as exc:
            trouble = exc.message
        return trouble, {"name": engine.name, "model": engine.model, "version": engine.version}
