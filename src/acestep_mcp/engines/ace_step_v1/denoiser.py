"""The published denoiser: condition encoder and transformer in one module."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from acestep_mcp.engines.ace_step_v1.condition_encoder import ConditionEncoder, Tokens
from acestep_mcp.engines.ace_step_v1.transformer import Transformer, TransformerConfig
from acestep_mcp.engines.model.predictions import PlainPredictions, Prediction, StaticPredictions


@dataclass(frozen=True, slots=True)
class Conditioning:
    """Tags and lyrics as the model takes them.

    `text`: the text encoder's hidden states [1, n, width]; `weakened_text`: the same with weakened queries;
    `text_mask`: [1, n]; `lyric_ids`: token ids [1, m]; `lyric_mask`: [1, m].
    """

    text: Tensor
    weakened_text: Tensor
    text_mask: Tensor
    lyric_ids: Tensor
    lyric_mask: Tensor


@dataclass(frozen=True, slots=True)
class EntropyRectification:
    """Where the unconditional prediction uses a weakened condition (the published "ERG") instead of none at all."""

    tags: bool = True
    lyrics: bool = True
    transformer: bool = True


class Denoiser(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.condition_encoder = ConditionEncoder(config)
        self.transformer = Transformer(config)
        self.predictions: PlainPredictions | StaticPredictions = PlainPredictions(self.transformer)

    def full(self, given: Conditioning) -> Tokens:
        """Tags and lyrics."""
        return self.condition_encoder((given.text, given.text_mask), (given.lyric_ids, given.lyric_mask))

    def unconditional(self, given: Conditioning, rectification: EntropyRectification, *, tags: bool = False) -> Tokens:
        """The condition that guidance steers away from: weakened lyrics or none, and the tags, weakened ones or none."""
        text = given.text if tags else given.weakened_text if rectification.tags else torch.zeros_like(given.text)
        ids = given.lyric_ids if rectification.lyrics else torch.zeros_like(given.lyric_ids)
        lyric = (ids, given.lyric_mask)
        return self.condition_encoder((text, given.text_mask), lyric, weakened=rectification.lyrics)

    def empty(self, given: Conditioning) -> Tokens:
        """Neither tags nor lyrics, with as many tokens as `given`."""
        lyric = (torch.zeros_like(given.lyric_ids), torch.zeros_like(given.lyric_mask))
        return self.condition_encoder((torch.zeros_like(given.text), given.text_mask), lyric)

    def prepare(self, conditions: list[Tokens], frames: int, weakened: Tensor | None = None) -> Prediction:
        """The predictions of a run: one per condition [1, N, D], in one batch. Queries are weakened where `weakened` [B] is."""
        tokens = pad_sequence([tokens[0] for tokens, _ in conditions], batch_first=True)
        mask = pad_sequence([mask[0] for _, mask in conditions], batch_first=True)
        return self.predictions.prepare(tokens, mask, frames, weakened)
