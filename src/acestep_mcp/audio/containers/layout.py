"""The songs in a file, one after the other, whatever their formats are."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence

from acestep_mcp.audio.containers import aiff, flac, mp3, mpeg_frames, streams, wave
from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan, Unreadable
from acestep_mcp.audio.containers.search import is_song, next_song
from acestep_mcp.audio.tags import id3

MOST_PARTS = 1000
_MOST_JUNK = 2**16
_MOST_TAGS = 100
_BLANKS = re.compile(
    rb"(?:[\0\t\n\r ]++|\xef\xbb\xbf)*+"
)  # possessive: it keeps no way back, which would take gigabytes
_MARKED = {
    b"RIFF": wave.part,
    b"RF64": wave.part,
    b"BW64": wave.part,
    b"riff": wave.part,
    b"FORM": aiff.aiff,
    b".snd": aiff.au,
    b"caff": aiff.caf,
    b"fLaC": flac.part,
    b"OggS": streams.link,
}


def parts(data: mmap.mmap) -> list[AudioPart]:
    """Every song in the file; none when it begins like no format that libsndfile decodes.

    Tags before a song, and what follows the last one and is no song, are left out. Raises Unreadable.
    """
    start = _after_blanks(data, after_tags(data))
    found: list[AudioPart] = []
    while start < len(data):
        read = _MARKED.get(data[start : start + 4])
        # Where the chunks say too little, libsndfile judges what follows.
        new = [read(data, start) or AudioPart((ByteSpan(start, len(data)),), len(data))] if read else _mp3(data, start)
        found += new
        if len(found) > MOST_PARTS:
            raise Unreadable(f"consists of more than {MOST_PARTS} files that were joined")
        if not new:
            break
        start = _next(data, found[-1].end)
    return found


def unused(data: mmap.mmap, found: Sequence[AudioPart]) -> int:
    """Bytes behind the last part that are neither tags nor zeros."""
    return len(data) - mpeg_frames.after_padding(data, found[-1].end)


def after_tags(data: mmap.mmap) -> int:
    """Where the ID3 tags at the beginning end; directly behind the head of one that claims more than there is."""
    start = 0
    for _ in range(_MOST_TAGS):
        length = id3.tag_length(data[start : start + id3.HEADER])
        if not length:
            break
        start += length if start + length < len(data) else id3.HEADER
    return start


def _after_blanks(data: mmap.mmap, start: int) -> int:
    """Behind zeros, white space and byte order marks, if a format with a mark of its own begins there."""
    blanks = _BLANKS.match(data, start)
    return blanks.end() if blanks and is_song(data, blanks.end()) else start


def _mp3(data: mmap.mmap, start: int) -> list[AudioPart]:
    is_header = mpeg_frames.is_header(data, start)
    if not is_header and not mp3.is_near(data, start, _MOST_JUNK):
        return []
    found = mp3.parts(data, start)
    # Without a frame of known length it may still have frames of free format.
    return found or ([AudioPart((ByteSpan(0, len(data)),), len(data))] if is_header else [])


def _next(data: mmap.mmap, end: int) -> int:
    """Where the next song begins: directly at `end`, or behind tags, zeros or bytes that are no song."""
    start = mpeg_frames.after_padding(data, end)
    if start < len(data) and not is_song(data, start) and mp3.is_near(data, start, _MOST_JUNK):
        return start
    return next_song(data, start)
