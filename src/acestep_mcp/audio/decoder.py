"""Any audio file as blocks of int32 samples, checked before and while it is decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn

import numpy as np
import soundfile
from numpy.typing import NDArray

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.audio import mp3
from acestep_mcp.audio.tags import id3, ogg, riff
from acestep_mcp.files import open_regular

ACCEPTED = "WAV, FLAC, MP3 or OGG with one or two channels"
HIGHEST_RATE = 384_000

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
_NAMES = {"WAVEX": "wav", "RF64": "wav", "MPEG": "mp3"}
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_WIDE = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAC_20", "ALAC_24", "ALAC_32")
_FLOATING = ("FLOAT", "DOUBLE", *_LOSSY)
_UNKNOWN_LENGTH = 2**40
_MOST_MISSING_SECONDS = 0.5
HEADROOM = 10 ** (-0.1 / 20)
"""The peak of what is turned down: 0.1 dB under full scale, so that it does not look clipped."""
_LOUDEST = 2.0**32
"""Larger floats are damage, not music: integers of 32 bits that were stored as floats reach 2**31."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a file's header says. `seconds` is 0 when it states no length; `bits` is the depth it is decoded at."""

    seconds: float
    sample_rate: int
    channels: int
    bits: Literal[16, 24]
    format: str
    content_type: str
    size: int


def refuse(name: str, reason: str) -> NoReturn:
    """Raise InvalidRequest for a source that is not usable audio."""
    raise InvalidRequest.of(
        FieldError("audio_url", f"{name} {reason}; accepted is {ACCEPTED}", type="unsupported_audio_format")
    )


class Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file read from start to end.

    soundfile seeks after every block of a seekable file, which costs time in compressed formats and fails at the end
    of a FLAC file that does not state its length.
    """

    def seekable(self) -> bool:
        return False


class Decoder:
    """An open audio file: its properties, and its samples in blocks of at most one second.

    `peak` is the largest sample decoded so far where these are floats, with full scale at 1.
    """

    def __init__(self, file: soundfile.SoundFile, size: int, name: str, gain: float = 1.0) -> None:
        self._file = file
        self._gain = gain
        self.name = name
        self.is_floating = file.subtype in _FLOATING
        self.peak = 0.0
        self.frames: int | None = file.frames if file.frames < _UNKNOWN_LENGTH else None
        kind = str(file.format)
        form = _NAMES.get(kind, kind.lower())
        self.properties = Properties(
            seconds=(self.frames or 0) / file.samplerate,
            sample_rate=file.samplerate,
            channels=file.channels,
            bits=24 if file.subtype in _WIDE else 16,
            format=form,
            content_type=_CONTENT_TYPES.get(form, "application/octet-stream"),
            size=size,
        )

    def blocks(self) -> Iterator[NDArray[np.int32]]:
        """Left-aligned samples [frames, channels]. Raises InvalidRequest where the file is cut short."""
        taken = 0
        while True:
            block = self._next()
            if not len(block):
                break
            taken += len(block)
            yield block
        self._check_missing((self.frames or 0) - taken)
        if not taken:
            refuse(self.name, "has no sound in it")

    def check_ends(self) -> None:
        """Decode the first block and one near the end: most damaged files show there. Raises InvalidRequest."""
        if not len(self._next()):
            refuse(self.name, "has no sound in it")
        if self.frames is None or self.properties.format == "mp3":  # its frames have been counted
            return
        allowed = int(_MOST_MISSING_SECONDS * self.properties.sample_rate)
        if self.frames > allowed + 1:
            try:
                self._file.seek(self.frames - allowed - 1)
                is_there = len(self._next()) > 0
            except soundfile.LibsndfileError:
                is_there = False
            self._check_missing(0 if is_there else self.frames)

    def _check_missing(self, frames: int) -> None:
        rate = self.properties.sample_rate
        if frames > _MOST_MISSING_SECONDS * rate:
            there = ((self.frames or 0) - frames) / rate
            after = f" after {there:.1f} s" if there > 0 else ""
            refuse(self.name, f"breaks off{after}: it is incomplete")

    def _next(self) -> NDArray[np.int32]:
        count = max(1, min(self.properties.sample_rate, 65536))
        try:
            block = self._file.read(count, dtype="float64" if self.is_floating else "int32", always_2d=True)
        except soundfile.LibsndfileError as exc:
            raise _unreadable(self.name, exc) from exc
        if not self.is_floating:
            return rounded(block, self.properties.bits)
        self.peak = max(self.peak, _peak(block))
        return quantised(block if self._gain == 1 else block * self._gain, self.properties.bits)

    def fitting_gain(self) -> float:
        """The factor with which no sample decoded so far is above full scale: 1 where none is."""
        if self.peak <= 1 + 2 ** (1 - self.properties.bits):
            return 1.0
        return float(HEADROOM / self.peak)


@contextmanager
def opened(path: Path, name: str = "", *, gain: float = 1.0) -> Iterator[Decoder]:
    """Open an audio file. Raises InvalidRequest for anything whose header is not that of complete, usable audio.

    Messages call it `name`, else its file name. Samples that are floats are multiplied by `gain`. Only files that begin like one of the known formats reach the
    decoding library.
    """
    name = name or path.name
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(open_regular(path))
            _check_head(raw, name)
            file = _sound_file(path, raw, name)
        except OSError as exc:
            message = f"{name} cannot be opened ({exc.strerror or exc}): check that the file is there and readable"
            raise InvalidRequest.of(FieldError("audio_url", message, type="file_download_error")) from exc
        except soundfile.LibsndfileError as exc:
            raise _unreadable(name, exc) from exc
        stack.enter_context(file)
        if file.channels > 2:
            refuse(name, f"has {file.channels} channels")
        if file.samplerate > HIGHEST_RATE:
            refuse(name, f"has a sample rate of {file.samplerate} Hz, and at most {HIGHEST_RATE} Hz are read")
        if not file.frames or file.samplerate < 1:
            refuse(name, "has no sound in it")
        yield Decoder(file, os.fstat(raw.fileno()).st_size, name, gain)


def _sound_file(path: Path, raw: BinaryIO, name: str) -> Forward:
    """Open with libsndfile. A variable-rate MP3 file that does not state its length is opened with a header that does."""
    file = Forward(str(path))
    stream = mp3.walk(raw) if file.format in ("MP3", "MPEG") else None
    if stream is None:
        return file
    if stream.missing > _MOST_MISSING_SECONDS * file.samplerate:
        file.close()
        refuse(name, f"breaks off after {stream.samples / file.samplerate:.1f} s: it is incomplete")
    if stream.stated is None and abs(file.frames - stream.samples) > stream.frame_samples:
        file.close()
        return Forward(mp3.WithLength(raw, stream))
    return file


def _peak(block: NDArray[np.float64]) -> float:
    highest = float(np.max(np.abs(block), initial=0))
    if highest <= _LOUDEST:
        return highest
    sound = np.abs(np.nan_to_num(block, nan=0.0))
    return float(np.max(sound, initial=0, where=sound <= _LOUDEST))


def quantised(samples: NDArray[np.floating], bits: int) -> NDArray[np.int32]:
    """Floats (full scale 1.0) as left-aligned integers: rounded half to even, clipped, not-a-number is silence."""
    # Single precision holds every integer of 24 bits, and scaling by a power of two is exact.
    steps = np.float32(2 ** (bits - 1)) if samples.dtype == np.float32 else np.float64(2 ** (bits - 1))
    scaled = samples * steps
    if not np.isfinite(np.min(scaled, initial=0)) or not np.isfinite(np.max(scaled, initial=0)):
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=float(steps), neginf=-float(steps))
    np.rint(scaled, out=scaled)
    np.clip(scaled, -steps, steps - 1, out=scaled)
    whole: NDArray[np.int32] = scaled.astype(np.int32)
    whole <<= np.int32(32 - bits)
    return whole


def rounded(pcm: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Left-aligned integers at a depth of `bits`: half steps go up, full scale stays full scale."""
    shift = 32 - bits
    if not np.any(pcm & np.int32((1 << shift) - 1)):
        return pcm
    highest = np.int32(2**31 - 2 ** (shift - 1) - 1)
    return (np.minimum(pcm, highest) + np.int32(1 << (shift - 1))) >> shift << shift


def _check_head(file: BinaryIO, name: str) -> None:
    head = file.read(16)
    if not head:
        refuse(name, "is empty")
    if not _known(head):
        refuse(name, "is not an audio file of a known kind")
    if riff.is_cut(file) if head[:4] == b"RIFF" else head[:4] == b"OggS" and ogg.is_cut(file):
        refuse(name, "breaks off: it is incomplete")


def _known(head: bytes) -> bool:
    """True for the first bytes of WAV, RF64, W64, FLAC, Ogg, AIFF, AU, CAF and MP3."""
    if head[:4] in (b"RIFF", b"RF64", b"riff", b"fLaC", b"OggS", b"FORM", b".snd", b"caff"):
        return True
    if id3.tag_length(head):
        return True
    frame = int.from_bytes(head[:3], "big")
    sync, version, layer = frame >> 13, frame >> 11 & 3, frame >> 9 & 3
    bit_rate, sample_rate = frame >> 4 & 15, frame >> 2 & 3
    return sync == 0x7FF and version != 1 and layer != 0 and bit_rate != 0xF and sample_rate != 0b11


def _unreadable(name: str, exc: Exception) -> InvalidRequest:
    reason = str(exc).rpartition(":")[2].strip(" .'\"") or "the data is damaged"
    message = f"{name} cannot be decoded ({reason[:80]}); accepted is {ACCEPTED}"
    return InvalidRequest.of(FieldError("audio_url", message, type="unsupported_audio_format"))
