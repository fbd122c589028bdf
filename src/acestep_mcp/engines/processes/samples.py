"""A sound as its shape, which is JSON, and its samples: 32 bits each, little endian."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acestep_mcp.audio import Sound

    Buffer = bytes | NDArray[Any]


def read_samples(pipe: IO[bytes], shape: dict[str, Any]) -> bytes:
    """Raises EOFError when the pipe ends first."""
    size = 4 * shape["frames"] * shape["channels"]
    samples = pipe.read(size)
    if len(samples) < size:
        raise EOFError
    return samples


def shape_of(sound: Sound) -> dict[str, Any]:
    frames, channels = sound.pcm.shape
    return {"frames": frames, "channels": channels, "sample_rate": sound.sample_rate, "bits": sound.bits}


def samples_of(sound: Sound) -> memoryview:
    import numpy as np

    return np.ascontiguousarray(sound.pcm, dtype="<i4").data.cast("B")


def sound_of(shape: dict[str, Any], samples: Buffer) -> Sound:
    import numpy as np

    from acestep_mcp.audio import Sound

    pcm = np.frombuffer(samples, dtype="<i4").reshape(shape["frames"], shape["channels"])
    return Sound(pcm, shape["sample_rate"], shape["bits"])
