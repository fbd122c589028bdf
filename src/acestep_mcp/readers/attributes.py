"""Tempo, key and metre of a text together, and the text without them."""

from __future__ import annotations

from collections.abc import Iterator

from acestep_mcp.readers.metre import find_metres
from acestep_mcp.readers.musical_key import find_keys
from acestep_mcp.readers.tempo import find_tempos


def states_attribute(phrase: str) -> bool:
    """Whether a phrase plainly states a tempo, a key or a metre: "90 bpm" does, "Am" and "waltz" alone do not."""
    return any(one.stated for one in (*find_tempos(phrase), *find_keys(phrase), *find_metres(phrase)))


def without_attributes(text: str, mark: str = "|") -> str:
    """The text with `mark` in place of each tempo, key and metre. Dances stay: they are styles as well."""
    pieces, at = [], 0
    for start, end in sorted(_spans(text)):
        if start >= at:
            pieces += [text[at:start], mark]
            at = end
    return "".join([*pieces, text[at:]])


def _spans(text: str) -> Iterator[tuple[int, int]]:
    metres = (metre for metre in find_metres(text) if metre.stated)
    yield from ((one.start, one.end) for one in (*find_tempos(text), *find_keys(text), *metres))
