"""Files as programs leave them that were killed, cut off or joined."""

from __future__ import annotations

import io
import struct
from functools import cache

import numpy as np
import soundfile

RATE = 44_100
UNKNOWN = 0xFFFFFFFF


@cache
def tone(seconds: float, rate: int = RATE, channels: int = 2, hertz: float = 220.0) -> np.ndarray:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    samples = np.repeat(wave[:, None], channels, axis=1)
    samples.flags.writeable = False
    return samples


@cache
def encoded(form: str, seconds: float, rate: int = RATE, channels: int = 2, **settings) -> bytes:
    """A whole file; `form` is libsndfile's name of a format, with its subtype after a space."""
    kind, _, subtype = form.partition(" ")
    target = io.BytesIO()
    options = {"format": kind, "subtype": subtype or None, **settings}
    with soundfile.SoundFile(target, "w", rate, channels, **options) as file:
        samples = tone(seconds, rate, channels)
        for start in range(0, len(samples), rate):
            file.write(samples[start : start + rate])
    return target.getvalue()


def by_ffmpeg(muxer: str, codec: str, seconds: float, rate: int, channels: int = 2) -> bytes:
    """A whole file of FFmpeg's muxer and codec of these names."""
    import av

    layout = "mono" if "amr" in codec or channels == 1 else {2: "stereo", 6: "5.1"}[channels]
    samples = tone(seconds, rate, 1 if layout == "mono" else channels).T.astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    target = io.BytesIO()
    target.name = f"song.{muxer}"
    with av.open(target, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.codec_context.open()
        resampler = av.AudioResampler(stream.format, layout, rate, stream.codec_context.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(part))
    return target.getvalue()


def chunk(name: bytes, content: bytes, size: int | None = None, *, pad: bool = True, order: str = "<") -> bytes:
    head = name + struct.pack(order + "I", len(content) if size is None else size)
    return head + content + (b"\0" if pad and len(content) % 2 else b"")


def riff(*chunks: bytes, size: int | None = None, name: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return name + struct.pack("<I", len(body) if size is None else size) + body


def wave_parts(seconds: float) -> tuple[bytes, bytes]:
    """The content of the format chunk and of the data chunk of a 16-bit WAV file."""
    whole = encoded("WAV", seconds)
    return whole[20:36], whole[44:]


def with_sizes(form: str, whole: bytes, state) -> bytes:
    """The file with another size of its sample data: `state` makes it from the right one; header totals are made wrong too."""
    data = bytearray(whole)
    mark, width, order = {
        "WAV": (b"data", 4, "little"),
        "RF64": (b"ds64", 8, "little"),
        "W64": (b"data\xf3\xac\xd3\x11", 8, "little"),
        "AIFF": (b"SSND", 4, "big"),
        "AU": (b".snd", 4, "big"),
        "CAF": (b"data", 8, "big"),
    }[form]
    at = data.index(mark) + {"RF64": 16, "W64": 16, "AU": 8}.get(form, 4)
    right = int.from_bytes(data[at : at + width], order)
    data[at : at + width] = (state(right) % 256**width).to_bytes(width, order)
    if form == "AIFF" and state(right) != right + 44:
        data[data.index(b"COMM") + 10 : data.index(b"COMM") + 14] = bytes(4)
    if form in ("WAV", "AIFF"):
        data[4:8] = (state(right) % 2**32).to_bytes(4, order)
    return bytes(data)


def id3(size: int) -> bytes:
    """A tag of that many bytes behind its head, fewer than 16,384."""
    return b"ID3\4\0\0\0\0" + bytes([size >> 7, size & 127]) + bytes(size)
