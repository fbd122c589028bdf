"""Voices that sing no words: "no vocals but humming", "no lyrics, just oohs and aahs"."""

from __future__ import annotations

import re
from random import Random

from acestep_mcp.readers.exclusions import read_exclusions

# What each voice sings.
_SYLLABLES = {
    "humming": ("Mmm, mmm, mmm", "Hmm, mmm, hmm", "Mmm, mmm", "Mmm, hmm, mmm", "Hmm, hmm, mmm, mmm", "Mmm, mmm, mmm, hmm"),
    "oohs and aahs": ("Ooh, ooh, ooh", "Aah, aah", "Ooh, aah, ooh", "Ooh, ooh, aah, aah", "Aah, aah, ooh", "Ooh, ooh"),
    "scat singing": (
        "Shoo-be-doo, bop", "Doo-wah, doo-wah", "Ba-da-ba, doo-bop", "Bop, bop, shoo-be-doo", "Ba-doo, ba-doo, dah", "Doo-bee-doo, wah",
    ),
    "la la la": ("La la la", "La la la la la", "La la, la la", "La la la, la la la", "La, la la la", "La la, la la la"),
    "wordless choir": ("Ah, ah, ah", "Ooh, ooh, ah", "Ah, ooh, ah", "Ah, ah, ooh, ooh", "Ooh, ah, ah", "Ah, ah"),
    "wordless vocals": ("Ah, ah, ah", "Ooh, ah, ooh", "Ah, ah", "Oh, oh, ah", "Ah, oh, ah, ah", "Ooh, ooh, ah"),
}  # fmt: skip
_ALONE = r"but|except(?: for)?|apart from|other than|besides|just|only"
_VOICES = {
    "humming": re.compile(r"(?i)(?<!\w)(?:humming|hummed|hums)(?!\w)"),
    "oohs and aahs": re.compile(r"(?i)(?<!\w)(?:oo+hs?|aa+hs?|ahhs?|ahs)(?!\w)"),
    "scat singing": re.compile(r"(?i)(?<!\w)(?:scat|scatting|scat (?:singing|vocals?))(?!\w)"),
    "la la la": re.compile(r"(?i)(?<!\w)(?:la[ -]?la(?:[ -]?la)*s?|na[ -]na(?:[ -]na)*)(?!\w)"),
    "wordless choir": re.compile(rf"(?i)(?<!\w)(?:(?:{_ALONE})\s+(?:for\s+)?(?:an? )?(?:[\w'-]+ )?|wordless )choirs?(?!\w)"),
    "wordless vocals": re.compile(r"(?i)(?<!\w)(?:wordless (?:[\w'-]+ )?(?:vocals?|voices?|singing|soprano)|vocali[sz]es?)(?!\w)"),
}  # fmt: skip


def wordless_voice(text: str) -> str:
    """The voice without words that a text asks for: a name such as "humming", or "" if there is none."""
    wanted = re.sub(r"\s*\|\s*", " ", read_exclusions(text).wanted)
    return next((name for name, words in _VOICES.items() if words.search(wanted)), "")


def syllables(voice: str, size: int, rng: Random) -> list[str]:
    """So many lines of the syllables that a voice of `wordless_voice` sings."""
    lines: list[str] = []
    while len(lines) < size:
        lines += rng.sample(_SYLLABLES[voice], len(_SYLLABLES[voice]))
    return lines[:size]
