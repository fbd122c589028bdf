"""Tempo, key and metre of a text together, and the text without them."""

from __future__ import annotations

from acestep_mcp.readers.metre import Metre, find_metres, read_metre
from acestep_mcp.readers.musical_key import MusicalKey, find_keys, read_key
from acestep_mcp.readers.tempo import Tempo, find_tempos, read_tempo

__all__ = [
    "Metre", "MusicalKey", "Tempo", "find_keys", "find_metres", "find_tempos", "read_key", "read_metre", "read_tempo",
    "states_attribute", "without_attributes",
]  # fmt: skip


def states_attribute(phrase: str) -> bool:
    """Whether a phrase plainly states a tempo, a key or a metre: "90 bpm" does, "Am" and "waltz" alone do not."""
    return any(one.stated for one in _all(phrase))


def without_attributes(text: str, mark: str = "|") -> str:
    """The text with `mark` in place of each tempo, key and metre. Dances stay: they are styles as well."""
    pieces, at = [], 0
    for one in sorted(_all(text), key=lambda one: one.start):
        if one.start >= at and (one.stated or not isinstance(one, Metre)):
            pieces += [text[at : one.start], mark]
            at = one.end
    return "".join([*pieces, text[at:]])


def _all(text: str) -> list[Tempo | MusicalKey | Metre]:
    return [*find_tempos(text), *find_keys(text), *find_metres(text)]
