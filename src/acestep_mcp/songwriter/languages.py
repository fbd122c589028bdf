# ruff: noqa: RUF001 - words of other languages and typographic quotation marks are intended
"""Finds the language of a prompt and of its lyrics, and translates its style words to English."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from acestep_mcp.songwriter.songbook import LANGUAGES, UNSPACED, songbook

# Each language in English and in its own words.
_NAMES = {
    "english": "en", "englisch": "en", "anglais": "en", "inglés": "en", "inglese": "en", "inglês": "en",
    "spanish": "es", "español": "es", "espanol": "es", "castellano": "es", "spanisch": "es", "espagnol": "es",
    "french": "fr", "français": "fr", "francais": "fr", "französisch": "fr", "francés": "fr", "francese": "fr",
    "german": "de", "deutsch": "de", "allemand": "de", "alemán": "de", "tedesco": "de",
    "brazilian portuguese": "pt", "portuguese": "pt", "português": "pt", "portugiesisch": "pt", "portugués": "pt",
    "italian": "it", "italiano": "it", "italienisch": "it", "italien": "it",
    "russian": "ru", "russisch": "ru", "русском": "ru", "по-русски": "ru",
    "japanese": "ja", "chinese": "zh", "mandarin": "zh", "korean": "ko",
}  # fmt: skip
_UNSUPPORTED = (
    "polish", "turkish", "czech", "dutch", "arabic", "hungarian", "hindi", "swedish", "norwegian", "danish", "finnish",
    "ukrainian", "greek", "hebrew", "latin", "vietnamese", "thai", "indonesian", "cantonese", "romanian", "farsi",
    "persian", "swahili", "welsh", "irish gaelic", "gaelic", "catalan", "croatian", "serbian", "bulgarian", "urdu",
    "bengali", "tamil", "tagalog", "malay", "icelandic", "basque", "esperanto", "punjabi", "zulu", "yoruba", "slovak",
    "slovenian", "estonian", "latvian", "lithuanian", "albanian", "afrikaans", "filipino", "irish", "klingon", "elvish", "sanskrit", "maori", "hawaiian",
    "mongolian", "armenian", "georgian", "kurdish", "yiddish", "galician", "belarusian", "macedonian", "kazakh", "uzbek", "telugu",
    "marathi", "gujarati", "malayalam", "kannada", "pashto", "maltese", "amharic", "hausa", "igbo", "xhosa", "somali", "quechua", "breton",
)  # fmt: skip
_ANY = "|".join(sorted([*_NAMES, *_UNSUPPORTED], key=len, reverse=True))
_IN = r"in|auf|en|em|на"
_NAMED_LANGUAGE = re.compile(
    rf"(?i)(?<!\w)(?:(?:(?:sung|lyrics|words|song|singing|vocals?|text|written|all|entirely|half|partly) )?(?:{_IN}) ({_ANY})(?!\w)(?! (?:style|guitar|accent|folk|music))"
    rf"|({_ANY})[ -](?:lyrics|vocals?|text|words|language|singing|voice|singer|song(?! style))(?!\w)|(?:language|lyrics):\s*({_ANY})(?!\w))"
    r"|(日本語)(?:で|の歌詞)|用?(中文|国语|普通话|華語)(?:唱|演唱|歌词|来唱)?|(한국어)(?:로| 가사)"
)
_TWO_LANGUAGES = re.compile(
    rf"(?i)(?<!\w)(?:(?:half|partly|verses?|chorus|mixed|mix of) )*(?:{_IN})?\s*({_ANY})\s*(?:verses?|chorus(?:es)?|lyrics|part)?\s*"
    rf"(?:,|and|&|/|-|then|with|half|und|et|y|e)+\s*(?:(?:and|half|partly|the|a|verses?|chorus(?:es)?) )*(?:{_IN})?\s*({_ANY})(?!\w)"
)
_SCRIPT_NAMES = {"日本語": "ja", "中文": "zh", "国语": "zh", "普通话": "zh", "華語": "zh", "한국어": "ko"}
_SCRIPTS = (
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)
_OTHER_SCRIPTS = (
    ("Ukrainian", re.compile(r"[іїєґІЇЄҐ]")),
    ("Arabic", re.compile(r"[\u0600-\u06ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
    ("Hindi", re.compile(r"[\u0900-\u097f]")),
    ("Bengali", re.compile(r"[\u0980-\u09ff]")),
    ("Tamil", re.compile(r"[\u0b80-\u0bff]")),
    ("Thai", re.compile(r"[\u0e00-\u0e7f]")),
)
# Frequent words of languages without a songbook that no language with one has.
_OTHER_WORDS = {
    language: frozenset(words.split())
    for language, words in {
        "Polish": "piosenka piosenkę o mojej mojego dla jest się nie wesoła smutna że oraz miłości moja mój napisz córki żony",
        "Dutch": "het een lied over mijn voor van niet en vrolijk droevig liedje zingen vrouw met zonder een muziek mijn ik dochter",
        "Swedish": "en sång låt om min och för inte glad sorglig ett till med som på jag mitt födelsedag",
        "Danish": "sang om min og til ikke glad trist med som på jeg en fødselsdag mit",
        "Norwegian": "sang om min og til ikke glad trist med som på jeg en bursdag mitt",
        "Finnish": "laulu laula minun äidille iloinen surullinen ja ei kesästä hauska rakkaudesta minulle kappale tyttärelleni",
        "Turkish": "şarkı şarkısı için bir hakkında annem ve mutlu hüzünlü benim neşeli doğum günü aşk",
        "Czech": "píseň písnička o pro moje mou a veselá smutná mého není lásce narozeninám",
        "Hungarian": "dal egy az anyámnak szomorú vidám és nem szerelem kislányomnak a szól rólam születésnapi",
        "Romanian": "cântec un despre pentru mea meu și trist vesel cu fără dragoste fiica",
        "Vietnamese": "bài hát về cho của mẹ tôi buồn vui một và không tình yêu",
        "Indonesian": "lagu tentang untuk ibu saya dan yang sedih gembira tidak dengan cinta anak",
        "Catalan": "cançó sobre meva meu amb i una trista alegre per àvia",
        "Croatian": "pjesma o za moju mog tužna vesela i nije ljubavi",
    }.items()
}  # fmt: skip
# Borrowed words and names in English prompts.
_BORROWED = re.compile(
    r"(?<!\w)(?:bossa nova|nova canção|nueva canción|canción ranchera|música popular brasileira|mpb|chanson d'amour|chanson|lieder|lied"
    r"|musica leggera|opera buffa|son cubano|son jarocho|cante jondo|corridos?(?: tumbados?)?|corridos|rancheras?|musique concrète"
    r"|el mariachi|mariachi|la vida loca|vida loca|c'est la vie|que sera|dolce vita|la dolce vita|neue deutsche welle|volksmusik"
    r"|schlager|forró|fado|cumbia|salsa|dolce|villancico|café del mar|joie de vivre|déjà vu|el niño|las vegas|los angeles"
    r"|san francisco|el paso|la paz|le mans|rio de janeiro|costa del sol|oktoberfest)(?!\w)"
)
# Style words that English uses too.
_STYLES_IN_ENGLISH = frozenset(
    [
        "triste",
        "piano",
        "rock",
        "pop",
        "jazz",
        "blues",
        "rap",
        "bass",
        "folk",
        "soul",
        "ballad",
        "guitar",
        "synth",
        "banjo",
        "choir",
        "opera",
        "techno",
        "drums",
        "metal",
        "punk",
        "funk",
        "disco",
        "house",
        "ambient",
        "chill",
        "epic",
        "lento",
        "alegre",
        "bass",
        "orchestra",
        "forte",
        "tango",
        "samba",
        "salsa",
        "bossa",
        "nova",
        "minimal",
        "reggae",
        "country",
    ]
)
_LETTERS = re.compile(r"[^\W\d_]")
_SHARED = frozenset({"con", "en", "a", "een", "om", "o", "i", "un", "and", "is", "over", "an", "sang", "glad"})


@dataclass(frozen=True, slots=True)
class Language:
    """`prompt` and `lyrics` are codes in LANGUAGES.

    `unsupported` is the name of a requested language not among them, `second` that of another language that the
    prompt names beside the first. `foreign` is true if the prompt itself is in a language not among them.
    """

    prompt: str = "en"
    lyrics: str = "en"
    unsupported: str = ""
    second: str = ""
    foreign: bool = False


def find_language(text: str) -> Language:
    """Guess both languages. For the lyrics, a language named in the prompt wins over the prompt's own."""
    unknown = _other_language(text)
    prompt = "en" if unknown else _prompt_language(text)
    named = _named(text)
    if named:
        # Of two languages that of the prompt comes first: what the prompt names can be sung in it.
        if len(named) > 1 and _NAMES.get(named[1]) == prompt:
            named.reverse()
        first, second = named[0], named[1] if len(named) > 1 else ""
        known = _NAMES.get(first)
        lyrics = known or "en"
        return Language(prompt, lyrics, "" if known else first.capitalize(), _english_name(second), bool(unknown))
    return Language(prompt, prompt, unknown, foreign=bool(unknown))


