"""Songs in every format that is read, and damaged ones made of them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.decoder import HIGHEST_RATE
from acestep_mcp.audio.read import probe_source, read
from acestep_mcp.audio.tags.file_tags import FileTags, Format, read_tags, retag
from tests.audio.files import by_ffmpeg, encoded

FORMS = {
    "wav": "WAV PCM_16",
    "wav24": "WAV PCM_24",
    "float": "WAV FLOAT",
    "mulaw": "WAV ULAW",
    "rf64": "RF64 PCM_16",
    "w64": "W64 PCM_16",
    "aiff": "AIFF PCM_16",
    "au": "AU PCM_16",
    "caf": "CAF ALAC_16",
    "flac": "FLAC PCM_16",
    "ogg": "OGG VORBIS",
    "opus": "OGG OPUS",
    "mp3": "MP3 MPEG_LAYER_III",
}
FFMPEG = {
    "m4a": ("ipod", "aac"),
    "alac": ("ipod", "alac"),
    "mp4": ("mp4", "aac"),
    "aac": ("adts", "aac"),
    "mka": ("matroska", "flac"),
    "webm": ("webm", "libopus"),
    "tta": ("tta", "tta"),
    "avi": ("avi", "libmp3lame"),
    "flv": ("flv", "aac"),
    "ts": ("mpegts", "aac"),
}
TAGS = FileTags("Rain", "lofi, piano", "[verse]\nla ü\n" * 9, 7, '{"plan": {"bpm": 80}}', "acestep-mcp")
TAGGED: tuple[Format, ...] = ("wav", "flac", "ogg", "mp3")


@cache
def songs(seconds: float = 0.2) -> dict[str, bytes]:
    """A tone in each format, with tags where we write them; those of FFmpeg only where it is installed."""
    rates = {"opus": 48_000}
    made = {name: encoded(form, seconds, rates.get(name, 44_100)) for name, form in FORMS.items()}
    for name in TAGGED:
        target = io.BytesIO()
        retag(io.BytesIO(made[name]), target, name, TAGS)
        made[f"{name} tagged"] = target.getvalue()
    return made | _by_ffmpeg(seconds)


def _by_ffmpeg(seconds: float) -> dict[str, bytes]:
    try:
        import av  # noqa: F401
    except ImportError:
        return {}
    return {name: by_ffmpeg(muxer, codec, seconds, 48_000) for name, (muxer, codec) in FFMPEG.items()}


LONGEST_SECONDS = 600.0
LONGEST_MESSAGE = 700


def check(path: Path) -> str:
    """Probe, decode and read the tags of a file as the server and an engine do, and say how that ended.

    Fails for anything but one of our errors, and for two answers that contradict each other.
    """
    read_tags(path)
    try:
        facts = probe_source(path, max_seconds=LONGEST_SECONDS, name="the song")
        sound = read(path, max_seconds=LONGEST_SECONDS, name="the song")
    except InvalidRequest as exc:
        assert exc.message.startswith("audio_url: the song ")
        assert len(exc.message) < LONGEST_MESSAGE
        return "refused"
    assert sound.pcm.dtype == np.int32
    assert len(sound.pcm) > 0
    assert sound.channels in (1, 2)
    assert 0 < sound.sample_rate <= HIGHEST_RATE
    assert abs(facts.seconds - sound.seconds) <= 0.5 + 0.25 * sound.seconds
    return "read"


def damaged(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` damaged files with what was done to each: the same for the same seed."""
    chance = random.Random(seed)
    names = sorted(songs())
    for number in range(count):
        name = names[number % len(names)]
        how = chance.choice(DAMAGE)
        yield f"{number} {name} {how.__name__}", how(songs()[name], chance)


def _cut(song: bytes, chance: random.Random) -> bytes:
    return song[: chance.randrange(len(song))]


def _cut_in_the_head(song: bytes, chance: random.Random) -> bytes:
    return song[: chance.randrange(min(len(song), 200))]


def _without_beginning(song: bytes, chance: random.Random) -> bytes:
    return song[chance.randrange(1, min(len(song), 600)) :]


def _bits_flipped(song: bytes, chance: random.Random) -> bytes:
    data = bytearray(song)
    for _ in range(chance.choice([1, 3, 20, 200])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _head_flipped(song: bytes, chance: random.Random) -> bytes:
    data = bytearray(song)
    for _ in range(chance.choice([1, 2, 5])):
        data[chance.randrange(min(len(data), 100))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _number_forged(song: bytes, chance: random.Random) -> bytes:
    """Another number of 2, 4 or 8 bytes near the beginning: a size, a rate, a count or a length."""
    data = bytearray(song)
    width = chance.choice([2, 4, 8])
    at = chance.randrange(min(len(data) - width, 200))
    value = chance.choice([0, 1, 2**7, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1, len(data)])
    data[at : at + width] = (value % 256**width).to_bytes(width, chance.choice(["little", "big"]))
    return bytes(data)


def _head_of_another(song: bytes, chance: random.Random) -> bytes:
    other, size = chance.choice(sorted(songs().values())), chance.choice([4, 12, 44, 100])
    return other[:size] + song[size:]


def _joined(song: bytes, chance: random.Random) -> bytes:
    return (
        _cut(song, chance)
        + chance.choice([b"", b"\0" * 100, b"ID3\4\0\0\0\0\1\0"])
        + chance.choice(sorted(songs().values()))
    )


def _part_repeated(song: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(song))
    part = song[at : at + chance.choice([4, 27, 500])]
    return song[:at] + part * chance.choice([2, 50, 5000]) + song[at:]


def _noise_inside(song: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(song))
    return song[:at] + chance.randbytes(chance.choice([1, 100, 5000])) + song[at:]


DAMAGE = (
    _cut, _cut_in_the_head, _without_beginning, _bits_flipped, _head_flipped, _number_forged, _number_forged,
    _head_of_another, _joined, _part_repeated, _noise_inside,
)  # fmt: skip
