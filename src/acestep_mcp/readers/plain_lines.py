r"""Text as lines: escaped and unusual line ends, HTML, invisible characters and musical signs."""

from __future__ import annotations

import html
import re
import unicodedata

_ESCAPED_END = re.compile(r"\\{1,4}r\\{1,4}n|\\{1,4}[nr]")
_ESCAPED_LETTER = re.compile(r"\\{1,4}u([0-9a-fA-F]{4})")
_ESCAPED_SIGN = re.compile(r"\\{1,4}([\"'\[\]()*_#`~>!.-])")
_UNUSUAL_END = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_HTML_END = re.compile(r"(?i)<br\s*/?>|</?(?:p|div|li|ul|ol)(?:\s[^<>]*)?>")
_HTML_TAG = re.compile(r"(?i)</?(?:b|i|u|em|strong|span|font|h[1-6]|code|pre|sup|sub|a|c|v|ruby|lang)(?:[\s.][^<>]*)?>")
_HTML_SIGN = re.compile(r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|amp|lt|gt|quot|apos|nbsp|[lr][sd]quo|hellip|[mn]dash);")
_MUSIC = re.compile("[\u2669-\u266c\U0001f3b5\U0001f3b6\U0001f3bc]\ufe0f?")
_JOINERS = "\u200c\u200d"  # several scripts and emoji need them between letters
_USELESS_JOINERS = re.compile(rf"(?<![^\s\[\](){{}}*#])[{_JOINERS}]+|[{_JOINERS}]+(?![^\s\[\](){{}}*#])")

ESCAPES = r"line breaks and signs that were escaped once too often (\n, \u00e9) were read as meant"
HTML = "HTML was left out"
INVISIBLE = "invisible characters were removed"
MUSIC = "musical signs (\u266a) were left out"


def plain_lines(text: str) -> tuple[list[str], list[str]]:
    """The lines of a text, and a note on each kind of change; a line without changes is the same to the byte."""
    notes = []
    text = text.replace("\r\n", "\n")
    for note, change in ((ESCAPES, _unescaped), (HTML, _without_html), (INVISIBLE, _visible), (MUSIC, _without_music)):
        changed = change(text)
        if changed != text:
            notes.append(note)
            text = changed
    return text.split("\n"), notes


def _unescaped(text: str) -> str:
    r"""Sequences such as `\n` and `\u00e9` written out: the text was escaped twice on its way here."""
    if "\\" not in text:
        return text
    text = _ESCAPED_END.sub("\n", text).replace("\\t", " ")
    if _ESCAPED_LETTER.search(text):
        text = _ESCAPED_LETTER.sub(lambda found: chr(int(found[1], 16)), text)
        # Two escapes may be the halves of one character.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    return _ESCAPED_SIGN.sub(r"\1", text)


def _without_html(text: str) -> str:
    if "<" in text:
        text = _HTML_TAG.sub("", _HTML_END.sub("\n", text))
    return _HTML_SIGN.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def _visible(text: str) -> str:
    """Without control and format characters; every other line end becomes a line feed."""
    text = _UNUSUAL_END.sub("\n", text)
    unseen = "".join({letter for letter in set(text) if not _is_visible(letter)})
    return _USELESS_JOINERS.sub("", text.translate(dict.fromkeys(map(ord, unseen))) if unseen else text)


def _is_visible(letter: str) -> bool:
    if letter in "\n\t" or letter in _JOINERS:
        return True
    # U+0600-0605 and U+06DD are Arabic number signs, which are seen; U+E0020-E007F are parts of flags.
    shown = "\u0600" <= letter <= "\u0605" or letter == "\u06dd" or "\U000e0020" <= letter <= "\U000e007f"
    return unicodedata.category(letter) not in {"Cc", "Cf", "Co", "Cs"} or shown


def _without_music(text: str) -> str:
    if not _MUSIC.search(text):
        return text
    return "\n".join(_MUSIC.sub("", line).strip() if _MUSIC.search(line) else line for line in text.split("\n"))