def _named(text: str) -> list[str]:
    """The languages that a prompt asks for, at most two, in lower case."""
    both = _TWO_LANGUAGES.search(text)
    if both and _NAMES.get(both[1].lower(), both[1]) != _NAMES.get(both[2].lower(), both[2]):
        return [both[1].lower(), both[2].lower()]
    one = _NAMED_LANGUAGE.search(text)
    if not one:
        return []
    script = one[4] or one[5] or one[6]
    return [_english_name(_SCRIPT_NAMES[script]).lower() if script else (one[1] or one[2] or one[3]).lower()]


def _english_name(name: str) -> str:
    """The English name: "French" for "français" or "fr"; the name itself for a language without a songbook."""
    code = _NAMES.get(name, name)
    return next((english for english, short in _NAMES.items() if short == code), name).capitalize()


def in_english(text: str, language: str) -> str:
    """The text with the style words that the language's songbook knows translated to English."""
    words = songbook(language).tables.get("words", {})
    if not words:
        return text
    english = _dictionary(language).sub(lambda match: f" {words[match[0].lower()]}{_separator(language)}", text)
    return re.sub(r"[ \t]+", " ", english)


def without_language(text: str) -> str:
    """The text without the words that name the language of the lyrics, such as "sung in Spanish"."""
    return _NAMED_LANGUAGE.sub("|", _TWO_LANGUAGES.sub("|", text))


