"""Keys from files, checked to fit a header, and keys taken out of text. No message contains a key."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.text import decode_text

MAX_KEY = 1024
_SHORTEST_SECRET = 8  # shorter ones occur in ordinary text
_ESCAPED_ASCII = re.compile(r"\\u00([2-7][0-9a-fA-F])")


def read(file: Path) -> str:
    """The key that a text file holds, white space around it stripped. Raises ConfigurationError."""
    try:
        with file.open("rb") as opened:  # a pipe works too: it is read once, and not to its end
            text = decode_text(opened.read(4 * MAX_KEY))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"The key file {file} cannot be read. Write the key into it as plain text.") from exc
    return usable(text, f"The key file {file}")


def usable(key: str, what: str) -> str:
    """The key without white space around it; `what` begins the message. Raises ConfigurationError."""
    key = key.strip()
    if not key or len(key) > MAX_KEY or not all("!" <= letter <= "~" for letter in key):
        raise ConfigurationError(
            f"{what} is empty or holds characters that a header cannot carry. A key is one line of letters, digits "
            "and signs without spaces."
        )
    return key


def redaction(*keys: str | None) -> Callable[[str], str]:
    """A function that replaces these keys in a text with `***`: as they are, percent-encoded, or in another case.

    Of a key with two halves, `id:secret`, the secret alone is replaced too.
    """
    parts = {part for key in keys if key for part in (key, key.rpartition(":")[2]) if len(part) >= _SHORTEST_SECRET}
    parts |= {quote(part, safe="") for part in parts}
    if not parts:
        return str
    pattern = re.compile("|".join(map(re.escape, sorted(parts, key=len, reverse=True))), re.IGNORECASE)
    return lambda text: pattern.sub("***", text)


def unescaped(text: str) -> str:
    """JSON inside a text with its escapes of printable ASCII resolved, but for quotes and backslashes.

    It means the same, and a key in it reads as itself.
    """
    return _ESCAPED_ASCII.sub(
        lambda found: found[0] if found[1].lower() in {"22", "5c", "7f"} else chr(int(found[1], 16)), text
    )
