"""Compares what a transcription heard with the lyrics that were asked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from acestep_mcp.readers.lyric_sheet import read_lyrics

_MOST_WORDS = 3000
_MOST_MISSING = 10
_HALF = 0.5
_MOVED_ROUNDS = 4
_LEAST_MOVED = 2
# Thai, Lao, Burmese, Khmer, kana and Chinese characters are written without spaces between words.
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
_APOSTROPHES = re.compile(r"['\u2019\u02bc\u2018`]")


def has_words(lyrics: str) -> bool:
    """Whether somebody sings these lyrics."""
    return any(_words(line) for line in read_lyrics(lyrics).lines)


def words_heard(transcript: str, lyrics: str) -> dict[str, Any] | None:
    """`share` of the sung words that were heard, 0 to 1, and the `missing` lines: under half of the words, at most ten.

    Upper case and punctuation do not count. Words count where they stand in the lyrics' order; two or more in a row
    also elsewhere, since sections may be sung in another order. None for lyrics without words.
    """
    lines = [(line, _words(line)) for line in read_lyrics(lyrics).lines]
    asked = [word for _, words in lines for word in words][:_MOST_WORDS]
    if not asked:
        return None
    found = _found(asked, _words(transcript)[:_MOST_WORDS])
    missing, begin = [], 0
    for line, words in lines:
        end = min(begin + len(words), len(asked))
        if end > begin and sum(found[begin:end]) < _HALF * (end - begin):
            missing.append(line)
        begin = end
    unique = list(dict.fromkeys(missing))
    return {"share": round(sum(found) / len(asked), 2), "missing": unique[:_MOST_MISSING]}


def _words(text: str) -> list[str]:
    plain = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold())
    spaced = "".join(" " if unicodedata.category(char)[0] in "PSZC" else char for char in plain)
    return _UNSPACED.sub(r" \1 ", spaced).split()


def _found(asked: Sequence[str], heard: Sequence[str]) -> list[bool]:
    """For each asked word whether it was heard."""
    found = [False] * len(asked)
    left, rest = list(range(len(asked))), list(range(len(heard)))
    for least in (*[_LEAST_MOVED] * _MOVED_ROUNDS, 1):  # runs first: a single word may be another line's
        pairs = [(left[a], rest[b]) for a, b in _in_order([asked[i] for i in left], [heard[i] for i in rest])]
        kept = [pair for run in _runs(pairs) if len(run) >= least for pair in run]
        for at, _ in kept:
            found[at] = True
        used = {at for _, at in kept}
        left, rest = [at for at in left if not found[at]], [at for at in rest if at not in used]
    return found


def _in_order(asked: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """The places of a longest common subsequence.

    Bit-parallel (Hyyrö, "Bit-Parallel LCS-length Computation Revisited", 2004): difflib takes minutes for "la la la".
    """
    places: dict[str, int] = {}
    for at, word in enumerate(asked):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(asked)) - 1
    rows = [full]
    for word in heard:
        row = rows[-1]
        matched = row & places.get(word, 0)
        rows.append(((row + matched) | (row - matched)) & full)
    pairs, i, j = [], len(asked), len(heard)
    while i and j:
        if rows[j] >> (i - 1) & 1:
            i -= 1
        elif not rows[j - 1] >> (i - 1) & 1:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]


def _runs(pairs: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The pairs in groups that stand side by side in both texts."""
    runs: list[list[tuple[int, int]]] = []
    for pair in pairs:
        if runs and (pair[0] - 1, pair[1] - 1) == runs[-1][-1]:
            runs[-1].append(pair)
        else:
            runs.append([pair])
    return runs
