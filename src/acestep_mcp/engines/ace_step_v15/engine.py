"""The engine as the queue's worker knows it. Importing this is light: torch comes with the first song."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acestep_mcp.engines.ace_step_v15.published import NAME
from acestep_mcp.engines.model.engine import ModelEngine

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v15.weights import Loaded

VERSION = "1"


class AceStepV15(ModelEngine):
    """The models of ACE-Step 1.5: turbo (eight steps, no guidance), base and sft."""

    name = NAME
    version = VERSION

    @property
    def model(self) -> str:
        """The family, and once it is loaded which of it."""
        return getattr(self._loaded, "model", "ACE-Step-v1.5")

    def load(self) -> Loaded:
        from acestep_mcp.engines.ace_step_v15.weights import load

        return load(self.options)
