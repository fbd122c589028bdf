"""Work that goes on for as long as the server runs, and that no error ends."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio

from acestep_mcp.api.errors import AceStepError, isolated

logger = logging.getLogger(__name__)


async def repeat(work: Callable[[], Awaitable[None]], name: str, pause: float) -> None:
    """Run `work` again and again, `pause` seconds after each end. An error ends one round only, and is logged."""
    while True:
        try:
            with isolated(logger, "%s failed and is tried again in %g s", name, pause):
                await work()
        except AceStepError as error:
            logger.warning("%s failed and is tried again in %g s: %s", name, pause, error.message)
        await anyio.sleep(pause)
