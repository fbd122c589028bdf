"""Writes a wish in the words that the rules read."""

from __future__ import annotations

import re

_LABELLED_SUBJECT = re.compile(r"(?i)(?:(?<![^,;.|\n])|(?<=[,;.|\n] ))(?:subject|topic|theme|about)\s*[:\uff1a]\s*")
# How the lyrics are to be written, which is no subject: "in which every line starts with I".
_EVERY_LINE = re.compile(
    r"(?i)\s(?:in which|where|with|so that)\s+(?:every|each|all(?: the)?)\s+(?:lines?|verses?|words?)\b[^.,;\n]*"
)
_TITLE_DOT = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|Prof)\.\s")
# "a song to cheer up my friend" is for the friend.
_PURPOSE = re.compile(
    r"(?i)(?<![\w'])((?:song|songs|tune|track|ballad|music|something|piece|anthem|lyrics)\s+)to\s+(?:(?:help )?cheer(?:ing)? up|cheer|celebrate|thank|"
    r"honou?r|remember|welcome|comfort|inspire|encourage|congratulate|motivate|console|surprise|say (?:sorry|thank you|thanks|goodbye|goodnight|hello) to)\s+"
)


def plain_wording(text: str) -> str:
    """The text with "about" for a label such as "subject:", and without how each line is to be written."""
    text = _LABELLED_SUBJECT.sub(" | about ", text)
    return _TITLE_DOT.sub(r"\1 ", _EVERY_LINE.sub(" | ", text))


def without_purpose(text: str) -> str:
    """The text with "for" in place of "to cheer up" and the like."""
    return _PURPOSE.sub(lambda match: f"{match[1]}for ", text)
