"""A section of a song's form, and the form as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

INTENSITY = {
    "intro": 0.32, "verse": 0.55, "pre": 0.68, "chorus": 0.9, "bridge": 0.48, "solo": 0.75, "build": 0.6, "drop": 1.0,
    "break": 0.3, "outro": 0.38,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FormSection:
    """A section of `bars` bars with its sung `lines`; `intensity` goes from 0 (very quiet) to 1 (everything plays).

    When a section is cut, `offset_bars` is how many of its bars come before this piece. The last `repeated` of its lines
    are lines of the song that are sung again, because the lyrics are short for its length.
    """

    name: str
    kind: str
    bars: int
    lines: tuple[str, ...] = ()
    intensity: float = 0.5
    offset_bars: int = 0
    repeated: int = 0

    @property
    def own_lines(self) -> tuple[str, ...]:
        """The lines that the lyrics have here."""
        return self.lines[: len(self.lines) - self.repeated]


def form_to_plan(sections: Sequence[FormSection]) -> list[list[Any]]:
    """The sections as JSON values."""
    return [
        [one.name, one.kind, one.bars, round(one.intensity, 3), list(one.lines), one.offset_bars, one.repeated]
        for one in sections
    ]


def form_from_plan(plan: Any, bars: int) -> tuple[FormSection, ...] | None:
    """The sections stored in a plan, or None if they are invalid or do not fill `bars` bars."""
    if not isinstance(plan, list):
        return None
    sections = []
    for row in plan:
        match row:
            case [str(name), str(kind), int(size), int() | float() as intensity, list(lines), int(offset_bars), *rest]:
                repeated = rest[0] if rest and isinstance(rest[0], int) else 0
                known = kind in INTENSITY and size > 0 and 0 <= intensity <= 1 and offset_bars >= 0
                whole = len(rest) <= 1 and 0 <= repeated <= len(lines) and all(isinstance(line, str) for line in lines)
                if not known or not whole:
                    return None
                sections.append(FormSection(name, kind, size, tuple(lines), float(intensity), offset_bars, repeated))
            case _:
                return None
    return tuple(sections) if sections and sum(section.bars for section in sections) == bars else None
