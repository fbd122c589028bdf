"""Songbooks: the lists a song is composed from, one text file per language in `verses/`.

A file has sections in brackets, and `key = value` lines. The items of a list are separated by semicolons.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

LANGUAGES = ("en", "es", "fr", "de", "pt", "it", "ru", "ja", "zh", "ko")
UNSPACED = ("ja", "zh")


@dataclass(frozen=True, slots=True)
class Theme:
    """A common subject: the keywords that reveal it, and a name for it."""

    name: str
    keys: tuple[str, ...]


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
        text = self.tables.get(section, {}).get(key, "")
        return tuple(item.strip() for item in re.split(", " if section == "rhymes" else ";", text) if item.strip())


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
    return Songbook(language, tables, _themes(tables))


def _themes(tables: Mapping[str, Mapping[str, str]]) -> dict[str, Theme]:
    return {
        section.removeprefix("theme "): Theme(table["name"], tuple(key.strip() for key in table["keys"].split(",")))
        for section, table in tables.items()
        if section.startswith("theme ")
    }
