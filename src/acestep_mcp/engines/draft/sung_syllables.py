"""How the syllables of a word sound: their consonants and vowels by the rules of the language's spelling."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from acestep_mcp.engines.draft.english_sounds import ENGLISH, ENGLISH_VOWELS
from acestep_mcp.engines.draft.letter_sounds import GENERAL, JAMO, RULES, SEMITIC

VOWELS = frozenset("iIeE{aAOoUuV@3y291M")
"""X-SAMPA, and M for a hum with closed lips."""
_CLUSTERS = re.compile(r"[pbkgf][rlwj]|[td][rwj]|T[rw]|s[lwj]|[vS]r")
_LOOKBEHIND = re.compile(r"\(\?<[=!][^)]*\)|\^")
_MADE_UP = "aoeiu"
_SMALL = frozenset("ゃゅょャュョぁぃぅぇぉァィゥェォ")


class SungSyllable(NamedTuple):
    """`text` is how it is written; `onset`, `vowels` and `coda` are X-SAMPA, one or two vowels; empty for an instrument."""

    text: str = ""
    onset: str = ""
    vowels: str = ""
    coda: str = ""


UNSUNG = SungSyllable()


class _Piece(NamedTuple):
    """Letters that sound together; `sounds` is empty if they are silent."""

    letters: str
    sounds: str

    @property
    def vowels(self) -> str:
        return "".join(sound for sound in self.sounds if sound in VOWELS)


@lru_cache(maxsize=8192)
def sung_syllables(word: str, count: int, language: str) -> tuple[SungSyllable, ...]:
    """The `count` syllables of a word. Where a script does not write its vowels, such as in Chinese, they are made up."""
    written = unicodedata.normalize("NFC", word)
    lower = written.lower().replace("’", "'")
    pieces = _pieces(
        lower if len(lower) == len(written) else written,
        "en" if language in {"other", "even"} and word.isascii() else language,
    )
    nuclei = ENGLISH_VOWELS.get(lower, ()) if language == "en" else ()
    pieces = _with_vowels(_fitted(pieces, count), nuclei if len(nuclei) == count else ())
    return tuple(_cut(pieces, count))


def _pieces(word: str, language: str) -> list[_Piece]:
    rules = _rules(language)
    found: list[_Piece] = []
    at = 0
    while at < len(word):
        matches = ((letters, rule[2]) for rule in rules.get(word[at], ()) if (letters := _matched(rule, word, at)))
        letters, sounds = next(matches, ("", ""))
        _add(found, letters or word[at], sounds if letters else _plain(word[at], found))
        letters = letters or word[at]
        at += len(letters)
    return found


def _add(found: list[_Piece], letters: str, sounds: str) -> None:
    """Add a piece; a doubled consonant sounds once, and a small kana or a vowel sign changes the vowel before it."""
    before = found[-1] if found else None
    if before and before.vowels and (letters in _SMALL or unicodedata.category(letters[0]) in {"Mn", "Mc"}):
        found[-1] = _Piece(before.letters + letters, before.sounds.rstrip("".join(VOWELS)) + sounds)
    elif before and sounds and before.sounds == sounds and sounds not in VOWELS and letters == before.letters:
        found[-1] = _Piece(before.letters + letters, sounds)
    else:
        found.append(_Piece(letters, sounds))


@cache
def _rules(language: str) -> dict[str, list[tuple[str, str, str]]]:
    """The rules by the letter at which they begin, each as the letters it surely begins with, its pattern and its sounds."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    own = ENGLISH if language == "en" else RULES.get(language, "")
    for rule in (*own.split(), *sorted(GENERAL.split(), key=_longest)):
        pattern, _, sounds = rule.rpartition("=")
        bare = _LOOKBEHIND.sub("", pattern)
        head = re.match(r"\w*(?![*+?\w])", bare)
        for first in bare[1 : bare.index("]")] if bare.startswith("[") else bare[0]:
            found.setdefault(first, []).append((head[0] if head else "", pattern, sounds))
    return found


def _matched(rule: tuple[str, str, str], word: str, at: int) -> str:
    """The letters at this place that a rule is for; empty if it is not for them."""
    head, pattern, _ = rule
    if not word.startswith(head, at):
        return ""
    if pattern == head:
        return head
    match = _compiled(pattern).match(word, at)
    return match[0] if match else ""


