"""Moving the model's parts between main memory and the device, and freeing them."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Part = Literal["text", "denoiser", "codec"]


class ModelParts:
    """Text encoder, denoiser and codec: all on the device or, with `offload`, each only while it computes."""

    def __init__(self, modules: Mapping[str, Sequence[nn.Module]], device: torch.device, *, offload: bool) -> None:
        self.device = device
        self.offload = offload
        self._modules = modules
        for part in modules:
            self._move(part, self._to_host if offload else self._to_device)

    @contextmanager
    def using(self, part: Part) -> Iterator[None]:
        """The part is on the device inside the block."""
        if not self.offload:
            yield
            return
        host_tensors = self._move(part, self._to_device)
        try:
            yield
        finally:
            for owner, name, tensor in host_tensors:
                _set_tensor(owner, name, tensor)
            release_cached_memory(self.device)

    def _move(self, part: str, move: Callable[[Tensor], Tensor]) -> list[tuple[nn.Module, str, Tensor]]:
        """Replace every tensor of a part. Returns the old ones: weights never change, so they can be put back."""
        before = []
        for module in self._modules[part]:
            for owner in module.modules():
                for name, tensor in (*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)):
                    before.append((owner, name, tensor))
                    _set_tensor(owner, name, move(tensor))
        return before

    def _to_device(self, tensor: Tensor) -> Tensor:
        # Asynchronous copies are ordered before their use on CUDA only.
        return tensor.to(self.device, non_blocking=self.device.type == "cuda")

    def _to_host(self, tensor: Tensor) -> Tensor:
        """In main memory; for CUDA in pinned memory, which the device reads faster."""
        import torch

        is_plain = type(tensor.data) is torch.Tensor
        return tensor.pin_memory() if self.device.type == "cuda" and is_plain else tensor

    def free(self) -> None:
        """Empty every tensor, so that memory is freed even where the modules are still referenced."""
        import torch

        for part in self._modules:
            self._move(part, lambda _: torch.empty(0))
        if "torch._dynamo" in sys.modules:
            torch.compiler.reset()  # compiled code holds weights, and its graphs memory of their own
        release_cached_memory(self.device)


def _set_tensor(owner: nn.Module, name: str, tensor: Tensor) -> None:
    from torch import nn

    if name in owner._buffers:  # noqa: SLF001 - a setter would refuse another device
        owner._buffers[name] = tensor  # noqa: SLF001
    else:
        parameter = tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=False)
        owner._parameters[name] = parameter  # noqa: SLF001


def release_cached_memory(device: torch.device) -> None:
    """Return unused memory to the device and to the system."""
    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # not every C library has it
            ctypes.CDLL(None).malloc_trim(0)  # glibc keeps freed blocks of some sizes for later
