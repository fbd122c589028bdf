"""The language of each line, among the seventeen that the model sings.

Scripts decide where they can. Lines in Latin letters are weighed by a naive Bayes model of letter sequences, by the
letters that only some languages have and by the commonest words; then the song decides what a line leaves open: what
share of it is in which language is estimated from all lines together (expectation and maximisation of a mixture).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from acestep_mcp.engines.ace_step_v1.lyrics.cleaning import printable
from acestep_mcp.engines.ace_step_v1.lyrics.late import package
from acestep_mcp.engines.model.language_hints import CHINESE, COMMON, LETTERS, SOUNDS

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

# A line's evidence is its log-likelihoods: those of letter sequences divided by _HEAT, since they are not independent,
# and no language further behind the best than _FAR. A foreign letter and a common word are worth so much.
_HEAT = 4.0
_FAR = 9.0
_FOREIGN_LETTER = 2.5
_COMMON_WORD = 1.2
# What the song's shares start from: so many lines of every language.
_UNSEEN = 0.03
_ROUNDS = 6
_NEAR = 8
_LONGEST = 400


def is_tag(line: str) -> bool:
    """Whether a line begins with a `[...]` tag; those are read as English."""
    return re.match(r"\s*\[[^\[\]]*\]", line) is not None


def choose(lines: Sequence[str]) -> list[str]:
    """A language for every line of one song; tags are English, and empty lines are whatever is sung around them."""
    plain = [printable(line)[:_LONGEST].lower() for line in lines]
    scripts = [None if is_tag(line) else _script(line) for line in plain]
    settled = _characters(plain, scripts)
    latin = {i: _evidence(plain[i]) for i, script in enumerate(scripts) if script == "latin"}
    for i, tongue in _mixture({i: evidence for i, evidence in latin.items() if evidence}).items():
        settled[i] = tongue
    return _fill(settled, [is_tag(line) or not line.strip() for line in plain], [is_tag(line) for line in plain])


def _script(line: str) -> str | None:
    """The script that decides. Chinese, Japanese and Korean do in any mixture, for nothing else can read them."""
    counts = {name: len(pattern.findall(line)) for name, pattern in _SCRIPTS.items()}
    if counts["ko"] or counts["ja"] or counts["han"]:
        return "ko" if counts["ko"] > counts["ja"] else "ja" if counts["ja"] else "han"
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None


def _characters(plain: list[str], scripts: list[str | None]) -> list[str | None]:
    """The languages that the scripts give; Chinese characters alone can be Japanese, then the nearest lines decide."""
    settled = [None if script in ("latin", "han") else script for script in scripts]
    votes = {i: _votes(plain[i]) for i, script in enumerate(scripts) if script == "han"}
    kana = "ja" in scripts
    for i, vote in votes.items():
        if vote > 0 or vote < (-1 if kana else 0):
            settled[i] = "ja" if vote > 0 else "zh"
    known = {i: tongue for i, tongue in enumerate(settled) if tongue in ("zh", "ja")}
    for i in votes:
        settled[i] = known[i] = settled[i] or _beside(i, known)
    return settled


def _beside(line: int, known: dict[int, str]) -> str:
    """What the nearest of the known lines is in; where none is near, what most of them are in, else Chinese."""
    nearest = min(known, key=lambda i: abs(line - i), default=None)
    if nearest is not None and abs(line - nearest) <= _NEAR:
        return known[nearest]
    return _most(list(known.values())) or "zh"


def _votes(line: str) -> int:
    """For Japanese (above zero) or Chinese, by which national character sets know the characters."""
    votes = 0
    for letter in _SCRIPTS["han"].findall(line):
        japanese = _known(letter, "shift_jis")
        votes += japanese and not (_known(letter, "gb2312") or _known(letter, "big5"))
        votes -= letter in CHINESE or not japanese
    return votes


def _known(letter: str, charset: str) -> bool:
    try:
        letter.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _evidence(line: str) -> dict[str, float]:
    """How far each language is behind the one that fits the line best; nothing for a line of mere sounds."""
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", line)
    if all(SOUNDS.fullmatch(word) for word in words):
        return {}
    words = [word for word in words if word in _WORDS or not SOUNDS.fullmatch(word)]
    text = " ".join(words)
    scores = {tongue: score / _HEAT for tongue, score in _identifier().rank(text)}
    foreign = Counter(letter for letter in text if letter > "\x7f" and letter.isalpha())
    for tongue in LATIN:
        scores[tongue] -= _FOREIGN_LETTER * sum(n for letter, n in foreign.items() if letter not in LETTERS[tongue])
        scores[tongue] += _COMMON_WORD * sum(word in COMMON[tongue] for word in words if len(word) > 1)
    best = max(scores.values())
    return {tongue: max(score - best, -_FAR) for tongue, score in scores.items()}


@cache
def _identifier() -> Any:
    module = package("py3langid.langid")
    found = module.LanguageIdentifier.from_model_file(module.MODEL_FILE)
    found.set_languages(list(LATIN))
    return found


def _mixture(evidence: dict[int, dict[str, float]]) -> dict[int, str]:
    """The likeliest language of each line, the shares of the languages in the song being what the lines make them."""
    share = dict.fromkeys(LATIN, 1 / len(LATIN))
    for _ in range(_ROUNDS):
        total = dict.fromkeys(LATIN, _UNSEEN)
        for line in evidence.values():
            weights = {tongue: share[tongue] * math.exp(line[tongue]) for tongue in LATIN}
            whole = sum(weights.values())
            for tongue, weight in weights.items():
                total[tongue] += weight / whole
        share = {tongue: amount / sum(total.values()) for tongue, amount in total.items()}
    return {i: max(LATIN, key=lambda t: math.log(share[t]) + line[t]) for i, line in evidence.items()}


def _fill(settled: list[str | None], breaks: list[bool], tags: list[bool]) -> list[str]:
    """Lines without a language get that of most lines of their part, else of the song, else English."""
    song = _most(settled) or "en"
    filled: list[str] = []
    start = 0
    for end in [*(i for i, stop in enumerate(breaks) if stop), len(settled)]:
        part = _most(settled[start:end]) or song
        filled += [tongue or part for tongue in settled[start:end]]
        if end < len(settled):
            filled.append("en" if tags[end] else song)
        start = end + 1
    return filled


def _most(tongues: Sequence[str | None]) -> str | None:
    counted = Counter(tongue for tongue in tongues if tongue)
    return counted.most_common(1)[0][0] if counted else None