_compiled = cache(re.compile)


@cache
def _letters() -> dict[str, str]:
    return dict(rule.split("=") for rule in GENERAL.split())


def _longest(rule: str) -> int:
    return -len(rule.partition("=")[0])


def _plain(character: str, before: list[_Piece]) -> str:
    """The sound of a character that no rule knows: that of its letter without accents, or by its Unicode name."""
    parts = unicodedata.normalize("NFD", character)
    if parts[0] in _letters():
        return _letters()[parts[0]]
    name = unicodedata.name(character, "")
    script, _, rest = name.partition(" ")
    if script == "HANGUL":
        return "".join(_jamo(part) for part in parts)
    last = rest.rpartition(" ")[2] if rest else ""
    if script.startswith(("HIRAGANA", "KATAKANA")):
        return _kana(rest, before)
    if script in {"ARABIC", "HEBREW"}:
        words = rest.split()[1:]
        return next((SEMITIC[one] for one in words if one in SEMITIC), last[:1].lower() if last else "")
    if script.startswith("CJK"):
        return _MADE_UP[ord(character) % len(_MADE_UP)]
    return _by_sign(name) if unicodedata.category(character)[0] in "LM" and last.isalpha() else ""


def _jamo(part: str) -> str:
    name = unicodedata.name(part, "")
    sound = JAMO.get(name.rpartition(" ")[2].removeprefix("SSANG"), "")
    return "" if "CHOSEONG IEUNG" in name else sound


def _kana(name: str, before: list[_Piece]) -> str:
    """The sounds of a kana; a small "tu" holds the vowel before it."""
    last = name.rpartition(" ")[2]
    if name.endswith("SMALL TU"):
        return before[-1].vowels if before else ""
    if name.endswith("MARK"):
        return ""
    return {"N": "M", "SI": "Si", "TI": "tSi", "TU": "tsu", "HU": "fu"}.get(last, _by_name(last))


def _by_name(name: str) -> str:
    """The transliteration in a Unicode name: consonants, and one vowel."""
    kept = name.replace("H", "") if len(name) > 2 else name
    found = "".join({"C": "tS", "Y": "j", "Q": "k", "X": "ks"}.get(one, one.lower()) for one in kept)
    vowels = [sound for sound in found if sound in VOWELS]
    return "".join(sound for sound in found if sound not in VOWELS) + (vowels[0] if vowels else "")


def _by_sign(name: str) -> str:
    """The sound of a letter or a sign of an Indian script; the vowel that is not written is weak."""
    last = name.rpartition(" ")[2]
    if "SIGN" in name and "VOWEL" not in name:
        return "n" if last in {"ANUSVARA", "CANDRABINDU"} else ""
    sounds = _by_name(last)
    return (
        sounds[:-1] + "@"
        if "LETTER" in name and len(last) > 1 and last.endswith("A") and last[0] not in "AEIOU"
        else sounds
    )


def _fitted(pieces: list[_Piece], count: int) -> list[_Piece]:
    """The pieces with exactly `count` that have vowels."""
    pieces = list(pieces)
    nuclei = [number for number, piece in enumerate(pieces) if piece.vowels]
    while len(nuclei) > count:
        _drop(pieces, nuclei)
    while len(nuclei) < count:
        _add_vowel(pieces, nuclei)
        nuclei = [number for number, piece in enumerate(pieces) if piece.vowels]
    return pieces


def _drop(pieces: list[_Piece], nuclei: list[int]) -> None:
    """Silence the weakest vowel, or join it to the one right before it."""
    weak = [at for at in nuclei if pieces[at].vowels == "@" and pieces[at].letters.startswith("e")]
    last_e = [at for at in nuclei[1:] if pieces[at].letters == "e" and at >= len(pieces) - 2]
    joined = [at for before, at in pairwise(nuclei) if at == before + 1 and pieces[at].sounds[0] in VOWELS]
    at = (weak or last_e or joined or [at for at in nuclei if pieces[at].vowels == "@"] or nuclei)[-1]
    piece = pieces[at]
    if at in joined and at not in weak and at not in last_e:
        before = pieces[at - 1]
        pieces[at - 1] = _Piece(before.letters, before.sounds + piece.sounds)
        pieces[at] = _Piece(piece.letters, "")
    else:
        pieces[at] = _Piece(piece.letters, "".join(sound for sound in piece.sounds if sound not in VOWELS))
    nuclei.remove(at)


