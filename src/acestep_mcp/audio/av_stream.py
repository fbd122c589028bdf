"""A part of a file through FFmpeg, in blocks, where the package `av` is installed (the extra `formats`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio.containers.parts import AudioPart, PartFile, Unreadable
from acestep_mcp.audio.kinds import Kind

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_LOSSLESS = frozenset({"alac", "flac", "wavpack", "tta", "ape", "tak", "shorten", "wmalossless", "mlp", "truehd"})
_ROUGH = frozenset({"matroska", "asf", "caf", "wav", "avi", "flv"})
_STATES_LENGTH = frozenset(
    {"mov", "matroska", "asf", "avi", "flv", "ape", "wv", "tta", "tak", "mpc8", "wav", "caf", "aiff", "au"}
)
_MOST_DAMAGED_SECONDS = 0.5
_LONGEST_PACKET = 0.25
_MOST_PACKETS = 1_000_000
_BLOCK = 16_384
_OPTIONS = {"probesize": "1000000"}
"""Bytes that FFmpeg keeps in memory, packet by packet, to find out what the streams are."""


class AvStream:
    """The first audio stream of a part. It is opened again for each use. Raises ImportError, Unreadable."""

    def __init__(self, raw: BinaryIO, part: AudioPart, kind: Kind) -> None:
        self._raw, self._part, self._kind = raw, part, kind
        self.format = kind.format
        with self._opened() as container:
            stream = _audio(container)
            context = stream.codec_context
            self.tracks = len(container.streams.audio)
            self.sample_rate = int(context.sample_rate)
            self.channels = int(context.layout.nb_channels)
            self._is_exact = context.name in _LOSSLESS or context.name.startswith("pcm_s")
            self.is_floating = not self._is_exact
            wide = context.format.name.rstrip("p") in ("s32", "flt", "dbl") if context.format else False
            exact = self._is_exact or context.name.startswith("pcm_f")
            self.bits: Literal[16, 24] = 24 if exact and wide else 16
            self.stated = self._stated(container, stream)
            # Matroska and ASF count in milliseconds and with what codecs pad.
            self.frames = self.stated if self.stated and self._kind.demuxer not in _ROUGH else None
            self.content_type = kind.content_type
            if not container.streams.video:
                self.content_type = kind.content_type.replace("video/", "audio/")

    def blocks(self) -> Iterator[NDArray[Any]]:
        left = self.frames
        with self._opened() as container:
            for block in self._decoded(container, _audio(container)):
                if left is None:
                    yield block
                    continue
                # A codec fills its last packet with silence, which the container does not count.
                is_filled = 0 <= left < len(block) < left + _LONGEST_PACKET * self.sample_rate
                kept = block[:left] if is_filled else block
                left -= len(kept)
                if len(kept):
                    yield kept

    def has_ends(self, spared: int) -> bool:
        try:
            with self._opened() as container:
                stream = _audio(container)
                if next(self._decoded(container, stream), None) is None:
                    return False
                if self.frames is None or self.frames <= spared + 1:
                    return True
                if self._has(container, stream, self.frames - spared - 1):
                    return True
            return sum(map(len, self.blocks())) >= self.frames - spared
        except Unreadable:
            return False

    def _has(self, container: InputContainer, stream: AudioStream, frame: int) -> bool:
        """Whether something can be decoded from about that frame on."""
        import av

        if not stream.time_base:
            return False
        try:
            container.seek(int(frame / self.sample_rate / stream.time_base) + (stream.start_time or 0), stream=stream)
            return next(self._decoded(container, stream), None) is not None
        except (av.error.FFmpegError, Unreadable):
            return False

    def _opened(self) -> InputContainer:
        import av

        try:
            # The demuxer is given, so that no file can ask for another one, which opens further files or addresses.
            return av.open(
                PartFile(self._raw, self._part.pieces),
                "r",
                format=self._kind.demuxer,
                options=_OPTIONS,
                metadata_errors="ignore",
            )
        except (av.error.FFmpegError, ValueError) as exc:
            raise Unreadable(_reason(exc)) from exc

    def _stated(self, container: InputContainer, stream: AudioStream) -> int:
        """Frames by the container; 0 where FFmpeg only estimates them, or where they may be those of a video."""
        if self._kind.demuxer not in _STATES_LENGTH or self.sample_rate < 1:
            return 0
        if stream.duration and stream.time_base:
            return round(stream.duration * stream.time_base * self.sample_rate)
        if container.duration and len(container.streams) == 1:
            return round(container.duration * self.sample_rate / 1_000_000)
        return 0

    def _decoded(self, container: InputContainer, stream: AudioStream) -> Iterator[NDArray[Any]]:
        """Samples at the rate and channels of the beginning. Raises Unreadable where too much is damaged."""
        import av

        resampler = _Resampler(self.sample_rate, stream.codec_context.layout.name, is_exact=self._is_exact)
        damaged = 0.0
        try:
            for number, packet in enumerate(container.demux(stream)):
                if number >= _MOST_PACKETS:  # FFmpeg remembers where each one lies
                    raise Unreadable(f"it has more than {_MOST_PACKETS} packets")
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError as exc:
                    damaged += float((packet.duration or 0) * (packet.time_base or 0)) or 0.02
                    if damaged > _MOST_DAMAGED_SECONDS:
                        raise Unreadable(_reason(exc)) from exc
                    continue
                for frame in frames:
                    yield from resampler.blocks(frame)
            yield from resampler.blocks(None)
        except (av.error.FFmpegError, ValueError) as exc:
            raise Unreadable(_reason(exc)) from exc


class _Resampler:
    """Frames as arrays [frames, channels]: int32 for lossless codecs, else floats; of one rate, also where it changes."""

    def __init__(self, rate: int, layout: str, *, is_exact: bool) -> None:
        self._rate, self._layout = rate, layout
        self._format = "s32" if is_exact else "flt"
        self._shape: tuple[str, int, str] | None = None
        self._resampler: Any = None

    def blocks(self, frame: AudioFrame | None) -> Iterator[NDArray[Any]]:
        """What follows from this frame; None at the end."""
        import av

        shape = None if frame is None else (frame.format.name, frame.sample_rate, frame.layout.name)
        if shape != self._shape:
            if self._resampler is not None:
                yield from map(self._array, self._resampler.resample(None))
            self._resampler = (
                av.AudioResampler(self._format, self._layout, self._rate, _BLOCK) if frame is not None else None
            )
            self._shape = shape
        if frame is not None:
            frame.pts = None
            yield from map(self._array, self._resampler.resample(frame))

    def _array(self, frame: AudioFrame) -> NDArray[Any]:
        samples = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
        return samples if self._format == "s32" else samples.astype(np.float64)


def _audio(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise Unreadable("it has no audio in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise Unreadable("its codec is unknown")
    stream.codec_context.thread_count = 1
    return stream


def _reason(exc: Exception) -> str:
    return str(getattr(exc, "strerror", None) or exc)[:80]
