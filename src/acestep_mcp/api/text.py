"""Text from files and hosts that goes to callers and terminals: encodings, halves of surrogate pairs, control characters,
and values that are shown in a message.
"""

from __future__ import annotations

import codecs
import json
import re
import reprlib
from typing import Any

DEEPEST = 32
"""Lists and objects inside each other, in what is stored or sent on."""

# C0 and C1 without tab and line feed, the line separators, and what changes the direction of the text after it.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

MOST_TEXT = 20_000
"""Characters of a text, and entries of an object or list, that an answer holds; the longest lyrics of a request have fewer."""
MOST_PARTS = 500

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # which begins like UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BY_ZEROS = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True): "utf-16-le",
    (True, False): "utf-16-be",
}


def encodable(text: str) -> str:
    """The text with `?` for each character that UTF-8 cannot encode."""
    return str(text) if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def all_encodable(value: Any) -> Any:
    """JSON-like data with every string in it made encodable, keys too."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {all_encodable(key): all_encodable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(all_encodable(part) for part in value)
    return value


def readable(text: str) -> str:
    """Foreign text as it is stored: encodable, with line feeds as its line ends, and without control characters."""
    return _CONTROLS.sub("", encodable(text).replace("\r\n", "\n").replace("\r", "\n"))


def visible(text: str) -> str:
    """Text for a terminal or a log: each control character but tab and line feed as its escape in Python."""
    return _CONTROLS.sub(_escape, text)


def visible_json(text: str) -> str:
    """JSON text for a terminal: its strings keep their meaning."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str, most: int = 200) -> str:
    """Foreign text within a line that a model reads: shortened, and with its line feeds and control characters as escapes."""
    shown = visible(encodable(text[: most + 1])).replace("\n", "\\n").replace("\t", " ")
    return shown if len(shown) <= most else f"{shown[: most - 1]}\u2026"


def indented(text: str) -> str:
    """Text whose further lines are indented, so that none of them can be taken for a line of the answer it stands in."""
    return text.replace("\n", "\n  ")


def presented(value: Any) -> Any:
    """JSON-like data as a model may read it: of bounded size, and with control characters as escapes."""
    if isinstance(value, str):
        shown = visible(encodable(value[:MOST_TEXT]))
        return shown if len(value) <= MOST_TEXT else f"{shown}\u2026 ({len(value) - MOST_TEXT} more characters)"
    if isinstance(value, dict):
        return {one_line(str(key)): presented(part) for key, part in list(value.items())[:MOST_PARTS]}
    if isinstance(value, list | tuple):
        return [presented(part) for part in value[:MOST_PARTS]]
    return value


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def is_storable(value: Any) -> bool:
    """Whether JSON in UTF-8 can hold it: no half of a surrogate pair, infinite number or deep nesting."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
    if not _is_shallow(value, DEEPEST):
        return False
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # also UnicodeEncodeError
        return False
    return True


def _is_shallow(value: Any, left: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    items = value.values() if isinstance(value, dict) else value
    return left > 0 and all(_is_shallow(item, left - 1) for item in items)


def shown(value: Any, longest: int = 60) -> str:
    """The value as Python writes it, for a message: shortened, and never more than a few levels deep."""
    if isinstance(value, str):
        text = repr(value[: longest + 1])
    else:
        short = reprlib.Repr()
        short.maxstring = short.maxother = short.maxlong = longest
        try:
            text = short.repr(value)
        except ValueError:  # Python writes no integer of more than 4300 digits
            text = "a number of thousands of digits"
    return text if len(text) <= longest else text[: longest - 3] + "..."


def decode_text(content: bytes) -> str:
    """The text of a file that a person or another program wrote: UTF-8, or UTF-16 or UTF-32 as Windows programs write it.

    A byte order mark is left out. Without one, a zero byte among the first shows the encoding, since such a file begins
    with an ASCII character. Raises UnicodeDecodeError.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    zeros = tuple(not byte for byte in content[:4])
    return content.decode(_BY_ZEROS.get(zeros) or _BY_ZEROS.get(zeros[:2]) or "utf-8")
