"""Any audio file as blocks of int32 samples, checked before and while it is decoded."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn

import numpy as np
import soundfile
from numpy.typing import NDArray

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.audio import kinds
from acestep_mcp.audio.av_stream import AvStream
from acestep_mcp.audio.containers import layout, multimedia
from acestep_mcp.audio.containers.parts import AudioPart, Unreadable
from acestep_mcp.audio.resample import resampled
from acestep_mcp.audio.samples import HEADROOM, quantised, rounded
from acestep_mcp.audio.sndfile import SampleStream, SndfileStream
from acestep_mcp.files import location, reading

ACCEPTED = "WAV, FLAC, MP3, OGG, AIFF, AU, CAF or W64 with one or two channels"
HIGHEST_RATE = 384_000

_UNKNOWN_CODEC = (1, 4, 64)
"""Of libsndfile: an unrecognised format, an unsupported encoding, a format chunk of WAV that it does not know."""
_FEWEST_UNUSED = 4_000
_MOST_MISSING_SECONDS, _MOST_MISSING_SHARE = 0.5, 0.25
_LOUDEST = 2.0**32
"""Larger floats are damage, not music: integers of 32 bits that were stored as floats reach 2**31."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a file's headers say. `seconds` is 0 when they state no length; `bits` is the depth it is decoded at.

    `is_plain` when it is one song as its header describes it, so that its bytes can be copied. `notes` say what of the
    file is not read.
    """

    seconds: float
    sample_rate: int
    channels: int
    bits: Literal[16, 24]
    format: str
    content_type: str
    size: int
    is_plain: bool = True
    notes: tuple[str, ...] = ()


def refuse(name: str, reason: str) -> NoReturn:
    """Raise InvalidRequest for a source that is not usable audio."""
    raise InvalidRequest.of(
        FieldError("audio_url", f"{name} {reason}; accepted is {ACCEPTED}", type="unsupported_audio_format")
    )


@dataclass(frozen=True, slots=True)
class _Content:
    """The streams of every part of a file, and the bytes behind them that are none. `is_plain` as in Properties."""

    streams: Sequence[SampleStream]
    unused: int
    is_plain: bool


class Decoder:
    """An open audio file: its properties, and its samples in blocks of at most one second.

    A file of several songs, one after the other, is one song with the highest sample rate and the most channels of them.
    `peak` is the largest sample decoded so far where these are floats, with full scale at 1.
    """

    def __init__(self, content: _Content, size: int, name: str, *, gain: float) -> None:
        streams = self._streams = _usable(content.streams, name)
        self._gain = gain
        self.is_floating = any(stream.is_floating for stream in streams)
        self.peak = 0.0
        self.name = name
        rate = max(stream.sample_rate for stream in streams)
        known = [stream.frames * rate / stream.sample_rate for stream in streams if stream.frames is not None]
        self.frames: int | None = round(sum(known)) if len(known) == len(streams) else None
        self.properties = Properties(
            seconds=(self.frames or 0) / rate,
            sample_rate=rate,
            channels=max(stream.channels for stream in streams),
            bits=24 if any(stream.bits == 24 for stream in streams) else 16,
            format=streams[0].format,
            content_type=streams[0].content_type,
            size=size,
            is_plain=content.is_plain,
            notes=_left_out(streams, content.unused),
        )

    def blocks(self) -> Iterator[NDArray[np.int32]]:
        """Left-aligned samples [frames, channels]. Raises InvalidRequest where the file is cut short."""
        taken = 0
        for stream in self._streams:
            for block in self._conformed(stream, taken):
                taken += len(block)
                yield self._finished(block)
        if not taken:
            refuse(self.name, "has no sound in it")

    def check_ends(self) -> None:
        """Decode the first block and one near the end: most damaged files show there. Raises InvalidRequest."""
        began = 0.0
        for stream in self._streams:
            if not stream.has_ends(_spared(stream)):
                refuse(self.name, _breaks_off(began))
            began += (stream.frames or 0) / stream.sample_rate

    def _conformed(self, stream: SampleStream, before: int) -> Iterator[NDArray[Any]]:
        """Its blocks with the rate and channels of the whole; `before` frames come before them."""
        blocks, channels = self._checked(stream, before), self.properties.channels
        if stream.channels < channels:
            blocks = (np.repeat(block, channels, axis=1) for block in blocks)
        if stream.sample_rate == self.properties.sample_rate:
            return blocks
        return resampled(blocks, stream.sample_rate, self.properties.sample_rate, channels)

    def _checked(self, stream: SampleStream, before: int) -> Iterator[NDArray[Any]]:
        taken = 0
        failure: Exception | None = None
        try:
            for block in stream.blocks():
                taken += len(block)
                yield block
        except (soundfile.LibsndfileError, Unreadable) as exc:
            failure = exc
        there, whole = taken / stream.sample_rate, stream.stated / stream.sample_rate
        is_damaged = failure is not None and stream.has_ends(_spared(stream))
        if is_cut(whole - there, whole) and taken and not is_damaged:
            refuse(self.name, _breaks_off(before / self.properties.sample_rate + there))
        if failure is not None:
            raise _unreadable(self.name, failure) from failure

    def _finished(self, block: NDArray[Any]) -> NDArray[np.int32]:
        """At the depth and with the gain of the whole."""
        bits = self.properties.bits
        if block.dtype == np.int32:
            return rounded(block, bits) if self._gain == 1 else quantised(block * (self._gain / 2**31), bits)
        self.peak = max(self.peak, _peak(block))
        return quantised(block if self._gain == 1 else block * self._gain, bits)

    def fitting_gain(self) -> float:
        """The factor with which no sample decoded so far is above full scale: 1 where none is."""
        if self.peak <= 1 + 2 ** (1 - self.properties.bits):
            return 1.0
        return float(HEADROOM / self.peak)


def _spared(stream: SampleStream) -> int:
    return int(_MOST_MISSING_SECONDS * stream.sample_rate)


def is_cut(missing: float, whole: float) -> bool:
    """Whether so many seconds are missing, of a song of `whole` seconds (0: unknown), that it counts as cut off.

    Writers that state a few bytes too much, and copies that lost a last frame, do not.
    """
    return missing > min(_MOST_MISSING_SECONDS, (whole or np.inf) * _MOST_MISSING_SHARE)


@contextmanager
def opened(source: Path | BinaryIO, name: str = "", *, gain: float = 1.0) -> Iterator[Decoder]:
    """Decode an audio file. Raises InvalidRequest for anything whose header is not that of complete, usable audio.

    One that is open already is used and stays open. Messages call it `name`, else its file name. All samples are multiplied by `gain`. Only files that begin like one of
    the known formats reach the decoding libraries.
    """
    name = name or location(source).name
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(reading(source))
            if not raw.read(1):
                refuse(name, "is empty")
            data = stack.enter_context(mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ))
            content = _content(raw, data, name)
        except OSError as exc:
            message = f"{name} cannot be opened ({exc.strerror or exc}): check that the file is there and readable"
            raise InvalidRequest.of(FieldError("audio_url", message, type="file_download_error")) from exc
        data.close()
        size = os.fstat(raw.fileno()).st_size
        yield Decoder(content, size, name, gain=gain)


def _content(raw: BinaryIO, data: mmap.mmap, name: str) -> _Content:
    """What is in the file, checked for parts that are cut. Raises InvalidRequest."""
    start = layout.after_tags(data)
    kind = kinds.foreign(data, start)
    if kind is not None:
        return _foreign(raw, data, kind, name)
    try:
        found = layout.parts(data)
    except Unreadable as exc:
        refuse(name, str(exc))
    if not found:
        refuse(name, "is not an audio file of a known kind")
    _check_parts(found, name)
    try:
        streams = [SndfileStream(raw, part) for part in found]
    except soundfile.LibsndfileError as exc:
        kind = kinds.unsupported(data, start)
        if kind is None or exc.code not in _UNKNOWN_CODEC:
            raise _unreadable(name, exc) from exc
        return _foreign(raw, data, kind, name)
    return _Content(streams, layout.unused(data, found), is_plain=len(found) == 1 and found[0].is_as_written)


def _foreign(raw: BinaryIO, data: mmap.mmap, kind: kinds.Kind, name: str) -> _Content:
    """What is in a file that only FFmpeg decodes. Raises InvalidRequest, without it with what to do."""
    try:
        found = multimedia.parts(data, layout.after_tags(data), kind.demuxer)
        _check_parts(found, name)
        return _Content([AvStream(raw, part, kind) for part in found], layout.unused(data, found), is_plain=False)
    except ImportError:
        refuse(name, f"is {kind.label}: {kind.advice(name)}")
    except Unreadable as exc:
        refuse(name, f"is {kind.label} and cannot be decoded ({exc}): {kind.conversion(name)}")


def _check_parts(found: Sequence[AudioPart], name: str) -> None:
    began = 0.0
    for part in found:
        if is_cut(part.missing, part.seconds):
            refuse(name, _breaks_off(began + max(0.0, part.seconds - part.missing)))
        began += part.seconds


def _usable(streams: Sequence[SampleStream], name: str) -> Sequence[SampleStream]:
    """The streams that have sound. Raises InvalidRequest for one that is not read, or when there is none."""
    for stream in streams:
        if stream.channels > 2:
            refuse(name, f"has {stream.channels} channels")
        if stream.sample_rate > HIGHEST_RATE:
            refuse(name, f"has a sample rate of {stream.sample_rate} Hz, and at most {HIGHEST_RATE} Hz are read")
    usable = [stream for stream in streams if stream.frames != 0 and stream.sample_rate > 0]
    if not usable:
        refuse(name, "has no sound in it")
    return usable


def _left_out(streams: Sequence[SampleStream], unused: int) -> tuple[str, ...]:
    """Notes on what of a file is not read. A few bytes behind the end are a tag or a checksum, and no music."""
    notes = []
    if unused >= _FEWEST_UNUSED:
        notes.append(
            f"The last {unused // 1000} kB of the file are no audio that can be read here: the song ends before them. "
            "If something is missing, export it as WAV or FLAC from a program that plays all of it."
        )
    tracks = max(stream.tracks for stream in streams)
    if tracks > 1:
        notes.append(
            f"The file has {tracks} audio tracks: the first one is used. For another one, save it as a file of its own."
        )
    return tuple(notes)


def _breaks_off(seconds: float) -> str:
    after = f" after {seconds:.1f} s" if seconds > 0 else ""
    return f"breaks off{after}: it is not whole, so copy, download or export it again"


def _peak(block: NDArray[np.float64]) -> float:
    highest = float(np.max(np.abs(block), initial=0))
    if highest <= _LOUDEST:
        return highest
    sound = np.abs(np.nan_to_num(block, nan=0.0))
    return float(np.max(sound, initial=0, where=sound <= _LOUDEST))


def _unreadable(name: str, exc: Exception) -> InvalidRequest:
    reason = str(exc).rpartition(":")[2].strip(" .'\"") or "the data is damaged"
    message = f"{name} cannot be decoded ({reason[:80]}); accepted is {ACCEPTED}"
    return InvalidRequest.of(FieldError("audio_url", message, type="unsupported_audio_format"))
