"""The parsers of this package return, in time and memory in proportion to their input, whatever that is."""

from __future__ import annotations

import random
import struct
import tracemalloc

import pytest

from acestep_mcp.audio.tags import ogg
from tests.fuzz.parsers import TARGETS, seeds

CHANGES = 15
"""Of each input to start from; `python bench/fuzz.py parsers 3600` is the long form."""
SIZE = 8 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_returns_for_inputs_that_are_damaged(name):
    chance = random.Random(name)
    for content in seeds()[name]:
        TARGETS[name](content)
        for _ in range(CHANGES):
            TARGETS[name](changed(content, chance))


def changed(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(chance.choice([1, 2, 8])):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + 1] = chance.randbytes(1)
            case 1:
                del data[at : at + chance.choice([1, 4, 100])]
            case 2:
                data[at:at] = data[at : at + chance.choice([1, 8, 50])] * chance.choice([1, 2, 30])
            case 3:
                data[at : at + 4] = chance.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\1\0\0\0", b"\\ud8"]
                )
    return bytes(data)


def repeated(part: bytes) -> bytes:
    return part * (SIZE // len(part))


def flac_with_a_comment(lines: bytes) -> bytes:
    comment = struct.pack("<II", 0, 2**31) + lines
    return b"fLaC\x84" + len(comment).to_bytes(3, "big") + comment


def ogg_with_a_comment(comment: bytes) -> bytes:
    first = ogg.OggPage(2, 0, 1, 0, b"\x1e", b"\x01vorbis" + bytes(23)).packed()
    size = 255 * 255
    bodies = [comment[start : start + size] for start in range(0, len(comment) // size * size, size)]
    return first + b"".join(ogg.OggPage(1, 0, 1, n, b"\xff" * 255, body).packed() for n, body in enumerate(bodies, 1))


def riff(*chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", SIZE) + b"WAVE" + b"".join(chunks)


GENRE = struct.pack("<I", 7) + b"GENRE=a"
FORMAT = b"fmt \x10\0\0\0\1\0\2\0\x44\xac\0\0\x10\xb1\2\0\4\0\x10\0data\4\0\0\0\0\0\0\0"
LARGE = {
    "empty lines of a Vorbis comment": lambda: flac_with_a_comment(bytes(SIZE)),
    "one field of a Vorbis comment many times": lambda: flac_with_a_comment(repeated(GENRE)),
    "one packet on many pages": lambda: ogg_with_a_comment(b"\x03vorbis" + bytes(SIZE)),
    "empty entries of LIST INFO": lambda: riff(FORMAT, b"LIST", struct.pack("<I", SIZE), b"INFO", repeated(b"IXXX\0\0\0\0")),
    "empty ID3 tags": lambda: repeated(b"ID3\4\0\0\0\0\0\0"),
    "empty ID3 frames": lambda: b"ID3\4\0\0\x03\x7f\x7f\x7f" + repeated(b"TXXX\0\0\0\1\0\0\0"),
    "empty chunks": lambda: riff(repeated(b"junk\0\0\0\0")),
    "MPEG headers": lambda: repeated(b"\xff\xfb\x90\x64"),
    "boxes": lambda: b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + repeated(b"\0\0\0\x08free"),
    "first pages of Ogg": lambda: repeated(b"OggS\0\2"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", LARGE)
def test_a_large_file_of_small_parts_takes_little_time_and_memory(name):
    content = LARGE[name]()
    TARGETS["containers"](content)
    tracemalloc.start()
    try:
        TARGETS["tags"](content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * len(content)
