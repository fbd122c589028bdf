"""The fleet of an engine that runs on a Ray cluster."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.fleet.connection import connect
from acestep_mcp.engines.fleet.fleet import Bounds, Fleet
from acestep_mcp.engines.processes.devices import own_process

if TYPE_CHECKING:
    from acestep_mcp.engines.model.options import EngineOptions
    from acestep_mcp.engines.processes.device_spec import DeviceSpec
    from acestep_mcp.engines.registry import EngineSpec


def fleet_for(spec: EngineSpec, options: EngineOptions, address: str, bounds: Bounds) -> Fleet:
    """Replicas of this engine on a cluster, each with a GPU, or with a processor where it computes on the CPU.

    Raises ConfigurationError.
    """
    if options.batch > 1:
        raise ConfigurationError(
            f"--batch {options.batch} does not go with --ray yet: each replica makes one song at a time. Leave one out."
        )
    kind = "cpu" if spec.files is None or options.device == "cpu" else "cuda"
    described = spec.create(options.model_copy(update={"device": "cpu"}))
    resources = {"num_cpus": 1.0, "num_gpus": 1.0 if kind == "cuda" else 0.0}
    weights = str(options.weights) if options.weights else None
    build = partial(_spec, spec, options, kind)
    return Fleet(connect(address), described, build, bounds, resources=resources, weights=weights)


def _spec(spec: EngineSpec, options: EngineOptions, kind: str, weights: str | None) -> DeviceSpec:
    chosen = options.model_copy(update={"weights": Path(weights)}) if weights else options
    return own_process(spec, chosen, kind, kind, {})
