"""Change one member of a JSON file and leave every other character alone: comments, order, spaces, trailing commas."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_GAP = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_LINE_END = re.compile(r"[ \t]*(?://[^\n]*|/\*[^\n]*?\*/[ \t]*)?(?=\r?\n)")
_DEEPEST = 100


@dataclass(slots=True)
class _Value:
    """Where a value stands; `members` are those of an object, with the place where each name begins."""

    start: int
    end: int = 0
    members: dict[str, tuple[int, _Value]] | None = None
    items: list[_Value] = field(default_factory=list)


def value_at(text: str, path: Sequence[str]) -> Any:
    """The value of the member at `path`; None where there is none. Raises ValueError for what is not JSON with comments."""
    found = _find(_parsed(text), path)
    return None if found is None else json.loads(_plain(text, found))


def with_member(text: str, path: Sequence[str], value: Any) -> str:
    """The text with the member at `path` set; objects on the way are added. Raises ValueError where one is something else."""
    text = text if text.strip("\ufeff \t\r\n") else text + "{}"
    newline = "\r\n" if "\r\n" in text else "\n"
    whole = _parsed(text)
    known = len(path)
    while known and _find(whole, path[:known]) is None:
        known -= 1
    unit = _indent_of(text, whole)
    for name in reversed(path[known + 1 :]):
        value = {name: value}
    if known == len(path):
        found = _find(whole, path)
        assert found is not None
        return text[: found.start] + _dumped(value, unit, unit * known, newline) + text[found.end :]
    parent = _find(whole, path[:known])
    assert parent is not None
    if parent.members is None:
        raise ValueError(f"{'.'.join(path[:known]) or 'the whole file'} is not an object")
    written = f"{json.dumps(path[known])}: {_dumped(value, unit, unit * (known + 1), newline)}"
    return _inserted(text, parent, written, unit, known, newline)


def without_member(text: str, path: Sequence[str]) -> str:
    """The text without the member at `path`, if there is one."""
    parent = _find(_parsed(text), path[:-1])
    if parent is None or path[-1] not in (parent.members or {}):
        return text
    assert parent.members is not None
    start, value = parent.members[path[-1]]
    after = _GAP.match(text, value.end).end()  # type: ignore[union-attr]  # it matches nothing, too
    line = text.rfind("\n", 0, start) + 1
    start = line if not text[line:start].strip() else start
    if text[after] == ",":
        rest = re.compile(r",[ \t]*(?:\r?\n)?").match(text, after)
        assert rest is not None
        return text[:start] + text[rest.end() :]
    before = text[:start].rstrip()
    end = value.end if before.endswith("{") else after
    if before.endswith(","):
        return before[:-1] + text[value.end :]
    return text[:start] + text[end:].lstrip(" \t").removeprefix("\r").removeprefix("\n")


def _inserted(text: str, parent: _Value, written: str, unit: str, depth: int, newline: str) -> str:
    """As the first member: what follows a member, as a comment on its line, stays with it."""
    assert parent.members is not None
    inner = newline + unit * (depth + 1)
    comment = _LINE_END.match(text, parent.start + 1)
    place = comment.end() if comment else parent.start + 1
    if parent.members:
        return f"{text[:place]}{inner}{written},{'' if comment else inner}{text[place:].lstrip(' ')}"
    rest = text[place:].lstrip(" \t") if not text[place : parent.end - 1].strip() else text[place:]
    rest = rest if rest.startswith(("\n", "\r")) else newline + unit * depth + rest
    return f"{text[:place]}{inner}{written}{rest}"


def _dumped(value: Any, unit: str, margin: str, newline: str) -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", newline + margin)


def _indent_of(text: str, whole: _Value) -> str:
    """One step of indentation, as the first member has it."""
    for start, _ in (whole.members or {}).values():
        margin = text[text.rfind("\n", 0, start) + 1 : start]
        if margin and not margin.strip():
            return margin
    return "  "


def _find(value: _Value, path: Sequence[str]) -> _Value | None:
    for name in path:
        member = (value.members or {}).get(name)
        if member is None:
            return None
        value = member[1]
    return value


def _plain(text: str, value: _Value) -> str:
    """A value as plain JSON, without comments and trailing commas."""
    if value.members is not None:
        return (
            "{"
            + ", ".join(f"{json.dumps(name)}: {_plain(text, inner)}" for name, (_, inner) in value.members.items())
            + "}"
        )
    if text[value.start] == "[":
        return "[" + ", ".join(_plain(text, item) for item in value.items) + "]"
    return text[value.start : value.end]


def _parsed(text: str) -> _Value:
    start = _gap(text, 1 if text.startswith("\ufeff") else 0)
    value = _value(text, start, 0)
    end = _gap(text, value.end)
    if end < len(text):
        raise _wrong(text, end)
    return value


def _gap(text: str, place: int) -> int:
    return _GAP.match(text, place).end()  # type: ignore[union-attr]  # it matches nothing, too


def _value(text: str, place: int, depth: int) -> _Value:
    if depth > _DEEPEST:
        raise _wrong(text, place)
    opening = text[place : place + 1]
    if opening not in ("{", "["):
        found = (_STRING if opening == '"' else _SCALAR).match(text, place)
        if found is None:
            raise _wrong(text, place)
        return _Value(place, found.end())
    value = _Value(place, members={} if opening == "{" else None)
    closing = "}" if opening == "{" else "]"
    place = _gap(text, place + 1)
    while text[place : place + 1] != closing:
        item = _member(text, place, value, depth) if value.members is not None else _value(text, place, depth + 1)
        value.items.append(item)
        place = _gap(text, item.end)
        if text[place : place + 1] == ",":
            place = _gap(text, place + 1)
        elif text[place : place + 1] != closing:
            raise _wrong(text, place)
    value.end = place + 1
    return value


def _member(text: str, place: int, owner: _Value, depth: int) -> _Value:
    name = _STRING.match(text, place)
    colon = _gap(text, name.end()) if name else place
    if name is None or text[colon : colon + 1] != ":":
        raise _wrong(text, colon)
    value = _value(text, _gap(text, colon + 1), depth + 1)
    assert owner.members is not None
    owner.members[json.loads(name[0])] = (place, value)
    return value


def _wrong(text: str, place: int) -> ValueError:
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return ValueError(f"line {line}, column {column} is not JSON")
