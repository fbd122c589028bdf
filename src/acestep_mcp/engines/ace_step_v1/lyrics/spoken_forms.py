"""Spoken forms of symbols, abbreviations and ordinals, by language."""

from __future__ import annotations

import re

_SYMBOLS = "&@%#$£°"


def _symbols(spoken: str) -> dict[str, str]:
    return dict(zip(_SYMBOLS, spoken.split("|"), strict=True))


SYMBOLS = {
    "en": _symbols("and|at|percent|hash|dollar|pound|degree"),
    "es": _symbols("y|arroba|por ciento|numeral|dolar|libra|grados"),
    "fr": _symbols("et|arobase|pour cent|dièse|dollar|livre|degrés"),
    "de": _symbols("und|at|prozent|raute|dollar|pfund|grad"),
    "pt": _symbols("e|arroba|por cento|cardinal|dólar|libra|graus"),
    "it": _symbols("e|chiocciola|per cento|cancelletto|dollaro|sterlina|gradi"),
    "pl": _symbols("i|małpa|procent|krzyżyk|dolar|funt|stopnie"),
    "ar": _symbols("و|على|في المئة|رقم|دولار|جنيه|درجة"),
    "zh": _symbols("和|在|百分之|号|美元|英镑|度"),
    "cs": _symbols("a|na|procento|křížek|dolar|libra|stupně"),
    "ru": _symbols("и|собака|процентов|номер|доллар|фунт|градус"),
    "nl": _symbols("en|bij|procent|hekje|dollar|pond|graden"),
    "tr": _symbols("ve|at|yüzde|diyez|dolar|sterlin|derece"),
    "hu": _symbols("és|kukac|százalék|kettőskereszt|dollár|font|fok"),
    "ko": _symbols("그리고|에|퍼센트|번호|달러|파운드|도"),
}


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(", "))


# In lyrics each is followed by a dot, except in Russian, where they contain a hyphen.
ABBREVIATIONS = {
    "en": _pairs(
        "mrs=misess, mr=mister, dr=doctor, st=saint, co=company, jr=junior, maj=major, gen=general, drs=doctors, "
        "rev=reverend, lt=lieutenant, hon=honorable, sgt=sergeant, capt=captain, esq=esquire, ltd=limited, "
        "col=colonel, ft=fort"
    ),
    "es": _pairs("sra=señora, sr=señor, dr=doctor, dra=doctora, st=santo, co=compañía, jr=junior, ltd=limitada"),
    "fr": _pairs("mme=madame, mr=monsieur, dr=docteur, st=saint, co=compagnie, jr=junior, ltd=limitée"),
    "de": _pairs("fr=frau, dr=doktor, st=sankt, co=firma, jr=junior"),
    "pt": _pairs("sra=senhora, sr=senhor, dr=doutor, dra=doutora, st=santo, co=companhia, jr=júnior, ltd=limitada"),
    "it": _pairs("sig=signore, dr=dottore, st=santo, co=compagnia, jr=junior, ltd=limitata"),
    "pl": _pairs("p=pani, m=pan, dr=doktor, sw=święty, jr=junior"),
    "cs": _pairs("dr=doktor, ing=inženýr, p=pan"),
    "ru": _pairs("г-жа=госпожа, г-н=господин, д-р=доктор"),
    "nl": _pairs("dhr=de heer, mevr=mevrouw, dr=dokter, jhr=jonkheer"),
    "tr": _pairs("b=bay, byk=büyük, dr=doktor"),
    "hu": _pairs("dr=doktor, b=bácsi, nőv=nővér"),
}
DOTLESS = {"ru"}

# What follows the digits of an ordinal number. In some languages it is a dot, which counts only before another word.
_DOT = r"\.(?=\s+[^\W\d])"
ORDINAL_ENDINGS = {
    "en": r"(?:st|nd|rd|th)(?!\w)",
    "es": r"(?:º|ª|er|os?|as?)(?!\w)",
    "fr": r"(?:º|ª|er|re|ère|ème|e|nde?)(?!\w)",
    "de": rf"(?:º|ª|st|nd|rd|th)(?!\w)|{_DOT}",
    "pt": r"(?:º|ª|os?|as?)(?!\w)",
    "it": r"(?:º|°|ª|[oaie])(?!\w)",
    "pl": r"(?:º|ª|st|nd|rd|th)(?!\w)",
    "ar": "ون|ين|ث|ر|ى",
    "ru": r"-?(?:ый|ий|ой|ая|ое|ье|го|му|й|я|е)(?!\w)",
    "nl": r"(?:ste|de|e)(?!\w)",
    "tr": rf"'?(?:inci|ıncı|uncu|üncü|nci|ncı|ncu|ncü)(?!\w)|{_DOT}",
    "hu": rf"-?(?:[aeo]dik|ödike?|ik)(?!\w)|{_DOT}",
    "ko": "번째|번|차|째",  # a particle may follow
}

# Languages whose numbers num2words spells out. It no longer knows the code `cz`, which the model uses for Czech.
NUM2WORDS_LANGUAGES = frozenset(SYMBOLS) - {"zh", "cs"}
# Languages with a comma between thousands; the others use a dot.
COMMA_THOUSANDS = {"en", "ru"}
CURRENCIES = {"$": "USD", "£": "GBP", "€": "EUR"}
# num2words spells out every amount in Arabic as riyals.
NO_CURRENCY = {"ar"}
# In Turkish the two numbers beside the comma are read each on its own.
NO_DECIMALS = {"tr"}


def abbreviation_pattern(language: str) -> re.Pattern[str] | None:
    """Matches a language's abbreviations in lower-case text; group 1 is the key in ABBREVIATIONS."""
    table = ABBREVIATIONS.get(language)
    if table is None:
        return None
    end = r"(?!\w)" if language in DOTLESS else r"\."
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, table))}){end}")
