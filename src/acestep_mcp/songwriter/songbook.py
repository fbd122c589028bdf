"""Songbooks: the lines a song can be made of, one text file per language in `verses/`.

A file has sections in brackets. `key = value` lines fill tables; every other line is a couplet, `one / two`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

LANGUAGES = ("en", "es", "fr", "de", "pt", "it", "ru", "ja", "zh", "ko")
UNSPACED = ("ja", "zh")

Couplet = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Theme:
    """A common subject: the keywords that reveal it, a name for it, and couplets on it."""

    name: str
    keys: tuple[str, ...]
    couplets: tuple[Couplet, ...]


@dataclass(frozen=True, slots=True)
class Songbook:
    """One language's lines. `couplets` and `tables` are by section ("hook sad", "lines any"; "settings", "rhyme")."""

    language: str
    tables: Mapping[str, Mapping[str, str]]
    couplets: Mapping[str, tuple[Couplet, ...]]
    themes: Mapping[str, Theme] = field(default_factory=dict)

    def of(self, *sections: str) -> tuple[Couplet, ...]:
        return tuple(couplet for section in sections for couplet in self.couplets.get(section, ()))

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
    """Parse a songbook. Raises ValueError for a line that is neither an entry nor a couplet."""
    tables: dict[str, dict[str, str]] = {}
    couplets: dict[str, list[Couplet]] = {}
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
            couplets.setdefault(section, []).append(_couplet(line))
    by_section = {name: tuple(lines) for name, lines in couplets.items()}
    return Songbook(language, tables, by_section, _themes(tables, by_section))


def _themes(tables: Mapping[str, Mapping[str, str]], by_section: Mapping[str, tuple[Couplet, ...]]) -> dict[str, Theme]:
    themes = {}
    for section, table in tables.items():
        if section.startswith("theme "):
            keys = tuple(key.strip() for key in table["keys"].split(","))
            themes[section.removeprefix("theme ")] = Theme(table["name"], keys, by_section.get(section, ()))
    return themes


def _couplet(line: str) -> Couplet:
    parts = re.split(r"\s+/\s+", line)
    if len(parts) != 2:
        raise ValueError(f"not a couplet: {line!r}")
    return parts[0], parts[1]
