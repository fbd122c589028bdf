"""Songbooks: the lists a song is composed from, one text file per language in `verses/`.

A file has sections in brackets, and `key = value` lines. The items of a list are separated by semicolons.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

LANGUAGES = ("en", "es", "fr", "de", "pt", "it", "ru", "ja", "zh", "ko")
UNSPACED = ("ja", "zh")


@dataclass(frozen=True, slots=True)
class Theme:
    """A common subject: a name for it, and the keywords that reveal it, `words` as whole words and `parts` anywhere."""

    name: str
    words: frozenset[str]
    parts: tuple[str, ...]

    @property
    def keys(self) -> frozenset[str]:
        return self.words.union(self.parts)


@dataclass(frozen=True, slots=True)
class Songbook:
    """One language's lists by section and key: "leads" "sad", "theme sea" "things"."""

    language: str
    tables: Mapping[str, Mapping[str, str]]
    themes: Mapping[str, Theme] = field(default_factory=dict)

    def setting(self, name: str) -> str:
        return self.tables.get("settings", {}).get(name, "")

    def items(self, section: str, key: str) -> tuple[str, ...]:
        """The items of a list: those of the rhymes are separated by commas, others by semicolons."""
        return _items(self.tables.get(section, {}).get(key, ""), ", " if section == "rhymes" else ";")


@functools.lru_cache(maxsize=4096)
def _items(text: str, separator: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(separator) if item.strip())


@functools.cache
def songbook(language: str) -> Songbook:
    """The songbook of a language in LANGUAGES."""
    text = (resources.files(__package__) / "verses" / f"{language}.txt").read_text(encoding="utf-8")
    return parse(language, text)


def parse(language: str, text: str) -> Songbook:
    """Parse a songbook. Raises ValueError for a line that is no section, entry or comment."""
    tables: dict[str, dict[str, str]] = {}
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif " = " in line:
            key, value = line.split(" = ", 1)
            tables.setdefault(section, {})[key.strip()] = value.strip()
        else:
            raise ValueError(f"not an entry: {line!r}")
    return Songbook(language, tables, _themes(tables, spaced=language not in (*UNSPACED, "ko")))


def _themes(tables: Mapping[str, Mapping[str, str]], *, spaced: bool) -> dict[str, Theme]:
    themes = {}
    for section, table in tables.items():
        if section.startswith("theme "):
            keys = [key.strip() for key in table["keys"].split(",")]
            words = frozenset(key for key in keys if spaced and key.isalpha())
            parts = tuple(key for key in keys if key not in words)
            themes[section.removeprefix("theme ")] = Theme(table["name"], words, parts)
    return themes
