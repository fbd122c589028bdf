"""A whole song as an MP3 small enough to send inside a message.

Bit rate, sample rate and channels follow from the length; average bit rate is used because libsndfile's constant
one loses the song's exact length at low rates; the very lowest rate alone is constant, to be sure of its size.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.decoder import Decoder, opened
from acestep_mcp.audio.encoder import Shape, encode_as
from acestep_mcp.audio.read import fitting_gain
from acestep_mcp.audio.resample import resampled
from acestep_mcp.audio.splice import FULL_SCALE
from acestep_mcp.files import location, reading

_HEAD_BYTES = 2048
_SPARE, _SPARE_LOW = 0.97, 0.83
_TRUSTED_KBPS = 32.0
_FADE_SECONDS = 2.0
_BEST_KBPS, _LEAST_KBPS = 192.0, 8.0
_MOST_LEVEL = 0.995
_FAMILIES = ((32_000, 44_100, 48_000), (16_000, 22_050, 24_000), (8000, 11_025, 12_000))


@dataclass(frozen=True, slots=True)
class _Quality:
    """The best settings from `kbps` upwards; `lowest` and `highest` are MPEG's bit rates at that sample rate."""

    kbps: float
    sample_rate: int
    channels: int
    lowest: float
    highest: float


_QUALITIES = (
    _Quality(72, 48_000, 2, 32, 320),
    _Quality(48, 32_000, 2, 32, 320),
    _Quality(32, 24_000, 2, 8, 160),
    _Quality(18, 24_000, 1, 8, 160),
    _Quality(12, 16_000, 1, 8, 160),
    _Quality(9.5, 12_000, 1, 8, 64),
    _Quality(0, 8_000, 1, 8, 64),
)


def mp3_preview(source: Path | BinaryIO, *, max_bytes: int = 700 * 1024) -> bytes:
    """The song as MP3 of at most `max_bytes`; an MP3 file that is small enough is returned unchanged.

    A song too long for MP3's lowest bit rate (8 kbit/s: some 11.5 minutes in 700 KiB) is faded out where the space
    ends. Raises InvalidRequest when the file is not complete audio, or `max_bytes` is too small for one second.
    """
    with opened(source) as decoder:
        if decoder.properties.format == "mp3" and decoder.properties.size <= max_bytes:
            with reading(source) as file:
                return file.read()
        seconds = decoder.properties.seconds or _counted_seconds(source)
    gain = fitting_gain(source)
    kbps = min(_BEST_KBPS, _affordable(seconds, max_bytes))
    while kbps > _LEAST_KBPS:
        preview = _encoded(source, kbps, seconds, gain)
        if len(preview) <= max_bytes:
            return preview
        kbps *= _SPARE * max_bytes / len(preview)
    return _beginning(source, seconds, gain, max_bytes)


def _beginning(source: Path | BinaryIO, seconds: float, gain: float, max_bytes: int) -> bytes:
    """As much as fits at the lowest bit rate."""
    length = min(seconds, (max_bytes - _HEAD_BYTES) * 8 / 1000 / _LEAST_KBPS)
    while length >= 1:
        preview = _encoded(source, _LEAST_KBPS, length, gain, fade=length < seconds)
        if len(preview) <= max_bytes:
            return preview
        length *= _SPARE * max_bytes / len(preview)
    raise InvalidRequest(f"No preview of {location(source).name} fits into {max_bytes} bytes. Allow more.")


def _affordable(seconds: float, max_bytes: int) -> float:
    """Kilobits a second to ask for: at low rates LAME's average comes out up to 19 % higher, at high ones lower."""
    exact = max(0, max_bytes - _HEAD_BYTES) * 8 / 1000 / max(seconds, 0.1)
    return exact * (_SPARE if exact * _SPARE >= _TRUSTED_KBPS else _SPARE_LOW)


def _counted_seconds(source: Path | BinaryIO) -> float:
    with opened(source) as decoder:
        return sum(len(block) for block in decoder.blocks()) / decoder.properties.sample_rate


def _encoded(source: Path | BinaryIO, kbps: float, seconds: float, gain: float, *, fade: bool = False) -> bytes:
    quality = next(quality for quality in _QUALITIES if kbps >= quality.kbps)
    target = io.BytesIO()
    with opened(source, gain=gain) as decoder:
        rate, channels = (
            _rate(quality, decoder.properties.sample_rate),
            min(quality.channels, decoder.properties.channels),
        )
        blocks = _shortened(_floats(decoder, channels), decoder, seconds, fade=fade)
        if rate != decoder.properties.sample_rate:
            blocks = resampled(blocks, decoder.properties.sample_rate, rate, channels)
        encode_as(target, blocks, Shape(rate, channels, 16), _settings(quality, kbps))
    return target.getvalue()


def _settings(quality: _Quality, kbps: float) -> dict[str, Any]:
    """The level that libsndfile takes: from 0 (highest bit rate) towards 1 (lowest; 1 itself is refused)."""
    level = (quality.highest - kbps) / (quality.highest - quality.lowest)
    return {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "AVERAGE" if kbps > _LEAST_KBPS else "CONSTANT",
        "compression_level": min(max(level, 0.0), _MOST_LEVEL),
    }


def _rate(quality: _Quality, own: int) -> int:
    """The quality's rate, or the song's own where that is lower and has the same bit rates."""
    family = next(family for family in _FAMILIES if quality.sample_rate in family)
    return own if own in family and own < quality.sample_rate else quality.sample_rate


def _floats(decoder: Decoder, channels: int) -> Iterator[NDArray[Any]]:
    for block in decoder.blocks():
        samples = np.multiply(block, np.float32(1 / FULL_SCALE), dtype=np.float32)
        yield samples.mean(axis=1, keepdims=True) if channels < samples.shape[1] else samples


def _shortened(
    blocks: Iterator[NDArray[Any]], decoder: Decoder, seconds: float, *, fade: bool
) -> Iterator[NDArray[Any]]:
    """The first `seconds`, of which the last two fade out; everything when nothing is cut off."""
    if not fade:
        yield from blocks
        return
    rate = decoder.properties.sample_rate
    left = round(seconds * rate)
    for block in blocks:
        part = block[:left]
        gain = np.minimum(1, (left - np.arange(len(part))) / (_FADE_SECONDS * rate))
        yield (part * gain[:, None]).astype(np.float32)
        left -= len(part)
        if left <= 0:
            return
