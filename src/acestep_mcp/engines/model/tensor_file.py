"""Reading parameters from a safetensors file without holding the file in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from acestep_mcp.api.errors import ConfigurationError

_REMAP_AFTER = 256 << 20
"""Bytes read before a file is mapped again: pages read from a mapped file count as this process's memory until then."""


class TensorReader:
    """Reads tensors of one memory-mapped safetensors file by name; other tensors are not read.

    `aliases` are other names by which a file may have a tensor.
    """

    def __init__(self, file: Path, aliases: Mapping[str, str]) -> None:
        self.file = file
        self._aliases = aliases
        self.bytes_read = 0
        self._remap()

    def _remap(self) -> None:
        self._since_remap = 0
        self._opened: Any = safe_open(self.file, framework="pt")
        self._names = frozenset(self._opened.keys())

    def __call__(self, name: str, shape: torch.Size) -> Tensor:
        """The tensor of this name. Raises ConfigurationError unless it has the rows and number of elements of `shape`."""
        if self._since_remap > _REMAP_AFTER:
            self._remap()
        value: Tensor = self._opened.get_tensor(self._stored_name(name))
        if value.shape[:1] != shape[:1] or value.numel() != shape.numel():
            mismatch = f"the shape {tuple(value.shape)}, which does not fit {tuple(shape)}"
            raise ConfigurationError(
                f"{self.file}: {name} has {mismatch}. It belongs to another model, or config.json beside it does."
            )
        self._since_remap += value.nbytes
        self.bytes_read += value.nbytes
        return value

    def _stored_name(self, name: str) -> str:
        for stored in (name, self._aliases.get(name, name)):
            if stored in self._names:
                return stored
        raise ConfigurationError(f"{self.file}: the tensor {name} is missing. It is a file of another model.")


@contextmanager
def file_errors(file: Path) -> Iterator[None]:
    """Turn a library's error about a file into a ConfigurationError that names it."""
    try:
        yield
    except (SafetensorError, StrictDataclassError, OSError, ValueError, TypeError, LookupError) as exc:
        raise ConfigurationError(
            f"{file} cannot be used: {str(exc).splitlines()[0] if str(exc) else type(exc).__name__}. "
            "Fetch the published file again."
        ) from exc
