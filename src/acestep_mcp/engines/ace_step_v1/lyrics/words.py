"""Symbols, abbreviations and ordinal endings of the languages in which they are spelt out."""

from __future__ import annotations

import re

_SIGNS = "&@%#$£°"


def _signs(words: str) -> dict[str, str]:
    return dict(zip(_SIGNS, words.split("|"), strict=True))


SYMBOLS = {
    "en": _signs("and|at|percent|hash|dollar|pound|degree"),
    "es": _signs("y|arroba|por ciento|numeral|dolar|libra|grados"),
    "fr": _signs("et|arobase|pour cent|dièse|dollar|livre|degrés"),
    "de": _signs("und|at|prozent|raute|dollar|pfund|grad"),
    "pt": _signs("e|arroba|por cento|cardinal|dólar|libra|graus"),
    "it": _signs("e|chiocciola|per cento|cancelletto|dollaro|sterlina|gradi"),
    "pl": _signs("i|małpa|procent|krzyżyk|dolar|funt|stopnie"),
    "ar": _signs("و|على|في المئة|رقم|دولار|جنيه|درجة"),
    "zh": _signs(",|,|百分号|,|,|英镑|度"),
    "cs": _signs("a|na|procento|křížek|dolar|libra|stupně"),
    "ru": _signs("и|собака|процентов|номер|доллар|фунт|градус"),
    "nl": _signs("en|bij|procent|hekje|dollar|pond|graden"),
    "tr": _signs("ve|at|yüzde|diyez|dolar|sterlin|derece"),
    "hu": _signs("és|kukac|százalék|kettőskereszt|dollár|font|fok"),
    "ko": _signs("그리고|에|퍼센트|번호|달러|파운드|도"),
}


def _short(pairs: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in pairs.split(", "))


# Each is followed by its dot, but for the Russian ones, which have a hyphen and no dot.
ABBREVIATIONS = {
    "en": _short(
        "mrs=misess, mr=mister, dr=doctor, st=saint, co=company, jr=junior, maj=major, gen=general, drs=doctors, "
        "rev=reverend, lt=lieutenant, hon=honorable, sgt=sergeant, capt=captain, esq=esquire, ltd=limited, "
        "col=colonel, ft=fort"
    ),
    "es": _short("sra=señora, sr=señor, dr=doctor, dra=doctora, st=santo, co=compañía, jr=junior, ltd=limitada"),
    "fr": _short("mme=madame, mr=monsieur, dr=docteur, st=saint, co=compagnie, jr=junior, ltd=limitée"),
    "de": _short("fr=frau, dr=doktor, st=sankt, co=firma, jr=junior"),
    "pt": _short("sra=senhora, sr=senhor, dr=doutor, dra=doutora, st=santo, co=companhia, jr=júnior, ltd=limitada"),
    "it": _short("sig=signore, dr=dottore, st=santo, co=compagnia, jr=junior, ltd=limitata"),
    "pl": _short("p=pani, m=pan, dr=doktor, sw=święty, jr=junior"),
    "cs": _short("dr=doktor, ing=inženýr, p=pan"),
    "ru": _short("г-жа=госпожа, г-н=господин, д-р=доктор"),
    "nl": _short("dhr=de heer, mevr=mevrouw, dr=dokter, jhr=jonkheer"),
    "tr": _short("b=bay, byk=büyük, dr=doktor"),
    "hu": _short("dr=doktor, b=bácsi, nőv=nővér"),
}
DOTLESS = {"ru"}

# What makes a number an ordinal. In some languages that is a dot, which counts only before another word.
_DOT = r"\.(?=\s+[^\W\d])"
ORDINAL_ENDINGS = {
    "en": "st|nd|rd|th",
    "es": "º|ª|er",
    "fr": "er|re|ère|ème|e|nde?",
    "de": _DOT,
    "pt": "º|ª",
    "it": "º|°|ª",
    "pl": _DOT,
    "ru": "-?(?:ый|ий|ой|ая|ое|го|му|й|я|е)",
    "nl": "ste|de|e",
    "tr": rf"'?(?:inci|ıncı|uncu|üncü|nci|ncı|ncu|ncü)|{_DOT}",
    "hu": _DOT,
    "ko": "번째",
}

# The languages whose numbers num2words reads; it knows the model's Czech (`cz`) no longer, so Czech digits stay.
COUNTED = frozenset(SYMBOLS) - {"zh", "cs"}
# Where a comma parts the thousands; elsewhere a dot does.
COMMA_THOUSANDS = {"en", "ru"}
CURRENCIES = {"$": "USD", "£": "GBP", "€": "EUR"}
# num2words reads every amount in Arabic as riyals.
NO_CURRENCY = {"ar"}


def abbreviation(language: str) -> re.Pattern[str] | None:
    """Finds the abbreviations of a language in lower-case text; the group is the key in ABBREVIATIONS."""
    table = ABBREVIATIONS.get(language)
    if table is None:
        return None
    end = r"(?!\w)" if language in DOTLESS else r"\."
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, table))}){end}")
