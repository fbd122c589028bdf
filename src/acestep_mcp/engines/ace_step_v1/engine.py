"""The engine as the queue's worker knows it. Importing this is light: torch comes with the first song."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acestep_mcp.engines.model.engine import ModelEngine

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v1.weights import Loaded

VERSION = "1"


class AceStepV1(ModelEngine):
    """ACE-Step v1 (3.5 B)."""

    name = "ace-step-v1"
    model = "ACE-Step-v1-3.5B"
    version = VERSION
    _savings = "--offload or --quantize int8"

    def load(self) -> Loaded:
        from acestep_mcp.engines.ace_step_v1.weights import load

        return load(self.options)
