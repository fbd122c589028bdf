"""The pipeline in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from acestep_mcp.engines.ace_step_v15.adapters import Adapters
from acestep_mcp.engines.model.placement import release_cached_memory


@dataclass(frozen=True, slots=True)
class LoadedV15:
    """The pipeline, the name of its model, the shift of its timesteps towards noise, and the adapters for requests."""

    pipe: Any
    device: torch.device
    model: str
    shift: float
    adapters: Adapters

    @property
    def turbo(self) -> bool:
        """The model is distilled for eight steps without guidance."""
        return bool(self.pipe.is_turbo)

    @property
    def covers(self) -> bool:
        """The weights include the audio tokenizer, which covers need; only some models are published with it."""
        return self.pipe.audio_tokenizer is not None and self.pipe.audio_token_detokenizer is not None

    @property
    def sample_rate(self) -> int:
        return int(self.pipe.sample_rate)

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return int(self.pipe.vae.hop_length)

    def free(self) -> None:
        """Free all memory, even where the modules are still referenced. They cannot be used afterwards."""
        self.pipe.remove_all_hooks()
        for part in self.pipe.components.values():
            if isinstance(part, nn.Module):
                nn.Module.to(part, "meta")  # the libraries' own `to` warns about it
        release_cached_memory(self.device)
