"""What kind of section a name means: "Final Chorus", "Guitar Solo", "Estribillo 2", "副歌", "Chorus - whispered x2"."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from acestep_mcp.readers import section_table as table
from acestep_mcp.readers.folding import folded
from acestep_mcp.readers.section_table import Kind

_LONGEST = 60
_SIGNS = re.compile('[\\[\\]\uff3b\uff3d\u3010\u3011\u3014\u3015\u3016\u3017{}<>*_`#"\u201c\u201d]')
_MOST_TIMES = 8
_JOINED = re.compile("[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_SIGN = "[x\u00d7\u0445]"
_COUNT = re.compile(
    rf"(?i)[(\[\uff08]?\s*(?:(?<![^\W\d_]){_SIGN}\s?(\d{{1,2}})|(?<!\w)(\d{{1,2}})\s?(?:{_SIGN}|times|veces|vezes|fois|volte|"
    r"mal|раза?|рази|razy|回|次|번)|(?<!\w)(?:twice|bis|dos veces|zweimal|deux fois|due volte|дважды))(?!\w)\s*[)\]\uff09]?"
)
_DETAIL = re.compile(
    r"(?i)\s*[:\uff1a|,\uff0c;(\uff08/\u2013\u2014\u2022]\s*|\s+[-\u2212~]+\s+|\s+(?:to|into|before|after|feat\.?|ft\.?|by|of)\s+"
)


@dataclass(frozen=True, slots=True)
class SectionName:
    """A section's name as read.

    `name` is English ("Final Chorus"), `detail` what follows it ("whispered", a singer). `exact` is true if nothing else is
    in the name, `sure` if the name is seldom a word to sing. `times` is how often the section is sung, 0 if it is not said;
    `repeats` is true for "Repeat Chorus".
    """

    kind: Kind
    name: str
    detail: str
    exact: bool
    sure: bool
    english: bool
    times: int = 0
    repeats: bool = False


@lru_cache(maxsize=1024)
def read_name(text: str) -> SectionName | None:
    """The section that a mark's text names, in any of the languages; None where it names none."""
    if len(text) > _LONGEST:
        return None
    times, rest = take_count(_SIGNS.sub(" ", text))
    separator = _DETAIL.search(rest := rest.strip())
    head, detail = (rest[: separator.start()], rest[separator.end() :]) if separator else (rest, "")
    head, detail = head.strip(" )\uff09."), detail.strip(" )\uff09.")
    found = _read(head, detail, times)
    if found is None and detail and (found := _read(detail, head, times)):
        return replace(found, exact=False)
    # "Chorus of angels" names a chorus in square brackets only.
    return replace(found, exact=False) if found and separator and separator[0].strip().isalpha() else found


def take_count(text: str) -> tuple[int, str]:
    """How often something is sung ("x2", "3 times", "bis"), 0 if the text does not say so, and the text without that."""
    found = _COUNT.search(text)
    if not found:
        return 0, text
    times = int(found[1] or found[2] or 2)
    if not 1 <= times <= _MOST_TIMES:
        return 0, text
    return times, text[: found.start()] + text[found.end() :]


def count_only(text: str) -> int:
    """How often something is sung, if the text says that alone ("x2", "bis", "repeat"); else 0."""
    times, rest = take_count(f"({text})")
    words = folded(rest if times else text).split()
    if words and not all(word in _folded(table.REPEAT) for word in words):
        return 0
    return times or (2 if words else 0)


def _read(head: str, detail: str, times: int) -> SectionName | None:
    plain = folded(head)
    found = [match[0] for match in _pattern().finditer(plain)]
    if not found:
        return None
    word = max(reversed(found), key=_rank)
    kind, sure = _names()[word]
    exact = _only_besides(_pattern().sub(" ", plain))
    if not (sure or exact) and _JOINED.search(word) and len(plain) > len(word) + 3:
        return None
    english = (
        head.isascii() and word in _folded(table.ENGLISH) and not _folded(table.FOREIGN_BESIDES) & {*plain.split()}
    )
    name = " ".join(head.split()) if english else _english_name(kind, word, plain)
    repeats = any(part in _folded(table.REPEAT) for part in _parts(plain))
    if english and repeats:
        name = " ".join(part for part in name.split() if folded(part) not in _folded(table.REPEAT))
    return SectionName(kind, name, detail, exact, sure, english, times, repeats)


def _english_name(kind: Kind, word: str, plain: str) -> str:
    """The section's name in English, with its number, its instrument and "final" where the text has them."""
    parts = _parts(plain)
    tools = [
        tool for tool, words in table.INSTRUMENTS.items() if any(part.startswith((*_folded(words),)) for part in parts)
    ]
    number = re.search(r"\d+", plain) or re.search("[\u4e00\u4e8c\u4e09\u56db\u4e94]", plain)
    digit = {"\u4e00": "1", "\u4e8c": "2", "\u4e09": "3", "\u56db": "4", "\u4e94": "5"}
    base: str = "post-chorus" if kind == "chorus" and word.startswith(("post", "pos ")) else kind
    if (
        kind == "solo"
        and not tools
        and not re.search("solo|\u0441\u043e\u043b\u043e|\u30bd\u30ed|\uc194\ub85c|\u72ec\u594f|\u7368\u594f", word)
    ):
        base = "interlude"
    final = ["final"] if kind != "outro" and parts & _folded(table.FINAL) else []
    counted = [digit.get(number[0], number[0])] if number and not word.startswith("middle") else []
    return " ".join([*final, *(tools[:1] if kind == "solo" else []), base, *counted])


def _parts(plain: str) -> frozenset[str]:
    """The words of a name; of a script without spaces, the known words in it."""
    if not _JOINED.search(plain):
        return frozenset(plain.split())
    known = _folded("|".join((table.REPEAT, table.FINAL, *table.INSTRUMENTS.values())))
    return frozenset(word for word in known if _JOINED.search(word) and word in plain)


def _only_besides(others: str) -> bool:
    if _JOINED.search(others):
        for word in sorted(
            _folded("|".join((table.JOINED_BESIDES, *table.INSTRUMENTS.values()))), key=len, reverse=True
        ):
            others = others.replace(word, " ") if _JOINED.search(word) else others
    known = _folded(f"{table.BESIDES}|{table.FOREIGN_BESIDES}")
    tools = (*_folded("|".join(table.INSTRUMENTS.values())),)
    return all(word.isdigit() or word in known or word.startswith(tools) for word in others.split())


def _rank(word: str) -> int:
    return next((rank for rank, words in enumerate(table.WEAK) if word in _folded(words)), len(table.WEAK))


@cache
def _folded(words: str) -> frozenset[str]:
    return frozenset(folded(word) for word in words.split("|"))


@cache
def _names() -> dict[str, tuple[Kind, bool]]:
    """The kind of every name, and whether it is seldom sung."""
    unsure = {word: (kind, False) for kind, words in table.UNSURE.items() for word in _folded(words)}
    return unsure | {word: (kind, True) for kind, words in table.SURE.items() for word in _folded(words)}


@cache
def _pattern() -> re.Pattern[str]:
    """Any name, the longest first; in scripts with spaces only as a whole word."""
    words = sorted(_names(), key=len, reverse=True)
    apart = "|".join(re.escape(word) for word in words if not _JOINED.search(word))
    joined = "|".join(re.escape(word) for word in words if _JOINED.search(word))
    return re.compile(rf"(?<![^\W\d_])(?:{apart})(?![^\W\d_])|{joined}")
