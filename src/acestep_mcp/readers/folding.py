"""Words compared without regard to case, accents, width and punctuation."""

from __future__ import annotations

import unicodedata

_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_LETTERS = str.maketrans({"\u0131": "i", "\u0142": "l", "\u00f8": "o", "\u00e6": "ae", "\u0153": "oe"})


def folded(text: str) -> str:
    """Lower-case letters and digits with single spaces between words; Latin, Greek and Cyrillic letters without marks."""
    if text.isascii():  # the same, and several times faster
        return " ".join(text.translate(_ASCII).split())
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(letter for letter in apart if not "\u0300" <= letter <= "\u036f").translate(_LETTERS)
    composed = unicodedata.normalize("NFC", plain)
    return " ".join("".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in composed).split())
