"""Chinese, Japanese and Korean in Latin letters, as in the model's training."""

from __future__ import annotations

from functools import cache
from typing import Any

from acestep_mcp.engines.model.packages import import_for_lyrics


def pinyin(text: str) -> str:
    """Syllables without spaces, each with its tone as a digit (the neutral tone is 5). Other text is unchanged."""
    reader = import_for_lyrics("pypinyin")
    return "".join(reader.lazy_pinyin(text, style=reader.Style.TONE3, neutral_tone_with_five=True))


def romaji(text: str) -> str:
    """Lower-case Hepburn with spaces between words; unreadable characters become question marks.

    Loan words take the spelling of the language they come from: タワー is "tower".
    """
    return str(_cutlet().romaji(text)).lower()


def hangul(text: str) -> str:
    """The academic transliteration, with a hyphen where a syllable boundary would be ambiguous."""
    return str(_transliterator().translit(text))


@cache
def _cutlet() -> Any:
    import_for_lyrics("unidic_lite")  # without the dictionary, cutlet imports and then fails in use
    return import_for_lyrics("cutlet").Cutlet()


@cache
def _transliterator() -> Any:
    return import_for_lyrics("hangul_romanize").Transliter(import_for_lyrics("hangul_romanize.rule").academic)
