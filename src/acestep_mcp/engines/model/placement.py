"""Where the model's parts lie: the device, its dtype, and what moves there when."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser

Part = Literal["text", "denoiser", "codec"]
_DTYPES = ("bfloat16", "float16", "float32")


def device_of(name: str) -> torch.device:
    """The device to compute on; "auto" takes CUDA, else MPS, else the CPU."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as exc:
        raise ConfigurationError(
            f"PyTorch cannot use the device {name!r} here: {str(exc).splitlines()[0]}. Name another, or leave it to auto."
        ) from exc
    return device


def dtype_of(name: str | None, device: torch.device) -> torch.dtype:
    """bfloat16 on CUDA and float32 elsewhere, unless one is named."""
    import torch

    name = name or ("bfloat16" if device.type == "cuda" else "float32")
    if name not in _DTYPES:
        raise ConfigurationError(f"The model cannot compute in {name!r}. Choose {', '.join(_DTYPES)}.")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def quantize(denoiser: nn.Module, kind: str) -> None:
    """Keep the weights of the transformer's large matrices as int8, a scale a row. No weight can be changed after it."""
    import torch

    if kind != "int8":
        raise ConfigurationError(f"There is no quantisation {kind!r}: only int8.")
    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    except ImportError as exc:
        raise ConfigurationError(
            f"--quantize int8 needs the package torchao ({exc}): pip install torchao, or leave it out."
        ) from exc
    quantize_(
        denoiser,
        Int8WeightOnlyConfig(),
        filter_fn=lambda module, name: isinstance(module, torch.nn.Linear) and name.startswith("transformer.blocks"),
    )


class Parts:
    """The text encoder, the denoiser and the codec, on one device together or, with `offload`, one after the other."""

    def __init__(self, modules: Mapping[str, Sequence[nn.Module]], device: torch.device, *, offload: bool) -> None:
        self.device = device
        self.offload = offload
        self._modules = modules
        for part in modules:
            self._move(part, self._at_home if offload else self._on_device)

    @contextmanager
    def using(self, part: Part) -> Iterator[None]:
        """The part is on the device while the block lasts."""
        if not self.offload:
            yield
            return
        home = self._move(part, self._on_device)
        try:
            yield
        finally:
            for owner, name, tensor in home:
                _set(owner, name, tensor)
            free(self.device)

    def _move(self, part: str, place: Callable[[Tensor], Tensor]) -> list[tuple[nn.Module, str, Tensor]]:
        """Put every tensor of a part somewhere, and give those that were there before: weights never change."""
        before = []
        for module in self._modules[part]:
            for owner in module.modules():
                for name, tensor in (*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)):
                    before.append((owner, name, tensor))
                    _set(owner, name, place(tensor))
        return before

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=self.device.type == "cuda")  # elsewhere the copy may come too late

    def _at_home(self, tensor: Tensor) -> Tensor:
        """In main memory, and on CUDA where the device can fetch it by itself."""
        import torch

        is_plain = type(tensor.data) is torch.Tensor
        return tensor.pin_memory() if self.device.type == "cuda" and is_plain else tensor

    def free(self) -> None:
        """Give the memory back, whoever still holds the modules."""
        import torch

        for part in self._modules:
            self._move(part, lambda _: torch.empty(0))
        if "torch._dynamo" in sys.modules:
            torch.compiler.reset()  # compiled code holds weights, and its graphs memory of their own
        free(self.device)


def _set(owner: nn.Module, name: str, tensor: Tensor) -> None:
    from torch import nn

    if name in owner._buffers:  # noqa: SLF001 - a setter would refuse another device
        owner._buffers[name] = tensor  # noqa: SLF001
    else:
        held = tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=False)
        owner._parameters[name] = held  # noqa: SLF001


def free(device: torch.device) -> None:
    """Give memory that nobody uses any more back to the device and to the system."""
    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # the C library may be another one
            ctypes.CDLL(None).malloc_trim(0)  # it keeps what tensors of some sizes leave behind, for later ones


def compile_transformer(denoiser: Denoiser, device: torch.device, *, offload: bool) -> None:
    """Compile the transformer's blocks, with CUDA graphs where the parameters stay in their places."""
    graphs = device.type == "cuda" and not offload
    denoiser.transformer.compile_blocks(mode="reduce-overhead" if graphs else "default")
