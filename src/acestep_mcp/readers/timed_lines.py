"""Lyrics with times: LRC files, plain times before lines, and the subtitle formats SRT and WebVTT."""

from __future__ import annotations

import re
from itertools import pairwise

from acestep_mcp.readers.section_names import read_name

_CLOCK = r"(?:\d{1,2}:)?\d{1,3}:\d{2}(?:[.,:]\d{1,3})?"
_STAMP = re.compile(rf"\s*[\[\uff3b]\s*({_CLOCK})(?:\s*(?:-->|[-\u2013\u2014,])\s*{_CLOCK})?\s*[\]\uff3d]")
_WORD_TIME = re.compile(rf"[<\[]\s*{_CLOCK}\s*[>\]]")
_CUE = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_BEFORE_LINE = re.compile(rf"\s*\(?{_CLOCK}\)?(?:\s*[-\u2013\u2014:|]\s+|\s+)(?=\S)")
_LRC_HEADER = re.compile(
    r"(?i)\s*[\[\uff3b](?:ti|ar|al|au|by|re|ve|la|lr|id|offset|length|tool|editor|version|hash|sign|qq|total|"
    r"language|t_time|#)\s*[:\uff1a].*[\]\uff3d]\s*"
)
_OTHER_HEADER = re.compile(r"\s*\[([a-z_]{2,12}):.*\]\s*")
_GENDER = re.compile(r"^[FMD]:\s*(?=\S)")

LRC = "LRC times and headers were left out"
SUBTITLES = "the times and numbers of a subtitle file were left out"
TIMES = "times before lines were left out"


def without_times(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines without times, and a note on what was left out; the same list where there are none.

    A line with several LRC times is sung at each of them, so it is written at each place.
    """
    if any(_CUE.fullmatch(line) for line in lines):
        return _without_cues(lines), [SUBTITLES]
    if any(_STAMP.match(line) or _LRC_HEADER.fullmatch(line) or _WORD_TIME.search(line) for line in lines):
        return _in_time(lines), [LRC]
    written = [line for line in lines if line.strip()]
    if len(written) > 1 and sum(bool(_BEFORE_LINE.match(line)) for line in written) * 2 > len(written):
        return [_BEFORE_LINE.sub("", line, count=1) for line in lines], [TIMES]
    return lines, []


def _in_time(lines: list[str]) -> list[str]:
    """The lines of an LRC file; those with several times in the order of the times."""
    timed: list[tuple[list[float], str]] = []
    for line in lines:
        other = _OTHER_HEADER.fullmatch(line)
        if _LRC_HEADER.fullmatch(line) or (other and not read_name(other[1])):
            continue
        times, rest = [], line
        while found := _STAMP.match(rest):
            times.append(_seconds(found[1]))
            rest = rest[found.end() :]
        words = _WORD_TIME.sub("", rest)
        timed.append((times, " ".join(words.split()) if words != rest else rest.strip() if times else rest))
    if not any(len(times) > 1 for times, _ in timed):
        return [_GENDER.sub("", line) if times else line for times, line in timed]
    return [line for _, line in sorted(_each_time(timed), key=lambda place: place[0])]


def _each_time(timed: list[tuple[list[float], str]]) -> list[tuple[float, str]]:
    """Every line at each of its times; a line without one stays behind the line before it."""
    placed: list[tuple[float, str]] = []
    now = -1.0
    for times, line in timed:
        now = times[0] if times else now
        placed.extend((time, line) for time in times or [now])
    return placed


def _seconds(clock: str) -> float:
    """`1:02:03.5`, `01:02.50` and `01:02:50` (hundredths) as seconds."""
    parts = re.split(r"[:.,]", clock)
    hours = len(parts) == 3 and clock.count(":") == 2 and len(parts[0]) == 1
    if hours or len(parts) == 4:
        return int(parts[0]) * 3600 + int(parts[1]) * 60 + float(f"{parts[2]}.{parts[3] if len(parts) > 3 else 0}")
    return int(parts[0]) * 60 + float(f"{parts[1]}.{parts[2] if len(parts) > 2 else 0}")


def _without_cues(lines: list[str]) -> list[str]:
    """The words of a subtitle file. Cues follow each other without blank lines, which would divide them into stanzas."""
    kept: list[str] = []
    skipping, before = False, ""
    for line, after in pairwise([*lines, ""]):
        if re.match(r"WEBVTT|NOTE\b|STYLE\b|REGION\b", line):
            skipping = True
        skipping = skipping and bool(line.strip())
        is_number = _CUE.fullmatch(after) and (line.strip().isdigit() or not before.strip())
        if not skipping and line.strip() and not is_number and not _CUE.fullmatch(line):
            kept.append(_WORD_TIME.sub("", line).strip())
        before = line
    return kept
