"""Encode blocks of int32 samples as WAV, FLAC, MP3 or Ogg Vorbis."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.resample import resampled
from acestep_mcp.audio.sndfile import Forward
from acestep_mcp.audio.tags.file_tags import Format

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_VORBIS_RATES = (8000, 192_000)

_BEST_MP3: dict[str, Any] = {"bitrate_mode": "VARIABLE", "compression_level": 0.0}
_GOOD_VORBIS: dict[str, Any] = {"compression_level": 0.4}


@dataclass(frozen=True, slots=True)
class Shape:
    sample_rate: int
    channels: int
    bits: int


def encode(target: BinaryIO, blocks: Iterable[NDArray[Any]], shape: Shape, form: Format) -> None:
    """Write a complete file; the sample rate changes only where the format does not have it.

    MP3 is LAME's V0 and Vorbis quality 6. Raises the OSError of a failed write, and InvalidRequest for a sound that
    the format cannot hold.
    """
    blocks = _short(blocks, shape.sample_rate)
    rate = _possible_rate(shape.sample_rate, form)
    if rate != shape.sample_rate:
        blocks = resampled(blocks, shape.sample_rate, rate, shape.channels)
    encode_as(target, blocks, Shape(rate, shape.channels, shape.bits), _settings(form, shape.bits))


def encode_as(target: BinaryIO, blocks: Iterable[NDArray[Any]], shape: Shape, settings: dict[str, Any]) -> None:
    """Write a complete file with these soundfile settings; the format must have the rate.

    No block may be much longer than a second: a long write of Ogg Vorbis crashes the process inside libsndfile.
    """
    sink = _Sink(target)
    try:
        with Forward(sink, "w", shape.sample_rate, shape.channels, **settings) as file:
            for block in blocks:
                file.write(block)
                sink.check()
    except soundfile.LibsndfileError as exc:
        sink.check()
        message = f"{settings['format']} cannot hold {shape.channels} channels at {shape.sample_rate} Hz: choose wav"
        raise InvalidRequest(message) from exc
    sink.check()


def _possible_rate(rate: int, form: Format) -> int:
    if form == "mp3" and rate not in MP3_RATES:
        return next((known for known in MP3_RATES if known >= rate), MP3_RATES[-1])
    if form == "ogg":
        return min(max(rate, _VORBIS_RATES[0]), _VORBIS_RATES[1])
    return rate


def _settings(form: Format, bits: int) -> dict[str, Any]:
    match form:
        case "wav" | "flac":
            return {"format": form.upper(), "subtype": f"PCM_{bits}"}
        case "mp3":
            return {"format": "MP3", "subtype": "MPEG_LAYER_III", **_BEST_MP3}
        case "ogg":
            return {"format": "OGG", "subtype": "VORBIS", **_GOOD_VORBIS}


def _short(blocks: Iterable[NDArray[Any]], rate: int) -> Iterator[NDArray[Any]]:
    """The same samples in blocks of at most one second."""
    for block in blocks:
        for start in range(0, len(block), rate):
            yield np.ascontiguousarray(block[start : start + rate])


class _Sink(io.RawIOBase):
    """A file object for libsndfile that remembers the first OSError.

    Exceptions cannot pass through C: after a failure writes seem to succeed, and `check` raises the error.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._error: OSError | None = None

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as exc:
                self._error = exc
        return len(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as exc:
            self._error = self._error or exc
            return 0

    def tell(self) -> int:
        return self._file.tell()
