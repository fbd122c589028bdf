"""Chinese numbers as in the model's training, where each kind of number has its own reading."""

from __future__ import annotations

import re
import string

_DIGITS = "零一二三四五六七八九"
_UNITS = ((16, "京"), (12, "兆"), (8, "亿"), (4, "万"), (3, "千"), (2, "百"), (1, "十"))
_UNITS_ABOVE_TEN = {unit for power, unit in _UNITS if power > 1}
_LARGEST = 32
"""Digits of the largest number that is read as one; the digits of a larger one are read one by one."""

_WHOLE = rf"(?<!\d)\d{{1,{_LARGEST}}}(?!\d)"
_NUMBER = rf"(?<!\d)\d{{1,{_LARGEST}}}(?:\.\d+)?(?!\d)"
_MONTH = r"\d{1,2}月(?:\d{1,2}[日号])?"
_DATE = rf"(?<!\d)(?:(?P<year>[089]\d|(?:19|20)\d\d)年(?:{_MONTH})?|{_MONTH})"
_MAGNITUDE = "亿|千万|百万|[万千百]"
_MEASURES = (
    "丈世丘丝两个丸代令件伏位冬出刀分刻勺匹升单卮厘双叠口只合名周啖回场块坡堂堆墙壳壶夏夜天头季客家寸对寻尺尾层山岁岭常幢年座张忽户手扎打担挑捆撮支斗斛斤日旬"
    "时春曲更月本条杯板枝根桶棵毫江泡溪炮煲片瓶盆盏盒盘石砣碗碟秋秒程窠笼管箩箱篮簋粒纪线罐网罗群脚腔袋袭课贯贴跳身辆辈道里针钟钧钱钵铢铺锅锱阙队阵面页顶颗首"
)
_MONEY = rf"[多余几]?(?:{_MAGNITUDE}|[块元角毛分])"
_COUNTED = rf"[多余几]?(?:[千毫微]克|[千分厘毫微]米|[{_MEASURES}])"
_MOBILE = r"(?<!\d)(?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8}(?!\d)"
_LANDLINE = r"(?<!\d)(?:0(?:10|2[1-3]|[3-9]\d\d)-?)?[1-9]\d{6,7}(?!\d)"

_PUNCTUATION = re.compile(
    f"[{re.escape(string.punctuation)}·–—‘’‛-‟…‧"
    "\u3001-\u3003\u3008-\u3011\u3014-\u301f\u3030\u303e\u303f\ufe4f\uff01-\uff0d\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff64]"
)


def spell_numbers(text: str) -> str:
    """Dates, money, telephone numbers, fractions, percentages and counted things first, then what is left."""
    text = re.sub(_DATE, _date, text)
    text = re.sub(rf"({_NUMBER})(?={_MONEY})", _cardinal, text)
    text = re.sub(f"{_MOBILE}|{_LANDLINE}", lambda m: _spell_digits(re.sub(r"\D", "", m[0])), text)
    text = re.sub(rf"({_WHOLE})/({_WHOLE})", lambda m: f"{spell_whole(m[2])}分之{spell_whole(m[1])}", text)
    text = re.sub(rf"({_NUMBER})[%％]", lambda m: f"百分之{_cardinal(m)}", text)
    text = re.sub(rf"({_NUMBER})(?={_COUNTED})", _cardinal, text)
    text = re.sub(r"\d{4,}", lambda m: _spell_digits(m[0]), text)
    text = re.sub(rf"({_NUMBER})", _cardinal, text)
    text = re.sub("(?<=[a-z])二(?=[a-z])", "2", text)  # b2b
    return text.lstrip("^").rstrip("$")  # the model's own code marks both ends with these, and removes all of them


def replace_punctuation(text: str) -> str:
    """Every punctuation mark, full-width or ASCII, as a comma; the model's vocabulary has few others."""
    return _PUNCTUATION.sub(",", text)


def spell_whole(digits: str) -> str:
    """A whole number. 两 stands for two before 百 and larger units, except inside a group of tens."""
    parts = _parts(digits) if len(digits) > 1 else [_DIGITS[int(digits)]]
    for place, part in enumerate(parts[:-1]):
        after_unit = place == 0 or parts[place - 1] in _UNITS_ABOVE_TEN
        if part == "二" and after_unit and parts[place + 1] in _UNITS_ABOVE_TEN:
            parts[place] = "两"
    spelt = "".join(parts)
    return spelt[1:] if spelt.startswith("一十") else spelt


def _parts(digits: str) -> list[str]:
    """Digits and units in order. Leading zeros before a single digit are one zero; zeros alone are nothing."""
    significant = digits.lstrip("0")
    if len(significant) < 2:
        zero = [_DIGITS[0]] if significant and len(digits) > 1 else []
        return [*zero, *(_DIGITS[int(digit)] for digit in significant)]
    power, unit = next((power, unit) for power, unit in _UNITS if power < len(significant))
    return [*_parts(digits[:-power]), unit, *_parts(significant[-power:])]


def _spell_digits(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _cardinal(match: re.Match[str]) -> str:
    whole, point, fraction = match[1].partition(".")
    return (spell_whole(whole) or (_DIGITS[0] if point else "")) + (f"点{_spell_digits(fraction)}" if point else "")


def _date(match: re.Match[str]) -> str:
    """The digits of the year one by one, month and day as numbers."""
    year = match["year"] or ""
    rest = re.sub(r"\d+", lambda m: spell_whole(m[0]), match[0][len(year) :])
    return _spell_digits(year) + rest
