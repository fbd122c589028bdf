"""The engine for ACE-Step 1.5. Importing it does not import torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.engines import Source
from acestep_mcp.engines.ace_step_v15.lora_files import offered
from acestep_mcp.engines.ace_step_v15.published import NAME
from acestep_mcp.engines.model.engine import ModelEngine, SongRun
from acestep_mcp.readers.lora_tags import LoraTag, without_loras

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

    @property
    def loras(self) -> tuple[str, ...]:
        return tuple(offered(self.options.lora_dir))

    def load(self) -> LoadedV15:
        from acestep_mcp.engines.ace_step_v15.weights import load

        return load(self.options)

    def run(self, loaded: LoadedV15, request: EngineRequest, source: Source | None) -> SongRun:
        from acestep_mcp.engines.ace_step_v15.tasks import run

        plain, named = without_loras(request, files := offered(self.options.lora_dir))
        song = run(loaded, plain, source, [(files[tag.name], tag.weight) for tag in named])
        return _with_tags(song, request.tags, named)


def _with_tags(run: SongRun, tags: str, named: tuple[LoraTag, ...]) -> SongRun:
    """The song has the request's tags, so that making it again takes the same adapters, and a note that names those."""
    audio = yield from run
    used = ", ".join(f"{tag.name} ({tag.weight:g})" for tag in named)
    return replace(audio, tags=tags, notes=(*audio.notes, f"LoRA: {used}.")) if named else audio
