"""The names of a longer song's sections: no two are called alike, and no intro stands inside the song."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence


def names_in_order(names: Sequence[str], sung: Collection[str]) -> list[str]:
    """The names with those of one kind numbered in their order: `verse 1`, `verse` become `verse 1`, `verse 2`.

    An intro after the beginning becomes an interlude, unless `intro` is `sung`: the lyrics' mark names it.
    """
    early = "intro" if "intro" in sung else "interlude"
    inside = [early if number and name == "intro" else name for number, name in enumerate(names)]
    kinds = [name.rstrip("0123456789").rstrip() or name for name in inside]
    counts, seen = Counter(kinds), Counter[str]()
    named = []
    for name, kind in zip(inside, kinds, strict=True):
        seen[kind] += 1
        named.append(f"{kind} {seen[kind]}" if counts[kind] > 1 else name)
    return named
