"""An engine server as an application of Ray Serve, which starts it again when it dies: `front` is its import path's name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.cli.engine import ServerPlan, engine, planned
from acestep_mcp.cli.fleet_options import fleet

_STREAMS = 1000
"""How many requests it answers at once; each stream that a caller holds is one."""


class ServedFront:
    """The options are those of `acestep-mcp engine`; those about its address are Serve's business."""

    def __init__(self, options: list[str]) -> None:
        given = engine.make_context("acestep-mcp engine", ["--ray", "auto", *options]).params
        self._plan: ServerPlan = planned(given)
        if self._plan.options.key is None:
            raise ConfigurationError(
                "Anyone who reaches Serve could use this engine. Set ACESTEP_ENGINE_KEY or --key-file."
            )
        replicas = fleet(self._plan.spec, self._plan.model, given)
        assert replicas is not None
        self._fleet = replicas
        self._app: Any = None

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Serve calls this with the deployment's `user_config`: other `weights` are taken by one replica after the other."""
        if weights := user_config.get("weights"):
            self._fleet.weights = weights

    def __serve_build_asgi_app__(self) -> Callable[..., Awaitable[None]]:
        async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            else:
                await self._app(scope, receive, send)

        return answer

    async def _live(self, receive: Any, send: Any) -> None:
        from acestep_mcp.engine_server.app import serving

        options = replace(self._plan.options, scale=self._fleet.scale)
        await receive()
        with ExitStack() as stack:
            engines = [stack.enter_context(closing(each)) for each in self._fleet.engines]
            async with serving(*engines, folder=self._plan.folder, options=options) as self._app:
                await send({"type": "lifespan.startup.complete"})
                await receive()
        await send({"type": "lifespan.shutdown.complete"})


def front(given: dict[str, list[str]]) -> Any:
    """Serve calls this with the application's `args`: `options` is a list, as on the command line of `acestep-mcp engine`."""
    from ray import serve

    deployment = serve.deployment(serve.ingress()(ServedFront), name="front", max_ongoing_requests=_STREAMS)
    return deployment.bind(given["options"])
