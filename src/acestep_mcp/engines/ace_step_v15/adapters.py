"""LoRA adapters in the pipeline: those of the engine, merged into the weights, and those that a request names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from acestep_mcp.engines.ace_step_v15.lora_files import adapter_file, check_file, peft_scale
from acestep_mcp.engines.model.engine import is_out_of_memory
from acestep_mcp.engines.model.lora import misfit

MOST_LOADED = 4
"""Adapters that stay in memory for later requests; one of XL has some hundred megabytes."""
_MODEL = "this model of ACE-Step 1.5"
_KEY = re.compile(r"\.lora_[AB](\.default)?\.weight$")


def merge(pipe: Any, adapters: Sequence[tuple[Path, float]]) -> None:
    """Add adapters to the weights for good. Raises ConfigurationError if one does not fit."""
    if not adapters:
        return
    names, weights = [], []
    for number, (path, weight) in enumerate(adapters):
        file = adapter_file(path)
        names.append(f"engine-{number:03}")
        weights.append(weight * _load(pipe, file, names[-1]))
    pipe.set_adapters(names, weights)
    pipe.fuse_lora(adapter_names=names)
    pipe.unload_lora_weights()


class Adapters:
    """The adapters that requests name. They are read at their first use; the last few stay loaded, switched off."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._loaded: dict[tuple[Path, int], tuple[str, float]] = {}
        """By file and its time: the name in the pipeline, and the scale. The one that was used last is last."""
        self._count = 0

    @contextmanager
    def active(self, chosen: Sequence[tuple[Path, float]]) -> Iterator[None]:
        """These adapters, each with its weight, change the model inside the block.

        Raises ConfigurationError if one cannot be used.
        """
        if not chosen:
            yield
            return
        try:
            found = [self._find(file) for file, _ in chosen]
            weights = [scale * weight for (_, scale), (_, weight) in zip(found, chosen, strict=True)]
            self._pipe.enable_lora()
            self._pipe.set_adapters([name for name, _ in found], weights)
            yield
        finally:
            if self._loaded:
                self._pipe.disable_lora()
            self._forget()

    def _find(self, file: Path) -> tuple[str, float]:
        check_file(file)
        key = file, file.stat().st_mtime_ns
        if key not in self._loaded:
            self._count += 1
            name = f"request-{self._count:03}"
            with torch.inference_mode(mode=False):  # its tensors are moved and freed outside that mode
                self._loaded[key] = name, _load(self._pipe, file, name)
        self._loaded[key] = found = self._loaded.pop(key)
        return found

    def _forget(self) -> None:
        """Free the adapters that were used least recently."""
        while len(self._loaded) > MOST_LOADED:
            name, _ = self._loaded.pop(next(iter(self._loaded)))
            with _without_warnings():
                self._pipe.delete_adapters(name)


def _load(pipe: Any, file: Path, name: str) -> float:
    """Load an adapter under this name, through the pipeline's loader, and return its scale.

    Raises ConfigurationError if it does not fit as a whole: the loader leaves out what fits nowhere.
    """
    check_file(file)
    scale = peft_scale(file)
    try:
        state, metadata = pipe.lora_state_dict(
            str(file), local_files_only=True, use_safetensors=True, return_lora_metadata=True
        )
        state = {_in_model(key): tensor.to(pipe.transformer.dtype) for key, tensor in state.items()}
        _check_layers(pipe, file, state)
        with _without_warnings():
            pipe.load_lora_into_transformer(
                state, pipe.transformer, adapter_name=name, metadata=metadata, _pipeline=pipe, low_cpu_mem_usage=True
            )
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, SafetensorError) as exc:
        if is_out_of_memory(exc):
            raise
        raise misfit(file, _MODEL, _reason(exc)) from exc
    return scale


def _check_layers(pipe: Any, file: Path, state: Mapping[str, Tensor]) -> None:
    """Raises ConfigurationError unless every tensor is half of a change of one of the model's matrices."""
    with safe_open(file, framework="pt") as opened:
        odd = [key for key in opened.keys() if not _KEY.search(key)]  # noqa: SIM118 - it is not a mapping
    if odd or not state:
        raise misfit(file, _MODEL, f"it holds {odd[0] if odd else 'nothing'}, which is not part of a LoRA adapter")
    layers = dict(pipe.transformer.named_modules())
    for key in state:
        name = _KEY.sub("", key)
        layer = layers.get(name.removeprefix("transformer."))
        down, up = (state.get(f"{name}.lora_{side}.weight") for side in "AB")
        shape = getattr(getattr(layer, "weight", None), "shape", None)
        if shape is None:
            raise misfit(file, _MODEL, f"it changes {name}, which this model does not have")
        if down is None or up is None or (up.shape[0], down.shape[-1]) != shape or up.shape[-1] != len(down):
            raise misfit(file, _MODEL, f"its change of {name} has another shape than {tuple(shape)}")


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Peft warns of a second adapter in a model, and of one that is deleted while it is switched on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _reason(error: BaseException) -> str:
    """What went wrong first: the loader's own clean-up may fail after it."""
    while error.__context__ is not None:
        error = error.__context__
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]


def _in_model(key: str) -> str:
    """The key of a tensor as the pipeline's loader wants it, where it has not converted it."""
    plain = key.removeprefix("base_model.model.").replace(".default.weight", ".weight")
    return plain if plain.startswith("transformer.") else f"transformer.{plain}"
