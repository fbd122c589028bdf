"""The device that the model computes on, and its dtype."""

from __future__ import annotations

import ctypes
import re
import sys
from typing import TYPE_CHECKING

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

_DTYPES = ("bfloat16", "float16", "float32")


def device_name(device: str) -> str | None:
    """A name for the device that is the same in every process of this machine; None if it needs no lock.

    Does not import PyTorch. A CUDA device is named by its UUID, since ordinals depend on CUDA_VISIBLE_DEVICES.
    """
    kind, _, number = device.partition(":")
    if kind in {"auto", "cuda"}:
        uuid = _gpu_uuid(int(number) if number.isdecimal() else 0)
        if uuid or kind == "cuda":
            return uuid or device
    is_apple = sys.platform == "darwin" and kind in {"auto", "mps"}
    return "mps" if is_apple else None


def gpu_count() -> int | None:
    """The number of NVIDIA GPUs that this process may use; None without their driver."""
    count = ctypes.c_int()
    try:
        driver = _driver()
        return None if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) else count.value
    except (OSError, AttributeError):
        return None


def _gpu_uuid(ordinal: int) -> str | None:
    """`GPU-...` of a CUDA device. Asks the driver, which creates no context and takes no memory."""
    try:
        driver = _driver()
        device, uuid = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        calls = (
            lambda: driver.cuInit(0),
            lambda: driver.cuDeviceGet(ctypes.byref(device), ordinal),
            lambda: driver.cuDeviceGetUuid(ctypes.byref(uuid), device),
        )
        if any(call() for call in calls):
            return None
    except (OSError, AttributeError):
        return None
    return "GPU-" + re.sub(r"^(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-", bytes(uuid).hex())


def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def torch_device(name: str) -> torch.device:
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


def torch_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """bfloat16 on CUDA and float32 elsewhere, unless one is named."""
    import torch

    name = name or ("bfloat16" if device.type == "cuda" else "float32")
    if name not in _DTYPES:
        raise ConfigurationError(f"The model cannot compute in {name!r}. Choose {', '.join(_DTYPES)}.")
    dtype: torch.dtype = getattr(torch, name)
    return dtype
