"""Read songs: `probe` looks at the header, `probe_source` at both ends too, `read` decodes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.api.edits import LONGEST_SOURCE
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.decoder import Decoder, Properties, opened

__all__ = ["Properties", "fitting_gain", "probe", "probe_source", "read", "turned_down_note"]

_FRAME_BYTES_PER_CHANNEL = 4
_MOST_BYTES = 2**30
_MOST_SOURCE_BYTES = int(LONGEST_SOURCE) * 48_000 * 2 * _FRAME_BYTES_PER_CHANNEL
"""The longest source any endpoint takes, in stereo at 48 kHz. At higher rates a source must be shorter."""


def probe(source: Path | BinaryIO) -> Properties:
    """What the header says, without decoding. Raises InvalidRequest for what `read` would refuse by the header."""
    with opened(source) as decoder:
        return decoder.properties


def probe_source(source: Path | BinaryIO, *, max_seconds: float, name: str = "") -> Properties:
    """`probe` with the true length, for a song that is to be edited: its first and last moments are decoded too.

    Raises InvalidRequest for what is not audio, is cut short, or is too long for `read`; damage further inside
    is found only by decoding all of it. A file that states no length is decoded once, in blocks, to count it.
    """
    with opened(source, name) as decoder:
        most = _most_frames(decoder.properties, max_seconds)
        _check_length(decoder, decoder.frames or 0, most)
        decoder.check_ends()
        if decoder.frames is not None:
            return decoder.properties
    with opened(source, name) as decoder:
        frames = 0
        for block in decoder.blocks():
            frames += len(block)
            _check_length(decoder, frames, most)
        return replace(decoder.properties, seconds=frames / decoder.properties.sample_rate)


def read(source: Path | BinaryIO, *, max_seconds: float | None = None, name: str = "") -> Sound:
    """Decode WAV, FLAC, MP3, OGG (also AIFF, AU, CAF, W64, and with `av` what FFmpeg decodes), of at most 384 kHz.

    PCM-16 and PCM-24 samples come through exactly; 8 bits become 16, 32 bits and floats become 24 and lossy formats
    16, rounded. Floats above full scale are not clipped: the whole song is turned down (`Sound.gain`). Raises InvalidRequest, which
    calls the file `name`, for anything that is not complete audio, is longer than `max_seconds` or takes too much memory:
    1 GiB of samples, and with `max_seconds` 230 MB. Both are checked before decoding, and again while decoding because a header may lie.
    """
    with opened(source, name) as decoder:
        properties = decoder.properties
        most = _most_frames(properties, max_seconds)
        _check_length(decoder, decoder.frames or 0, most)
        pcm = _collected(decoder, most)
        gain = decoder.fitting_gain()
    if gain < 1:
        del pcm  # before as much is allocated again
        with opened(source, name, gain=gain) as decoder:
            pcm = _collected(decoder, most)
    return Sound(pcm, properties.sample_rate, properties.bits, gain, properties.notes)


def fitting_gain(source: Path | BinaryIO) -> float:
    """The factor with which no sample of a file is above full scale: 1 where none is. A file of floats is decoded."""
    with opened(source) as decoder:
        if decoder.is_floating:
            for _ in decoder.blocks():
                pass
        return decoder.fitting_gain()


def turned_down_note(what: str, gain: float) -> tuple[str, ...]:
    """What was done to a sound with samples above full scale; nothing where `gain` is 1."""
    if gain >= 1:
        return ()
    decibels = -20 * math.log10(gain)
    return (
        f"{what} goes above full scale: all of it was turned down by {decibels:.1f} dB, so that nothing is clipped.",
    )


def _most_frames(properties: Properties, max_seconds: float | None) -> int:
    frame = _FRAME_BYTES_PER_CHANNEL * properties.channels
    if max_seconds is None:
        return _MOST_BYTES // frame
    return min(_MOST_SOURCE_BYTES // frame, round(max_seconds * properties.sample_rate))


def _collected(decoder: Decoder, most: int) -> NDArray[np.int32]:
    """All blocks in one array. Only pages that are written take memory, so an array that is too large is free."""
    pcm = np.empty((decoder.frames or 0, decoder.properties.channels), np.int32)
    taken = 0
    for block in decoder.blocks():
        end = taken + len(block)
        _check_length(decoder, end, most)
        if end > len(pcm):
            grown = np.empty((min(most, 2 * end), pcm.shape[1]), np.int32)
            grown[:taken] = pcm[:taken]
            pcm = grown
        pcm[taken:end] = block
        taken = end
    return pcm[:taken]


def _check_length(decoder: Decoder, frames: int, most: int) -> None:
    if frames <= most:
        return
    rate = decoder.properties.sample_rate
    length = f"{frames / rate:.1f} s" if frames == decoder.frames else f"over {most / rate:.1f} s"
    limit, advice = f"{most / rate:g} s are accepted", "give a shorter file"
    frame = _FRAME_BYTES_PER_CHANNEL * decoder.properties.channels
    if rate > 48_000 and most in (_MOST_BYTES // frame, _MOST_SOURCE_BYTES // frame):
        limit, advice = f"{limit} at {rate} Hz", f"{advice} or a lower sample rate"
    message = f"{decoder.name} is {length} long; at most {limit}: {advice}"
    raise InvalidRequest.of(FieldError("audio_url", message, type="audio_duration_too_long"))
