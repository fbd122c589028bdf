"""How much memory this process uses."""

from __future__ import annotations

import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")


def memory_in_use() -> dict[str, int]:
    """Bytes: `resident` of this process, and `device` of its GPU where PyTorch uses one. What is unknown is left out."""
    return {**_resident(), **_on_device()}


def _resident() -> dict[str, int]:
    try:
        import resource
    except ImportError:  # Windows
        return {}
    try:
        return {"resident": int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()}
    except OSError:  # macOS: the most it ever was, in bytes
        return {"resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def _on_device() -> dict[str, int]:
    """Asks PyTorch only where an engine has imported it: that takes seconds."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return {}
    return {"device": int(cuda.memory_reserved())}
