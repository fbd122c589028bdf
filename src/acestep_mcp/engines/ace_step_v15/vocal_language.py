"""The language of a whole song, as one of the fifty codes of the model's language field."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Any

from acestep_mcp.engines.model import language
from acestep_mcp.engines.model.language_hints import SOUNDS
from acestep_mcp.engines.model.packages import import_for_lyrics

UNKNOWN = "unknown"
_CODES = """
ar az bg bn ca cs da de el en es fa fi fr he hi hr ht hu id is it ja ko la lt ms ne nl no pa pl pt ro ru sa sk sr sv sw
ta te th tl tr uk ur vi yue zh
"""
LANGUAGES = frozenset(_CODES.split())
"""The makers' list: https://github.com/ace-step/ACE-Step-1.5, acestep/constants.py."""
_VARIANTS = {"nn": "no", "bs": "hr", "ary": "ar", "arz": "ar", "hbo": "he", "grc": "el", "wuu": "zh"}
"""Languages that py3langid tells apart and the model does not."""
_MARGIN = 6.0
"""Log-likelihood by which the whole song must prefer a language to that of most of its lines. Tuned on songs."""

# Close relatives, and words that only one of them has.
_RELATIVES = (
    {
        "id": "bisa gak nggak ngga enggak banget karena gue gua lo lu kalian dong sih kok bilang ketika",
        "ms": "boleh awak korang kerana nak tak hendak sahaja kat macam tengok cakap tetapi menanti",
    },
    {
        "hr": "svijet svijetu svijeta lijep lijepa lijepo vrijeme gdje tko nitko što uvijek dijete htjela htio riječ "
        "riječi cvijet snijeg snijega ovdje voljela ljeto mlijeko",
        "sr": "svet svetu sveta lep lepa lepo vreme gde ko niko šta uvek dete htela hteo reč reči cvet sneg snega ovde "
        "volela leto mleko",
        "sl": "sem jaz nikoli zdaj tudi ker kaj kje kdaj bom boš ljubim ljubezen več življenje samo kot pri",
    },
)
_WORD = 20.0


def vocal_language(lyrics: str) -> str:
    """The code of the language that most lines are sung in; "unknown" if it is none of the model's or cannot be told."""
    lines = sung_lines(lyrics)
    scripts = Counter(script for line in lines if (script := _script(line)))
    if not scripts:
        return UNKNOWN
    script = scripts.most_common(1)[0][0]
    return _language([line for line in lines if _script(line) == script], script)


def sung_lines(lyrics: str) -> list[str]:
    """The lines that have words, without tags and vocal sounds such as oh and la."""
    return [words for line in lyrics.split("\n") if (words := _words(language.without_tags(line)))]


def _words(line: str) -> str:
    """The words of a line in lower case."""
    words = re.findall(
        r"[^\W\d_]+(?:['\u2019\u0900-\u0dff\u0e00-\u0eff\u200c\u200d][^\W\d_]*)*", language.printable(line).lower()
    )
    return " ".join(word for word in words if not SOUNDS.fullmatch(word))


def _script(line: str) -> str | None:
    """The script of most letters, by its name in Unicode. Chinese characters and kana count as one; they and Hangul outweigh Latin."""
    names = Counter(_script_name(letter) for letter in line if letter.isalpha())
    east_asian = max(("CJK", "HANGUL"), key=lambda name: names[name])
    if names[east_asian]:
        return east_asian
    return names.most_common(1)[0][0] if names else None


@cache
def _script_name(letter: str) -> str:
    name = unicodedata.name(letter, "UNKNOWN").split()[0]
    return "CJK" if name in {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"} else name


def _language(lines: list[str], script: str) -> str:
    if script == "HANGUL":
        return "ko"
    expected = Counter(language.detect(lines)).most_common(1)[0][0]
    scores = _scores(" ".join(lines))
    best = max(scores, key=scores.__getitem__)
    is_plausible = script in ("LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI", "CJK")
    if is_plausible and scores[best] - scores.get(expected, -1e9) < _MARGIN:
        best = expected
    if script == "CJK" and best not in ("ja", "yue"):
        best = expected
    return best if best in LANGUAGES else UNKNOWN


def _scores(text: str) -> dict[str, float]:
    """The log-likelihood of each language; variants count as one language."""
    scores: dict[str, float] = {}
    for code, score in _identifier().rank(text):
        known = _VARIANTS.get(code, code)
        scores[known] = max(float(score), scores.get(known, float(score)))
    best, words = max(scores, key=scores.__getitem__), set(text.split())
    for relatives in _RELATIVES:
        if best in relatives:
            for code, own in relatives.items():
                scores[code] += _WORD * len(words.intersection(own.split()))
    return scores


@cache
def _identifier() -> Any:
    module = import_for_lyrics("py3langid.langid")
    return module.LanguageIdentifier.from_model_file(module.MODEL_FILE)
