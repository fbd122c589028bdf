"""The sections of a song: from the marks in its lyrics, or a form of their own where nobody sings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from acestep_mcp.api.requests import is_instrumental

_MARK = re.compile(
    r"^\s*(?:\[(?P<square>[^\]]+)\]|\((?P<round>[^)]+)\)|(?P<plain>[A-Za-z -]{4,12}(?:\s*\d+)?)\s*:)\s*$"
)
_KINDS = (
    ("pre-chorus", "pre"), ("prechorus", "pre"), ("pre chorus", "pre"), ("post-chorus", "chorus"), ("chorus", "chorus"),
    ("refrain", "chorus"), ("hook", "chorus"), ("verse", "verse"), ("bridge", "bridge"), ("intro", "intro"),
    ("outro", "outro"), ("ending", "outro"), ("coda", "outro"), ("build", "build"), ("drop", "drop"),
    ("breakdown", "break"), ("break", "break"), ("interlude", "solo"), ("solo", "solo"), ("inst", "solo"),
)  # fmt: skip
_INTENSITY = {
    "intro": 0.32, "verse": 0.55, "pre": 0.68, "chorus": 0.9, "bridge": 0.48, "solo": 0.75, "build": 0.6, "drop": 1.0,
    "break": 0.3, "outro": 0.38,
}  # fmt: skip
_SUNG_LINE = 5.0  # seconds a sung line takes in the examples of the model's authors; 3 where it is rapped
_RAPPED_LINE = 3.0
_SONG = ("intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro")
_DANCE = ("intro", "build", "drop", "break", "build", "drop", "outro")


@dataclass(frozen=True, slots=True)
class Part:
    """`bars` long, `lines` are sung in it, `intensity` from 0 (a whisper) to 1 (all there is).

    `into` counts the bars of its section that lie before this part of it.
    """

    name: str
    kind: str
    bars: int
    lines: tuple[str, ...] = ()
    intensity: float = 0.5
    into: int = 0


def form(lyrics: str, bars: int, bar_seconds: float, *, rap: bool = False, dance: bool = False) -> tuple[Part, ...]:
    """Sections that fill exactly `bars` bars."""
    if is_instrumental(lyrics) or not (marked := _marked(lyrics)):
        parts = _instrumental(bars, _DANCE if dance else _SONG)
    elif not any(part.lines for part in marked):
        parts = _shared(marked, bars)
    else:
        parts = _sung(marked, bars, bar_seconds, _RAPPED_LINE if rap else _SUNG_LINE)
    return _numbered(_growing(parts))


def lead_up(bars: int) -> tuple[Part, ...]:
    """A beginning for a song that follows: quiet first, then fuller."""
    first = max(1, bars // 2)
    parts = [Part("intro", "intro", first, (), 0.4)]
    if bars > first:
        parts.append(Part("lead-up", "verse", bars - first, (), 0.6))
    return tuple(parts)


def sung_lines(lyrics: str) -> list[str]:
    """Every line somebody sings."""
    return [] if is_instrumental(lyrics) else [line for part in _marked(lyrics) for line in part.lines]


def with_words(parts: Sequence[Part], lyrics: str) -> tuple[Part, ...]:
    """The same sections with other words: section by section where the marks agree, else in order."""
    new = [part for part in ([] if is_instrumental(lyrics) else _marked(lyrics)) if part.lines]
    old = [number for number, part in enumerate(parts) if part.lines] or _singable(parts)
    if [part.kind for part in new] != [parts[number].kind for number in old]:
        new = _dealt([line for part in new for line in part.lines], [parts[number] for number in old])
    words = dict(zip(old, (part.lines for part in new), strict=False))
    return tuple(replace(part, lines=words.get(number, ())) for number, part in enumerate(parts))


def window_form(parts: Sequence[Part], window: tuple[int, int], lyrics: str, bar_seconds: float) -> tuple[Part, ...]:
    """The sections with other words between two bars, `window`.

    Words for as many lines as the whole song has are the whole song's; others are sung inside the window alone,
    in sections of their own where they carry marks.
    """
    first, last = window
    lines = sung_lines(lyrics)
    if lines and len(lines) == sum(len(part.lines) for part in parts):
        return with_words(parts, lyrics)
    inside = _cut(parts, first, last)
    if lines and any(_mark(line) for line in lyrics.splitlines()):
        inside = list(form(lyrics, last - first, bar_seconds))
    else:
        inside = _dealt(lines, inside)
    total = sum(part.bars for part in parts)
    return (*_cut(parts, 0, first), *inside, *_cut(parts, last, total))


def _cut(parts: Sequence[Part], first: int, last: int) -> list[Part]:
    """What lies between two bars, without its words."""
    found, bar = [], 0
    for part in parts:
        begin, end = max(first, bar), min(last, bar + part.bars)
        if begin < end:
            found.append(replace(part, bars=end - begin, lines=(), into=part.into + begin - bar))
        bar += part.bars
    return found


def form_plan(parts: Sequence[Part]) -> list[list[Any]]:
    """The sections as JSON."""
    return [[part.name, part.kind, part.bars, round(part.intensity, 3), list(part.lines), part.into] for part in parts]


def planned_form(plan: Any, bars: int) -> tuple[Part, ...] | None:
    """The sections of a plan; None where it does not hold sections that fill `bars` bars."""
    if not isinstance(plan, list):
        return None
    parts = []
    for row in plan:
        match row:
            case [str(name), str(kind), int(size), int() | float() as intensity, list(lines), int(into)]:
                known = kind in _INTENSITY and size > 0 and 0 <= intensity <= 1 and into >= 0
                if not known or not all(isinstance(line, str) for line in lines):
                    return None
                parts.append(Part(name, kind, size, tuple(lines), float(intensity), into))
            case _:
                return None
    return tuple(parts) if parts and sum(part.bars for part in parts) == bars else None


def _singable(parts: Sequence[Part]) -> list[int]:
    numbers = [number for number, part in enumerate(parts) if part.kind in {"verse", "chorus", "pre", "bridge", "drop"}]
    return numbers or list(range(len(parts)))


def _dealt(lines: list[str], parts: Sequence[Part]) -> list[Part]:
    """All lines over the parts, by their length."""
    total, dealt, done, bars = sum(part.bars for part in parts), [], 0, 0
    for part in parts:
        bars += part.bars
        end = round(len(lines) * bars / total)
        dealt.append(replace(part, lines=tuple(lines[done:end])))
        done = end
    return dealt


def _marked(lyrics: str) -> list[Part]:
    """The lyrics cut at their marks, or at blank lines where there are none."""
    parts: list[Part] = []
    for line in lyrics.splitlines():
        mark = _mark(line)
        if mark:
            parts.append(Part(mark[0], mark[1], 0))
        elif line.strip():
            if not parts:
                parts.append(Part("verse", "verse", 0))
            parts[-1] = replace(parts[-1], lines=(*parts[-1].lines, line.strip()))
    has_marks = any(_mark(line) for line in lyrics.splitlines())
    return parts if has_marks else _stanzas(lyrics)


def _mark(line: str) -> tuple[str, str] | None:
    found = _MARK.match(line)
    if not found:
        return None
    name = (found["square"] or found["round"] or found["plain"]).strip().lower()
    kind = next((kind for word, kind in _KINDS if name.startswith(word)), None)
    if kind is None:
        return (name, "verse") if found["square"] else None
    return re.split(r"\s*[:,|-]\s+", name)[0], kind


def _stanzas(lyrics: str) -> list[Part]:
    blocks = [tuple(line.strip() for line in block.splitlines()) for block in re.split(r"\n\s*\n", lyrics.strip())]
    parts = []
    for number, lines in enumerate(block for block in blocks if any(block)):
        chorus = blocks.count(lines) > 1 or (number % 2 == 1 and len(blocks) > 1)
        parts.append(Part("chorus" if chorus else "verse", "chorus" if chorus else "verse", 0, lines))
    return parts


def _sung(marked: Sequence[Part], bars: int, bar_seconds: float, line_seconds: float) -> list[Part]:
    """Each line takes the power of two of bars nearest to its usual length that lets all of them fit."""
    for per_line in sorted((4.0, 2.0, 1.0, 0.5), key=lambda share: _off(share * bar_seconds, line_seconds)):
        sized = [replace(part, bars=_bars(part, per_line)) for part in marked]
        if sum(part.bars for part in sized) <= bars:
            return _filled(sized, bars)
    return _shared(marked, bars)


def _off(seconds: float, wanted: float) -> float:
    return max(seconds / wanted, wanted / seconds)


def _bars(part: Part, per_line: float) -> int:
    wanted = len(part.lines) * per_line if part.lines else 4
    return max(1, round(wanted))


def _shared(marked: Sequence[Part], bars: int) -> list[Part]:
    """All sections squeezed or stretched into the bars, by their lines; the last ones are left out if need be."""
    room = max(1, bars)
    sung = [part for part in marked if part.lines] or list(marked)
    kept = list(marked) if len(marked) <= room else sung[:room]
    if len(sung) > room:
        rest = tuple(line for part in sung[room:] for line in part.lines)
        kept[-1] = replace(kept[-1], lines=kept[-1].lines + rest)
    weights = [len(part.lines) or 2 for part in kept]
    ends = [round(bars * sum(weights[: number + 1]) / sum(weights)) for number in range(len(kept))]
    sizes = [max(1, end - start) for start, end in zip([0, *ends], ends, strict=False)]
    while sum(sizes) > bars:
        sizes[sizes.index(max(sizes))] -= 1
    return [replace(part, bars=size) for part, size in zip(kept, sizes, strict=True)]


def _filled(parts: list[Part], bars: int) -> list[Part]:
    """Bars nobody sings in: an intro, an outro, then solos between the sections, then a longer intro."""
    left = bars - sum(part.bars for part in parts)
    unit = 4 if bars >= 12 else 2
    edges = (parts[0].kind != "intro") + (parts[-1].kind != "outro")
    size = min(unit, -(-left // max(1, edges)))
    if left >= 1 and parts[0].kind != "intro":
        parts = [Part("intro", "intro", size), *parts]
        left -= size
    if left >= 1 and parts[-1].kind != "outro":
        size = min(left, unit)
        parts = [*parts, Part("outro", "outro", size)]
        left -= size
    return _with_solos(parts, left, 8 if bars >= 40 else unit)


def _with_solos(parts: list[Part], left: int, unit: int) -> list[Part]:
    """Instrumental stretches where a singer would rest: after a chorus if there is one, the last one first."""
    gaps = [n for n in range(1, len(parts)) if parts[n - 1].lines and parts[n].kind not in {"pre", "solo"}]
    gaps = [n for n in gaps if parts[n - 1].kind == "chorus" and parts[n].lines] or gaps[-2:] or [len(parts)]
    shares = [0] * len(gaps)
    for number in range(left // unit):
        shares[-1 - number % len(gaps)] += unit
    filled = list(parts)
    for gap, share in zip(reversed(gaps), reversed(shares), strict=True):
        if share:
            filled.insert(gap, Part("solo", "solo", share))
    rest = next((n for n, part in enumerate(filled) if not part.lines), len(filled) - 1)
    filled[rest] = replace(filled[rest], bars=filled[rest].bars + left % unit)
    return _joined(filled)


def _joined(parts: list[Part]) -> list[Part]:
    """Two solos in a row are one."""
    joined: list[Part] = []
    for part in parts:
        if joined and part.kind == joined[-1].kind == "solo":
            joined[-1] = replace(joined[-1], bars=joined[-1].bars + part.bars)
        else:
            joined.append(part)
    return joined


def _instrumental(bars: int, shape: Sequence[str]) -> list[Part]:
    unit = next(size for size, least in ((16, 112), (8, 36), (4, 12), (2, 5), (1, 0)) if bars >= least)
    count = max(1, bars // unit)
    kinds = list(shape[1:3])[:count] if count < 3 else _kinds(shape, count)
    sizes = [unit] * len(kinds)
    sizes[-2 if len(kinds) > 2 else -1] += bars - unit * len(kinds)
    return [Part(kind, kind, size) for kind, size in zip(kinds, sizes, strict=True)]


def _kinds(shape: Sequence[str], count: int) -> list[str]:
    """The form cut to `count` sections: the beginning and the end stay, its middle is shortened or repeated."""
    middle = list(shape[1:-1])
    while len(middle) < count - 2:
        middle += shape[1:-1]
    middle = middle[: count - 2]
    if count > 3:
        middle[-1] = shape[-2]  # what comes before the end is the song's peak
    return [shape[0], *middle, shape[-1]]


def _growing(parts: Sequence[Part]) -> list[Part]:
    """Intensities: later verses fuller than the first, the last chorus the fullest."""
    seen: dict[str, int] = {}
    lasts = {part.kind: number for number, part in enumerate(parts)}
    grown = []
    for number, part in enumerate(parts):
        again = seen.get(part.kind, 0)
        seen[part.kind] = again + 1
        top = 0.1 if part.kind == "chorus" and lasts["chorus"] == number and again else 0.0
        intensity = min(1.0, _INTENSITY[part.kind] + 0.06 * min(again, 2) + top)
        grown.append(replace(part, intensity=round(intensity, 3)))
    return grown


def _numbered(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Names of their own for sections that come more than once: `verse 1`, `verse 2`."""
    names = [part.name for part in parts]
    numbered = []
    for number, part in enumerate(parts):
        count = names[: number + 1].count(part.name)
        numbered.append(replace(part, name=f"{part.name} {count}") if names.count(part.name) > 1 else part)
    return tuple(numbered)
