"""Finds the language of a prompt and of its lyrics, and translates its style words to English."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from acestep_mcp.songwriter.songbook import LANGUAGES, UNSPACED, songbook

_NAMES = {
    "english": "en", "spanish": "es", "español": "es", "french": "fr", "français": "fr", "german": "de", "deutsch": "de",
    "portuguese": "pt", "brazilian portuguese": "pt", "português": "pt", "italian": "it", "italiano": "it",
    "russian": "ru", "japanese": "ja", "chinese": "zh", "mandarin": "zh", "korean": "ko",
}  # fmt: skip
_UNSUPPORTED = (
    "polish", "turkish", "czech", "dutch", "arabic", "hungarian", "hindi", "swedish", "norwegian", "danish", "finnish",
    "ukrainian", "greek", "hebrew", "latin", "vietnamese", "thai", "indonesian", "cantonese", "romanian", "farsi",
    "persian", "swahili", "welsh", "irish gaelic", "gaelic", "catalan", "croatian", "serbian", "bulgarian", "urdu",
    "bengali", "tamil", "tagalog", "malay", "icelandic", "basque", "esperanto",
)  # fmt: skip
_NAMED_LANGUAGE = re.compile(
    rf"(?i)\b(?:(?:sung |lyrics |words |song |singing |vocals? |text )?in ({'|'.join([*_NAMES, *_UNSUPPORTED])})(?!\w)(?! style)"
    rf"|({'|'.join([*_NAMES, *_UNSUPPORTED])}) (?:lyrics|vocals?|text|words|language|singing|voice|singer|song))"
)
_SCRIPTS = (
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)
_OTHER_SCRIPTS = (
    ("Arabic", re.compile(r"[\u0600-\u06ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
    ("Hindi", re.compile(r"[\u0900-\u097f]")),
    ("Thai", re.compile(r"[\u0e00-\u0e7f]")),
)


@dataclass(frozen=True, slots=True)
class Language:
    """`prompt` and `lyrics` are codes in LANGUAGES; `unsupported` is the name of a requested language not among them."""

    prompt: str = "en"
    lyrics: str = "en"
    unsupported: str = ""


def find_language(text: str) -> Language:
    """Guess both languages. For the lyrics, a language named in the prompt wins over the prompt's own."""
    prompt = _prompt_language(text)
    named = _NAMED_LANGUAGE.search(text)
    if named:
        name = (named[1] or named[2]).lower()
        known = _NAMES.get(name)
        return Language(prompt, known or "en", "" if known else name.capitalize())
    other = next((name for name, script in _OTHER_SCRIPTS if len(script.findall(text)) > 3), "")
    return Language("en", "en", other) if other else Language(prompt, prompt)


def in_english(text: str, language: str) -> str:
    """The text with the style words that the language's songbook knows translated to English."""
    words = songbook(language).tables.get("words", {})
    if not words:
        return text
    english = _dictionary(language).sub(lambda match: f" {words[match[0].lower()]}{_separator(language)}", text)
    return re.sub(r"[ \t]+", " ", english)


def without_language(text: str) -> str:
    """The text without the words that name the language of the lyrics, such as "sung in Spanish"."""
    return _NAMED_LANGUAGE.sub("|", text)


@functools.cache
def _dictionary(language: str) -> re.Pattern[str]:
    words = sorted(songbook(language).tables["words"], key=lambda word: (-len(word), word))
    every = "|".join(map(re.escape, words))
    whole = language not in (*UNSPACED, "ko")
    return re.compile(rf"(?i)(?<!\w)(?:{every})(?!\w)" if whole else rf"(?:{every})")


def _separator(language: str) -> str:
    return " , " if language in (*UNSPACED, "ko") else ""


def _prompt_language(text: str) -> str:
    for language, script in _SCRIPTS:
        if len(script.findall(text)) * 4 > len(re.findall(r"[^\W\d_]", text)):
            return language
    words = re.findall(r"[^\W\d_]+", text.lower())
    scores = {language: _score(language, words) for language in LANGUAGES[:6]}
    best = max(scores, key=lambda language: (scores[language], language == "en"))
    enough = 1 if len(words) == 1 and len(words[0]) > 3 else 2
    return best if scores[best] > scores["en"] and scores[best] >= enough else "en"


def _score(language: str, words: list[str]) -> int:
    common = set(songbook(language).setting("common").split())
    return sum(word in common for word in words)
