"""Options of an engine server whose engines run on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    from acestep_mcp.engines.fleet.fleet import Fleet
    from acestep_mcp.engines.model.options import EngineOptions
    from acestep_mcp.engines.registry import EngineSpec

MOST = 1000
_COUNT = click.IntRange(1, MOST)
_OPTIONS = (
    click.option(
        "--ray", metavar="ADDRESS", help="Run the engine on a Ray cluster: its head, or auto for that of this machine."
    ),
    click.option("--min-replicas", type=_COUNT, metavar="N", help="With --ray: keep this many loaded. [default: 1]"),
    click.option(
        "--max-replicas", type=_COUNT, metavar="N", help="With --ray: at most this many. [default: --min-replicas]"
    ),
)


def takes_fleet(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def fleet(spec: EngineSpec, options: EngineOptions, given: dict[str, Any]) -> Fleet | None:
    """The fleet, connected to its cluster; None without --ray. Raises ConfigurationError."""
    least, most = given["min_replicas"], given["max_replicas"]
    if given["ray"] is None:
        if least or most:
            raise ConfigurationError("--min-replicas and --max-replicas are for a Ray cluster. Give --ray as well.")
        return None
    if given["devices"] is not None:
        raise ConfigurationError("--devices is for this machine and --ray for a cluster. Leave one out.")
    least = least or 1
    most = most or least
    if most < least:
        raise ConfigurationError(f"--max-replicas {most} is less than --min-replicas {least}.")
    from acestep_mcp.engines.fleet.assembled import fleet_for
    from acestep_mcp.engines.fleet.fleet import Bounds

    return fleet_for(spec, options, given["ray"], Bounds(least, most))
