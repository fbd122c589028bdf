"""What the process of a device is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A device and the process that computes on it.

    The process calls `factory` ("module:function") with `given`, which returns the engine; it has `environment` besides
    the usual variables.
    """

    name: str
    factory: str
    given: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def build(self) -> dict[str, Any]:
        """What the process gets first: how to make the engine."""
        return {"factory": self.factory, "given": self.given}
