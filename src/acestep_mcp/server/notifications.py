"""Notifications that a track was finished, deleted or restored, for clients of both protocol eras."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, SubscriptionBus

from acestep_mcp.api.errors import AceStepError, isolated
from acestep_mcp.server import sdk

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


class ChangeNotifier:
    """Notifies modern listeners through the bus, and legacy clients through their sessions."""

    def __init__(self, bus: SubscriptionBus) -> None:
        self._bus = bus
        self.sessions: dict[object, ServerSession] = {}

    def join(self, ctx: ServerRequestContext[Any, Any]) -> None:
        """Remember a legacy connection until it closes."""
        key = object()
        self.sessions[key] = ctx.session
        sdk.on_connection_end(ctx.session, lambda: self.sessions.pop(key, None))

    async def follow(self, studio: Studio) -> None:
        """Send a notification for every change until cancelled."""
        while True:
            try:
                await self._follow(studio)
            except AceStepError as error:
                logger.warning("notifications of changes failed, trying again: %s", error.message)
                await anyio.sleep(_RETRY_SECONDS)

    async def _follow(self, studio: Studio) -> None:
        async for track in studio.catalogue.changes():
            await self._bus.publish(ResourcesListChanged())
            await self._bus.publish(ResourceUpdated(uri=track.uri))
            for session in tuple(self.sessions.values()):
                # One client's broken connection must not silence the others.
                with isolated(logger, "a client could not be notified"):
                    await session.send_resource_list_changed()
