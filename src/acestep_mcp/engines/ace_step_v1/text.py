"""Tags to hidden states, with the UMT5 encoder and its tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from acestep_mcp.engines.ace_step_v1.transformer import WEAKENED

MAX_TOKENS = 256
_WEAKENED_LAYERS = (8, 9)


class TextEncoder:
    """The tags' input of the condition encoder.

    `tokenizer` is a `tokenizers.Tokenizer`: with transformers' own classes around it the ids of some tags depend on
    the version of transformers.
    """

    def __init__(self, encoder: Any, tokenizer: Any) -> None:
        self.encoder = encoder
        self.tokenizer = tokenizer

    def ids(self, tags: str) -> tuple[Tensor, Tensor]:
        """Token ids [1, n] and their mask, truncated to 256 tokens with the end mark."""
        ids = torch.tensor([self._encode(tags).ids], device=self.encoder.shared.weight.device)
        return ids, torch.ones_like(ids)

    def truncates(self, tags: str) -> bool:
        """Whether these tags have more than 256 tokens."""
        return bool(self._encode(tags).overflowing)

    def _encode(self, tags: str) -> Any:
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        return self.tokenizer.encode(tags)

    def hidden_states(self, ids: Tensor, mask: Tensor, *, weakened: bool = False) -> Tensor:
        """[1, n, width]; `weakened` scales down the queries of two layers."""
        with self._weakened_queries() if weakened else torch.no_grad():
            return self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state

    @contextmanager
    def _weakened_queries(self) -> Iterator[None]:
        blocks = self.encoder.encoder.block
        queries = [blocks[n].layer[0].SelfAttention.q for n in _WEAKENED_LAYERS if n < len(blocks)]
        hooks = [query.register_forward_hook(lambda _module, _inputs, out: out * WEAKENED) for query in queries]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
