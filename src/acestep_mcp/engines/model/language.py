"""The language of each line, among the seventeen that the model sings.

Other scripts decide by themselves. Lines in Latin letters are scored by a naive Bayes model of letter sequences, by
letters that only some languages use and by common words. The song decides ambiguous lines: the share of each language
is estimated from all lines together (expectation maximisation of a mixture).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from acestep_mcp.engines.model.language_hints import CHINESE, COMMON, LETTERS, SOUNDS
from acestep_mcp.engines.model.packages import import_for_lyrics
from acestep_mcp.readers.lyric_sheet import plain_line

LATIN = tuple(COMMON)
_WORDS = frozenset().union(*COMMON.values())
LANGUAGES = (*LATIN, "ru", "ar", "zh", "ja", "ko", "hi")

_SCRIPTS = {
    "latin": re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ]"),
    "ru": re.compile(r"[Ѐ-ԯ]"),
    "ar": re.compile(r"[؀-ۿݐ-ݿࢠ-ࣿﭐ-﷿ﹰ-ﻼ]"),
    "hi": re.compile(r"[ऀ-ॿ]"),
    "ko": re.compile(r"[가-힣ᄀ-ᇿ㄰-㆏]"),
    "ja": re.compile(r"[ぁ-ゖァ-ヺｦ-ﾝ]"),
    "han": re.compile(r"[㐀-䶿一-鿿豈-﫿\U00020000-\U0003134f]"),
}

# A line's evidence is a log-likelihood per language: that of its letter sequences divided by _TEMPERATURE, since they are
# not independent, and limited to _MAX_DEFICIT below the best. Foreign letters subtract and common words add.
_TEMPERATURE = 4.0
_MAX_DEFICIT = 9.0
_FOREIGN_LETTER = 2.5
_COMMON_WORD = 1.2
# Prior of the song's shares, in lines per language.
_PRIOR_LINES = 0.03
_ITERATIONS = 6
_NEARBY_LINES = 8
_MAX_LETTERS = 400


def printable(text: str) -> str:
    """NFC text of a line, without times and Markdown. Control characters become spaces; lone surrogates are removed."""
    kept = (" " if unicodedata.category(letter) == "Cc" else letter for letter in text if not _is_surrogate(letter))
    return plain_line(unicodedata.normalize("NFC", "".join(kept)))


def _is_surrogate(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"


def split_tags(line: str) -> list[str]:
    """A line in parts, in order: `[...]` tags that stand together, and the words between them."""
    return [part.strip() for part in re.split(r"((?:\[[^\[\]]*\]\s*)+)", plain_line(line)) if part.strip()]


def is_tag(part: str) -> bool:
    """Whether a part of a line is tags, or a line begins with one."""
    return re.match(r"\s*\[[^\[\]]*\]", plain_line(part)) is not None


def without_tags(line: str) -> str:
    """The words of a line."""
    return " ".join(part for part in split_tags(line) if not is_tag(part))


def detect(lines: Sequence[str]) -> list[str]:
    """The language code of every line of a song: that of its words.

    Tags alone are English; empty lines take the language around them.
    """
    plain = [printable(without_tags(line))[:_MAX_LETTERS].lower() for line in lines]
    tags = [is_tag(line) for line in lines]
    scripts = [_script(line) for line in plain]
    settled = _detect_by_script(plain, scripts)
    latin = {i: _evidence(plain[i]) for i, script in enumerate(scripts) if script == "latin"}
    for i, code in _mixture({i: evidence for i, evidence in latin.items() if evidence}).items():
        settled[i] = code
    return _fill_gaps(settled, tags, [bool(line.strip()) for line in plain])


def _script(line: str) -> str | None:
    """The script that decides the language. Chinese, Japanese and Korean take precedence in a mixed line."""
    counts = {name: len(pattern.findall(line)) for name, pattern in _SCRIPTS.items()}
    if counts["ko"] or counts["ja"] or counts["han"]:
        return "ko" if counts["ko"] > counts["ja"] else "ja" if counts["ja"] else "han"
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None


def _detect_by_script(plain: list[str], scripts: list[str | None]) -> list[str | None]:
    """Languages that follow from the script. For Chinese characters alone, which may be Japanese, nearby lines decide."""
    settled = [None if script in ("latin", "han") else script for script in scripts]
    votes = {i: _votes(plain[i]) for i, script in enumerate(scripts) if script == "han"}
    kana = "ja" in scripts
    for i, vote in votes.items():
        if vote > 0 or vote < (-1 if kana else 0):
            settled[i] = "ja" if vote > 0 else "zh"
    known = {i: code for i, code in enumerate(settled) if code in ("zh", "ja")}
    for i in votes:
        settled[i] = known[i] = settled[i] or _nearby_language(i, known)
    return settled


def _nearby_language(line: int, known: dict[int, str]) -> str:
    """The language of the nearest known line within 8 lines, else of most known lines, else Chinese."""
    nearest = min(known, key=lambda i: abs(line - i), default=None)
    if nearest is not None and abs(line - nearest) <= _NEARBY_LINES:
        return known[nearest]
    return _most_common_language(list(known.values())) or "zh"


def _votes(line: str) -> int:
    """Votes for Japanese (above zero) or Chinese, by the national character sets that contain the characters."""
    votes = 0
    for letter in _SCRIPTS["han"].findall(line):
        japanese = _is_in_charset(letter, "shift_jis")
        votes += japanese and not (_is_in_charset(letter, "gb2312") or _is_in_charset(letter, "big5"))
        votes -= letter in CHINESE or not japanese
    return votes


def _is_in_charset(letter: str, charset: str) -> bool:
    try:
        letter.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _evidence(line: str) -> dict[str, float]:
    """The log-likelihood of each language relative to the best one; empty for a line of vocal sounds only."""
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", line)
    if all(SOUNDS.fullmatch(word) for word in words):
        return {}
    words = [word for word in words if word in _WORDS or not SOUNDS.fullmatch(word)]
    text = " ".join(words)
    scores = {code: score / _TEMPERATURE for code, score in _identifier().rank(text)}
    foreign = Counter(letter for letter in text if letter > "\x7f" and letter.isalpha())
    for code in LATIN:
        scores[code] -= _FOREIGN_LETTER * sum(n for letter, n in foreign.items() if letter not in LETTERS[code])
        scores[code] += _COMMON_WORD * sum(word in COMMON[code] for word in words if len(word) > 1)
    best = max(scores.values())
    return {code: max(score - best, -_MAX_DEFICIT) for code, score in scores.items()}


@cache
def _identifier() -> Any:
    module = import_for_lyrics("py3langid.langid")
    found = module.LanguageIdentifier.from_model_file(module.MODEL_FILE)
    found.set_languages(list(LATIN))
    return found


def _mixture(evidence: dict[int, dict[str, float]]) -> dict[int, str]:
    """The likeliest language of each line, with the languages' shares in the song as the prior."""
    share = dict.fromkeys(LATIN, 1 / len(LATIN))
    for _ in range(_ITERATIONS):
        total = dict.fromkeys(LATIN, _PRIOR_LINES)
        for line in evidence.values():
            weights = {code: share[code] * math.exp(line[code]) for code in LATIN}
            whole = sum(weights.values())
            for code, weight in weights.items():
                total[code] += weight / whole
        share = {code: amount / sum(total.values()) for code, amount in total.items()}
    return {i: max(LATIN, key=lambda t: math.log(share[t]) + line[t]) for i, line in evidence.items()}


def _fill_gaps(settled: list[str | None], tags: list[bool], words: list[bool]) -> list[str]:
    """Lines without a language take that of most lines of their section, else of the song, else English.

    A section begins with a tag or an empty line.
    """
    song = _most_common_language(settled) or "en"
    numbers = list(accumulate(tag or not word for tag, word in zip(tags, words, strict=True)))
    sections: defaultdict[int, list[str | None]] = defaultdict(list)
    for number, code in zip(numbers, settled, strict=True):
        sections[number].append(code)
    section = {number: _most_common_language(codes) or song for number, codes in sections.items()}
    without_words = ["en" if tag else song for tag in tags]
    return [
        code or (section[number] if word else other)
        for code, number, word, other in zip(settled, numbers, words, without_words, strict=True)
    ]


def _most_common_language(codes: Sequence[str | None]) -> str | None:
    counted = Counter(code for code in codes if code)
    return counted.most_common(1)[0][0] if counted else None
