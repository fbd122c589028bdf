"""The engine for ACE-Step v1. Importing it does not import torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.engines import Source
from acestep_mcp.engines.ace_step_v1.lyrics.known_marks import mark_notes, told_to_model
from acestep_mcp.engines.model.engine import ModelEngine, SongRun

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v1.loaded import LoadedV1

VERSION = "1"


class AceStepV1(ModelEngine["LoadedV1"]):
    """ACE-Step v1 (3.5 B)."""

    name = "ace-step-v1"
    model = "ACE-Step-v1-3.5B"
    version = VERSION
    memory_options = "--offload or --quantize int8"

    @property
    def concurrency(self) -> int:
        return self.options.batch

    def load(self) -> LoadedV1:
        from acestep_mcp.engines.ace_step_v1.weights import load

        return load(self.options)

    def run(self, loaded: LoadedV1, request: EngineRequest, source: Source | None) -> SongRun:
        from acestep_mcp.engines.ace_step_v1.tasks import TASKS

        audio = yield from TASKS.run(loaded, told_to_model(request), source)
        return replace(audio, lyrics=request.lyrics, notes=(*mark_notes(request.lyrics), *audio.notes))