@functools.cache
def _dictionary(language: str) -> re.Pattern[str]:
    words = sorted(songbook(language).tables["words"], key=lambda word: (-len(word), word))
    every = "|".join(map(re.escape, words))
    whole = language not in (*UNSPACED, "ko")
    return re.compile(rf"(?i)(?<!\w)(?:{every})(?!\w)" if whole else rf"(?:{every})")


def _separator(language: str) -> str:
    return " , " if language in (*UNSPACED, "ko") else ""


def _other_language(text: str) -> str:
    """The name of the language the prompt is written in, if that has no songbook; else ""."""
    letters = len(_LETTERS.findall(text))
    for name, script in _OTHER_SCRIPTS:
        found = len(script.findall(text))
        if found * 4 > letters or (name == "Ukrainian" and found and re.search(r"[а-я]", text)):
            return name
    words = set(_words(text)) - _SHARED
    best = max(_OTHER_WORDS, key=lambda name: len(words & _OTHER_WORDS[name]))
    count = len(words & _OTHER_WORDS[best])
    known = max(_score(language, words) for language in LANGUAGES[:6])
    return best if count >= 2 and count > known else ""


def _prompt_language(text: str) -> str:
    """English unless there is evidence: a script, or more words of another language than English ones, and two at least.

    One word is enough for a prompt of up to three words that has none in English. Words that English has too are no
    evidence, and the names of styles ("bossa nova", "chanson") are not counted at all.
    """
    for language, script in _SCRIPTS:
        if len(script.findall(text)) * 4 > len(_LETTERS.findall(text)):
            return language
    every, words = _words(text), _words(_BORROWED.sub(" ", text.lower()))
    scores = {language: _score(language, set(words)) for language in LANGUAGES[:6]}
    best = max(scores, key=lambda language: (scores[language], language == "en", _score(language, set(every))))
    enough = 1 if len(words) <= 3 else 2
    return best if scores[best] > scores["en"] and scores[best] >= enough else "en"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def _score(language: str, words: set[str]) -> int:
    return len(words & _evidence(language))


@functools.cache
def _evidence(language: str) -> frozenset[str]:
    """The words that are frequent in a language, and in English only if that is the language."""
    own = _common(language) if language == "en" else _common(language) - _common("en")
    styles = [] if language == "en" else " ".join(songbook(language).tables.get("words", {})).split()
    return own | (frozenset(styles) - _common("en") - _STYLES_IN_ENGLISH)


@functools.cache
def _common(language: str) -> frozenset[str]:
    return frozenset(songbook(language).setting("common").split())
