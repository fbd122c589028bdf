"""Read songs: `probe` looks at the header, `read` decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.decoder import Decoder, Properties, opened

__all__ = ["Properties", "probe", "read"]

_MOST_BYTES = 2 * 1024**3
_FRAME_BYTES_PER_CHANNEL = 4


def probe(path: Path) -> Properties:
    """What the header says, without decoding. Raises InvalidRequest for what `read` would refuse by the header."""
    with opened(path) as decoder:
        return decoder.properties


def read(path: Path, *, max_seconds: float | None = None) -> Sound:
    """Decode WAV, FLAC, MP3, OGG (also AIFF, AU, CAF, W64), one or two channels, any rate.

    PCM-16 and PCM-24 samples come through exactly; 8 bits become 16, 32 bits and floats become 24 and lossy formats
    16, rounded and clipped. Raises InvalidRequest for anything that is not whole audio, or is longer than
    `max_seconds` (checked before decoding, and again while decoding because a header may lie) or than 2 GiB decoded.
    """
    with opened(path) as decoder:
        properties = decoder.properties
        most = _most_frames(properties, max_seconds)
        if decoder.frames is not None and decoder.frames > most:
            raise _too_long(decoder, f"{properties.seconds:.1f} s", most)
        pcm = _collected(decoder, most)
    return Sound(pcm, properties.sample_rate, properties.bits)


def _most_frames(properties: Properties, max_seconds: float | None) -> int:
    fits = _MOST_BYTES // (_FRAME_BYTES_PER_CHANNEL * properties.channels)
    return fits if max_seconds is None else min(fits, round(max_seconds * properties.sample_rate))


def _collected(decoder: Decoder, most: int) -> NDArray[np.int32]:
    """All blocks in one array that is only as large as the header promised, unless there is more."""
    pcm = np.empty((decoder.frames or 0, decoder.properties.channels), np.int32)
    taken = 0
    for block in decoder.blocks():
        end = taken + len(block)
        if end > most:
            raise _too_long(decoder, f"over {most / decoder.properties.sample_rate:.1f} s", most)
        if end > len(pcm):
            pcm = np.concatenate([pcm[:taken], np.empty((max(end, taken), pcm.shape[1]), np.int32)])
        pcm[taken:end] = block
        taken = end
    return pcm if taken == len(pcm) else pcm[:taken].copy()


def _too_long(decoder: Decoder, length: str, most: int) -> InvalidRequest:
    limit = most / decoder.properties.sample_rate
    message = f"{decoder.name} is {length} long; at most {limit:g} s are accepted: give a shorter file"
    return InvalidRequest.of(FieldError("audio_url", message, type="audio_duration_too_long"))
