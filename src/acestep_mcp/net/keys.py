"""Keys from files, checked to fit a header. No message contains a key."""

from __future__ import annotations

from pathlib import Path

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.text import decode_text

MAX_KEY = 1024


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
