"""Change notices: a track was finished, deleted or restored. Two protocol eras, two pipes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, SubscriptionBus

from acestep_mcp.api.errors import AceStepError

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

logger = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0


class Notices:
    """Tells modern listeners through the bus, and each legacy connection through its own channel."""

    def __init__(self, bus: SubscriptionBus) -> None:
        self._bus = bus
        self.sessions: dict[int, ServerSession] = {}

    def join(self, ctx: ServerRequestContext[Any, Any]) -> None:
        """Remember a legacy connection until it closes."""
        session = ctx.session
        connection = session._connection  # noqa: SLF001 - the only thing that knows when a connection ends
        self.sessions[id(connection)] = session
        connection.exit_stack.callback(self.sessions.pop, id(connection), None)

    async def follow(self, studio: Studio) -> None:
        """Send notices for every change until cancelled."""
        while True:
            try:
                await self._follow(studio)
            except AceStepError as error:
                logger.warning("changes cannot be told for now: %s", error.message)
                await anyio.sleep(_AGAIN_SECONDS)

    async def _follow(self, studio: Studio) -> None:
        async for track in studio.changes():
            await self._bus.publish(ResourcesListChanged())
            await self._bus.publish(ResourceUpdated(uri=track.uri))
            for session in tuple(self.sessions.values()):
                await session.send_resource_list_changed()
