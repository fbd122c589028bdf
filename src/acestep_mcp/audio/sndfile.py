"""A part of a file through libsndfile, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Literal, Protocol

import soundfile
from numpy.typing import NDArray

from acestep_mcp.audio.containers.parts import AudioPart, PartFile

_CONTENT_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "aiff": "audio/aiff",
    "au": "audio/basic",
    "caf": "audio/x-caf",
    "w64": "audio/x-w64",
}
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_WIDE = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAC_20", "ALAC_24", "ALAC_32")
_FLOATING = ("FLOAT", "DOUBLE", *_LOSSY)
_NAMES = {"WAVEX": "wav", "RF64": "wav", "MPEG": "mp3"}
_UNKNOWN_LENGTH = 2**40
_BLOCK = 65_536


class SampleStream(Protocol):
    """Audio of one rate and number of channels.

    `frames` is its length, None where only decoding tells; `stated` is at least about what its header says, 0 for nothing.
    Of several `tracks`, which would play at the same time, it is the first.
    """

    frames: int | None
    stated: int
    sample_rate: int
    channels: int
    bits: Literal[16, 24]
    format: str
    content_type: str
    is_floating: bool
    tracks: int

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Samples [frames, channels] in blocks of at most one second: int32, left-aligned, or floats with full scale 1."""

    def has_ends(self, spared: int) -> bool:
        """Whether its first block, and what lies `spared` frames before its end, can be decoded."""


class Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file read from start to end.

    soundfile seeks after every block of a seekable file, which costs time in compressed formats and fails at the end
    of a FLAC file that does not state its length.
    """

    def seekable(self) -> bool:
        return False


class SndfileStream:
    """A part that libsndfile decodes. It is opened again for each use. Raises LibsndfileError."""

    def __init__(self, raw: BinaryIO, part: AudioPart) -> None:
        self._raw, self._part, self.tracks = raw, part, part.tracks
        with self._opened() as file:
            self.frames: int | None = file.frames if file.frames < _UNKNOWN_LENGTH else None
            self.stated = self.frames or 0
            self.sample_rate: int = file.samplerate
            self.channels: int = file.channels
            self.bits: Literal[16, 24] = 24 if file.subtype in _WIDE else 16
            kind = str(file.format)
            self.format = _NAMES.get(kind, kind.lower())
            self.content_type = _CONTENT_TYPES.get(self.format, "application/octet-stream")
            self.is_floating = file.subtype in _FLOATING

    def _opened(self) -> Forward:
        return Forward(PartFile(self._raw, self._part.pieces))

    def blocks(self) -> Iterator[NDArray[Any]]:
        left = self.frames or _UNKNOWN_LENGTH
        with self._opened() as file:
            while left and len(block := self._next(file, left)):
                left -= len(block)
                yield block

    def has_ends(self, spared: int) -> bool:
        try:
            with self._opened() as file:
                if not len(self._next(file, spared)):
                    return False
            if self.frames is None or self._part.frames is not None or self.frames <= spared + 1:
                return True
            # libFLAC cannot seek near the end when something else follows the last frame.
            return self._has(self.frames - spared - 1) or sum(map(len, self.blocks())) >= self.frames - spared
        except soundfile.LibsndfileError:
            return False

    def _has(self, frame: int) -> bool:
        try:
            with self._opened() as file:
                file.seek(frame)
                return len(self._next(file, 1)) > 0
        except soundfile.LibsndfileError:
            return False

    def _next(self, file: Forward, most: int) -> NDArray[Any]:
        """A block of at most `most` frames: libFLAC fails where it is asked for more than there are before something else."""
        count = max(1, min(self.sample_rate, _BLOCK, most))
        block: NDArray[Any] = file.read(count, dtype="float64" if self.is_floating else "int32", always_2d=True)
        return block
