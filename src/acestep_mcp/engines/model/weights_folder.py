"""Modules from a folder of safetensors files, read without holding a file in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.model.checkpoint import read_config

Module = TypeVar("Module", bound=nn.Module)
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


class WeightsFolder:
    """A folder of modules, each with a safetensors file and a config.json beside it, for one device and dtype."""

    def __init__(
        self, folder: Path, device: torch.device, dtype: torch.dtype, aliases: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.device = device
        self.dtype = dtype
        self.bytes_read = 0
        self._aliases = aliases or {}

    def config(self, weights: str) -> dict[str, Any]:
        """The config.json beside a file. Raises ConfigurationError if it cannot be read."""
        file = (self.folder / weights).with_name("config.json")
        with file_errors(file):
            return read_config(file)

    def load(
        self,
        weights: str,
        build: Callable[[], Module],
        fill: Callable[[Module, TensorReader], None],
        dtype: torch.dtype | None = None,
    ) -> Module:
        """A module in evaluation mode, filled from a file. It is never initialised with random parameters.

        Raises ConfigurationError that names the file at fault.
        """
        file = self.folder / weights
        with file_errors(file.with_name("config.json")), torch.device("meta"):
            module = nn.Module.to(build(), dtype or self.dtype)  # the libraries' own `to` warns about it
        module.to_empty(device=self.device)
        with file_errors(file):
            reader = TensorReader(file, self._aliases)
            fill(module, reader)
        self.bytes_read += reader.bytes_read
        return module.requires_grad_(requires_grad=False).eval()
