"""The model in memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from acestep_mcp.engines.ace_step_v1.codec import Codec
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.lyrics import LyricTokenizer
from acestep_mcp.engines.ace_step_v1.text import TextEncoder
from acestep_mcp.engines.model.placement import ModelParts
from acestep_mcp.engines.model.streams import Aside


@dataclass(frozen=True, slots=True)
class LoadedV1:
    """With offload a part may compute only inside `parts.using`; without, that does nothing."""

    denoiser: Denoiser
    codec: Codec
    text: TextEncoder
    lyrics: LyricTokenizer
    device: torch.device
    dtype: torch.dtype
    parts: ModelParts
    aside: Aside
    bytes_read: int

    def free(self) -> None:
        """Free all memory, even where the modules are still referenced. They cannot be used afterwards."""
        self.denoiser.predictions.free()
        self.parts.free()
