"""The published denoiser: condition encoder and transformer in one module, and what is said of a song."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from acestep_mcp.engines.ace_step_v1.conditions import ConditionEncoder
from acestep_mcp.engines.ace_step_v1.transformer import Config, Context, Transformer


@dataclass(frozen=True, slots=True)
class Said:
    """Tags and lyrics as the model takes them.

    `text` are the text encoder's hidden states [1, n, width], `weak_text` the same from weakened queries, `text_mask`
    [1, n]; `lyric` are token ids [1, m], `lyric_mask` [1, m], which is 0 where there are no words.
    """

    text: Tensor
    weak_text: Tensor
    text_mask: Tensor
    lyric: Tensor
    lyric_mask: Tensor
    speaker: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Weaken:
    """Where the predictions to move away from hear the condition weakly; elsewhere they do not hear it at all."""

    tags: bool = True
    lyrics: bool = True
    transformer: bool = True


Condition = tuple[Tensor, Tensor]
"""Tokens [1, N, D] and their mask [1, N]."""


class Denoiser(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.conditions = ConditionEncoder(config)
        self.transformer = Transformer(config)

    def full(self, said: Said) -> Condition:
        """Everything that is said."""
        return self.conditions((said.text, said.text_mask), (said.lyric, said.lyric_mask), said.speaker)

    def uncond(self, said: Said, weaken: Weaken) -> Condition:
        """What guidance moves away from."""
        text = said.weak_text if weaken.tags else torch.zeros_like(said.text)
        return self._with_faint_lyrics((text, said.text_mask), said, weaken)

    def text_only(self, said: Said, weaken: Weaken) -> Condition:
        """The tags in full, the lyrics faintly or not at all."""
        return self._with_faint_lyrics((said.text, said.text_mask), said, weaken)

    def nothing(self, said: Said) -> Condition:
        """No tags and no lyrics; of the same length as what is said."""
        lyric = (torch.zeros_like(said.lyric), torch.zeros_like(said.lyric_mask))
        return self.conditions((torch.zeros_like(said.text), said.text_mask), lyric)

    def _with_faint_lyrics(self, text: Condition, said: Said, weaken: Weaken) -> Condition:
        ids = said.lyric if weaken.lyrics else torch.zeros_like(said.lyric)
        return self.conditions(text, (ids, said.lyric_mask), weakened=weaken.lyrics)

    def context(self, conditions: list[Condition], frames: int, weakened: Tensor | None = None) -> Context:
        """One batch of all conditions, padded to the longest."""
        longest = max(tokens.shape[1] for tokens, _ in conditions)
        tokens = torch.cat([_padded(tokens, longest) for tokens, _ in conditions])
        mask = torch.cat([_padded(mask[..., None], longest)[..., 0] for _, mask in conditions])
        return self.transformer.context(tokens, mask, frames, weakened)


def _padded(x: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(x, (0, 0, 0, length - x.shape[1]))
