"""The language of a song as both servers name it."""

from __future__ import annotations

import unicodedata
from collections import Counter

from acestep_mcp.api.errors import ConfigurationError

UNKNOWN = "unknown"
_LANGUAGES = {"HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja", "CJK": "zh", "DEVANAGARI": "hi", "GREEK": "el"}


def song_language(lyrics: str) -> str:
    """The code of the language that is sung; "unknown" where it cannot be told."""
    from acestep_mcp.engines.ace_step_v15.vocal_language import vocal_language  # only a song needs it

    try:
        return vocal_language(lyrics)
    except ConfigurationError:  # the packages that tell languages apart are not installed: letters tell some
        return _by_letters(lyrics)


def _by_letters(lyrics: str) -> str:
    scripts = Counter(unicodedata.name(letter, "?").split()[0].split("-")[0] for letter in lyrics if letter.isalpha())
    for script in ("HANGUL", "HIRAGANA", "KATAKANA"):  # written among Chinese characters
        if scripts[script]:
            return _LANGUAGES[script]
    if not scripts:
        return UNKNOWN
    script = scripts.most_common(1)[0][0]
    return "en" if script == "LATIN" and lyrics.isascii() else _LANGUAGES.get(script, UNKNOWN)
