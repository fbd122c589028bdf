"""The engine for ACE-Step 1.5. Importing it does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.engines import Source
from acestep_mcp.engines.ace_step_v15.published import NAME
from acestep_mcp.engines.model.engine import ModelEngine, SongRun

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v15.loaded import LoadedV15

VERSION = "1"


class AceStepV15(ModelEngine["LoadedV15"]):
    """The models of ACE-Step 1.5: turbo (eight steps, no guidance), base and sft."""

    name = NAME
    version = VERSION

    @property
    def model(self) -> str:
        """The family, or the exact model once it is loaded."""
        return getattr(self._loaded, "model", "ACE-Step-v1.5")

    def load(self) -> LoadedV15:
        from acestep_mcp.engines.ace_step_v15.weights import load

        return load(self.options)

    def run(self, loaded: LoadedV15, request: EngineRequest, source: Source | None) -> SongRun:
        from acestep_mcp.engines.ace_step_v15.tasks import run

        return run(loaded, request, source)
