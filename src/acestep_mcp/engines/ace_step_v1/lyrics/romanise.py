"""Chinese, Japanese and Korean in Latin letters, as the model has learnt them."""

from __future__ import annotations

from functools import cache
from typing import Any

from acestep_mcp.engines.ace_step_v1.lyrics.late import package


def pinyin(text: str) -> str:
    """Syllables run together, each with its tone as a digit; the neutral tone is 5. All else stays."""
    reader = package("pypinyin")
    return "".join(reader.lazy_pinyin(text, style=reader.Style.TONE3, neutral_tone_with_five=True))


def romaji(text: str) -> str:
    """Hepburn in lower case, words apart; what it cannot read becomes a question mark."""
    return str(_cutlet().romaji(text)).lower()


def hangul(text: str) -> str:
    """The academic transcription, letter by letter, with a hyphen where two syllables could be read as others."""
    return str(_transliter().translit(text))


@cache
def _cutlet() -> Any:
    package("unidic_lite")  # without a dictionary the import of cutlet's tagger succeeds and its use fails
    reader = package("cutlet").Cutlet()
    reader.use_foreign_spelling = False
    return reader


@cache
def _transliter() -> Any:
    return package("hangul_romanize").Transliter(package("hangul_romanize.rule").academic)
