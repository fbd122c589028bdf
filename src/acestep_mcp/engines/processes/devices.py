"""An engine for each device of an engine server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from acestep_mcp.engines import Engine, concurrency_of
from acestep_mcp.engines.processes.batch_engine import BatchEngine
from acestep_mcp.engines.processes.device_engine import DeviceEngine
from acestep_mcp.engines.processes.device_names import device_names
from acestep_mcp.engines.processes.device_spec import DeviceSpec

if TYPE_CHECKING:
    from acestep_mcp.engines.model.options import EngineOptions
    from acestep_mcp.engines.registry import EngineSpec


def engines_for(spec: EngineSpec, options: EngineOptions, given: str | None) -> Sequence[Engine]:
    """One engine in this process, or with `given`, the value of --devices, one for each device in a process of its own.

    Raises ConfigurationError.
    """
    if given is None:
        return [spec.create(options)]
    names = device_names(given, computes_on_cpu=spec.files is None)
    return [_on(name, spec, options, names) for name in names]


def _on(name: str, spec: EngineSpec, options: EngineOptions, names: tuple[str, ...]) -> DeviceEngine:
    kind, _, number = name.partition(":")
    described = spec.create(options.model_copy(update={"device": name if kind == "cuda" else kind}))
    # The process sees one GPU only: what a library does on its default device is then done on the right one.
    environment = {"CUDA_VISIBLE_DEVICES": _visible(int(number))} if kind == "cuda" else {}
    if kind == "cpu":
        threads = max(1, (os.cpu_count() or 1) // sum(other.startswith("cpu") for other in names))
        environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(threads)}
    made = BatchEngine if concurrency_of(described) > 1 else DeviceEngine
    return made(described, own_process(spec, options, name, kind, environment))


def own_process(
    spec: EngineSpec, options: EngineOptions, name: str, kind: str, environment: dict[str, str]
) -> DeviceSpec:
    """For the process of a device: an engine on the first device of its kind that the process sees."""
    alone = options.model_copy(update={"device": kind})
    given = {"engine": spec.name, "options": alone.model_dump(mode="json")}
    return DeviceSpec(name, "acestep_mcp.engines.registry:in_own_process", given, environment)


def _visible(number: int) -> str:
    """The GPU of this ordinal, as CUDA_VISIBLE_DEVICES of a process names it; the variable may hide some from this one."""
    listed = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
    return listed[number] if number < len(listed) else str(number)