def _add_vowel(pieces: list[_Piece], nuclei: list[int]) -> None:
    """One more vowel: a silent one that is written, a half of a diphthong, or one between consonants."""
    silent = [number for number, piece in enumerate(pieces) if not piece.sounds and piece.letters in set("aeiouy")]
    if silent:
        sound = "@" if nuclei else "i" if silent[-1] == len(pieces) - 1 else "E"
        pieces[silent[-1]] = _Piece(pieces[silent[-1]].letters, sound)
        return
    for at in nuclei:
        if halves := _halves(pieces[at]):
            pieces[at : at + 1] = halves
            return
    hummed = [number for number, piece in enumerate(pieces) if piece.sounds in {"m", "n"}]
    spoken = [number for number, piece in enumerate(pieces) if piece.sounds and not piece.vowels]
    if hummed and not nuclei:
        pieces[hummed[0]] = _Piece(pieces[hummed[0]].letters, "M")
    elif spoken:
        at = spoken[len(spoken) // 2 if nuclei else 0]
        pieces[at] = _Piece(pieces[at].letters, pieces[at].sounds + ("@" if nuclei else "a"))
    else:
        pieces.append(_Piece("", pieces[nuclei[-1]].vowels[-1] if nuclei else "@"))


def _halves(piece: _Piece) -> list[_Piece]:
    """The halves of a diphthong, or of a vowel after a glide; empty for other vowels."""
    half = max(1, len(piece.letters) // 2)
    if len(piece.vowels) > 1:
        cut = piece.sounds.index(piece.vowels[0]) + 1
        return [_Piece(piece.letters[:half], piece.sounds[:cut]), _Piece(piece.letters[half:], piece.sounds[cut:])]
    if len(piece.letters) > 1 and piece.sounds[0] in "jw":
        return [
            _Piece(piece.letters[:half], "i" if piece.sounds[0] == "j" else "u"),
            _Piece(piece.letters[half:], piece.sounds[1:]),
        ]
    return []


def _with_vowels(pieces: list[_Piece], vowels: tuple[str, ...]) -> list[_Piece]:
    """The pieces with these vowels instead of their own."""
    if not vowels:
        return pieces
    known = iter(vowels)
    return [piece._replace(sounds=_replaced(piece, next(known))) if piece.vowels else piece for piece in pieces]


def _replaced(piece: _Piece, vowels: str) -> str:
    first = piece.sounds.index(piece.vowels[0])
    rest = "".join(sound for sound in piece.sounds[first:] if sound not in VOWELS)
    return piece.sounds[:first] + vowels + rest


def _cut(pieces: list[_Piece], count: int) -> list[SungSyllable]:
    """The pieces cut into syllables: of several consonants between two vowels the last belongs to the second."""
    nuclei = [number for number, piece in enumerate(pieces) if piece.vowels][:count]
    starts = [0]
    for before, at in pairwise(nuclei):
        spoken = [number for number in range(before + 1, at) if pieces[number].sounds]
        last_two = "".join(pieces[number].sounds for number in spoken[-2:])
        cluster = len(spoken) > 1 and spoken[-1] == spoken[-2] + 1 and _CLUSTERS.fullmatch(last_two)
        starts.append(spoken[-2] if cluster else spoken[-1] if spoken else at)
    found = []
    for start, end, at in zip(starts, [*starts[1:], len(pieces)], nuclei, strict=True):
        sounds = "".join(piece.sounds for piece in pieces[start:end])
        first = sum(len(piece.sounds) for piece in pieces[start:at]) + pieces[at].sounds.index(pieces[at].vowels[0])
        vowels = pieces[at].vowels
        text = "".join(piece.letters for piece in pieces[start:end])
        found.append(
            SungSyllable(
                text, sounds[:first], vowels if len(vowels) < 3 else vowels[0] + vowels[-1], _consonants(sounds[first:])
            )
        )
    return found


def _consonants(sounds: str) -> str:
    return "".join(sound for sound in sounds if sound not in VOWELS)
