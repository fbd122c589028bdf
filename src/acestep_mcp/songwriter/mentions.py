# ruff: noqa: RUF001 - words of other languages and typographic quotation marks are intended
"""Finds what a wish names beside its subject: people, places, ages, likes, and sentences about them."""

from __future__ import annotations

import re
from collections.abc import Callable

from acestep_mcp.songwriter.languages import Language
from acestep_mcp.songwriter.lexicon import word_set
from acestep_mcp.songwriter.songbook import songbook
from acestep_mcp.songwriter.wish_words import CAPITAL, FILLERS, RELATIVES

Mention = tuple[str, str]
"""A kind (person, relation, name, place, age, years, phrase, said, occasion) and the words to sing."""

_NAME = re.compile(
    rf"(?<![\w'’])({CAPITAL}(?:\s(?:of |the |and |& |de |la |von |van |del |le |bin )?(?:{CAPITAL}|\d{{1,4}}(?!\w)))*)"
)
_PLACE_BEFORE = re.compile(
    r"(?i)(?<!\w)(?:in|from|near|around|across|through|leaving|visiting|left|(?:mov\w+|go\w*|way|trip|road|fl\w+|driv\w+|train|travel\w*|back|return\w*|com\w+|welcome|bus|run\w*|walk\w*|sail\w*) to)\s+(?:the\s+)?$"
)
_RELATION_BEFORE = re.compile(
    rf"(?i)(?<!\w)(?:(?:my|our|his|her|their|your|the)\s+)?(?:[\w'-]+\s+)?(?:{RELATIVES}|captain|name is|name's|called|named|king|queen|princess|prince|coach|doctor|aunt|uncle)\s+$"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?\n|(:;]\s*|[-\u2013\u2014]\s+)$")
_ACTS = re.compile(
    r"(?:'s\b|\s(?:and\s[A-Z]|&\s|is\b|was\b|who\b|loves?\b|likes?\b|turns?\b|has\b|had\b|sleeps\b|plays\b|wants\b|needs\b|never\b|gets?\b|goes\b|lives\b|works\b|says\b|can\b|will\b|makes?\b|eats?\b|runs?\b|keeps?\b|always\b))"
)
_COMMON = word_set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october "
    "november december christmas english spanish french german italian portuguese russian japanese chinese korean i i'm i've i'd "
    "i'll ok bpm key edm r&b rnb dj rpg tv ai usa uk diy npc mc hi-fi lo-fi hifi lofi lyrics song songs title verse chorus bridge mr mrs ms "
    "dr a b c d e f g bb eb ab db gb inst vocals style mood genre tempo happy sad slow fast write make create please something my "
    "our the an and no not it's its it this that for with about we you he she they in on at to from by let use give want need "
    "upbeat hello hey hi thanks thank there there's when where who what why how if but so just one two three can could would "
    "should instrumental background music love birthday wedding anniversary lullaby jingle anthem ballad duration length male "
    "female never don't do dear merry new old good great best get your his her their congratulations goodbye welcome "
    "long short include add only think imagine picture as of all also then maybe mix main intro outro ending solo minor major xmas "
    "latin celtic irish african american british indian caribbean brazilian cuban mexican arabic nordic scottish "
    "western eastern asian european gothic baroque romantic gregorian classical gospel motown broadway disney halloween easter "
    "hanukkah valentine valentine's mother's father's fm am ep lp cd mp3 hz id tiktok youtube instagram spotify"
)
# Words with a capital before or behind a name that are no part of it.
_FIRST = word_set(
    "write make create happy merry dear hello hey hi thanks give sing let song for about my our the a an some please title call "
    "congratulations congrats goodbye farewell welcome love lyrics style genre mood an lullaby ballad jingle anthem birthday wedding "
    "christmas retirement graduation with and in to meet generate compose produce upbeat sad funny rock pop jazz folk from i i'm"
)
_LAST = word_set("and & of the de song songs style music lyrics bpm ballad anthem jingle lullaby i please")
_AGE = re.compile(
    r"(?i)(?<!\w)(?:turn(?:ing|s|ed)?|becom(?:es|ing)|reach(?:es|ing)?|hit(?:s|ting)?|is now|wird|cumple|compie|fait|faz|исполняется)\s+(?:the big\s+)?(\d{1,3}|[a-z]+(?:teen|ty)(?:-[a-z]+)?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?!\w)"
    r"|(?<!\w)(?:the big\s+)?(\d{1,3})(?:st|nd|rd|th)\s+(?:birthday|bday|b-day)|(?<!\w)(?:is|at|age|aged|am)\s+(\d{1,3})(?=\s*(?:[,.;!?)]|$|today|now|years? old|and))|(?<!\w)(\d{1,3})[- ]years?[- ]old|(?<!\w)(\d{1,3})\s*(?:歳|세|岁|ans|años|anni|anos|jahre?|лет|года?)(?!\w)"
)
_YEARS = re.compile(
    r"(?i)(?<![\w'])((?:\d{1,3}|[a-z]+(?:teen|ty)|ten|five|six|seven|eight|nine|four|three|two)(?:st|nd|rd|th)?\s+(?:years?|seasons|decades?|anniversary|wedding anniversary|summers|winters)(?:\s+(?!old|ago)[\w'-]+){0,3}?)(?=\s*(?:[,.;:!?\n|)]|$|\s-|\s(?:who|with|in|at|and|for)\b))"
)
_CLASS = re.compile(r"(?i)(?<!\w)(class of (?:\d{4}|'\d\d))")
_LIKES = re.compile(
    r"(?i)(?<!\w)(?:who|she|he|they|and|that|which)?\s*(?:(?:really |always |just )?(?:loves?|likes?|enjoys?|adores?|hates?|collects?|plays|teaches|misses|into|crazy about|mad about|obsessed with|afraid of|fan of|addicted to|works? (?:as|in|at)))\s+"
    r"((?!to\b|this|a (?:song|pop|rock)|it\b|some|something|a slow|a fast|you\b|me\b)[\w'’&-]+(?:\s+(?!but|who|that|which|with)[\w'’&-]+){0,4}?)(?=\s*(?:[,.;:!?\n|()]|$|\s-\s|\s(?:but|who|that|which|with|so)\b))"
)
_ASKED = re.compile(
    r"(?i)(?<!\w)(?:mention(?:s|ing)?|includ(?:e|es|ing)|(?:use|using|with|contain(?:s|ing)?|featuring|has|have) the (?:words?|name|names|phrase|line)|refer(?:s|ring)? to|say(?:s|ing)?|work in|let|put)\s+"
    r"(?!that\b|it\b)((?:the |our |my |his |her )?[\w'’&-]+(?:\s(?!in\b|be\b|into\b|somewhere|and\b|at\b|should)[\w'’&-]+){0,4})(?=\s*(?:[,.;:!?\n|()]|$|(?:in|be|into|somewhere|at|should)\b|and\b))"
)
_SPOKEN = re.compile(
    r"(?i)^(?:the|a|my|our|his|her) (?:\S+ ){2,8}(?:when|because|while|until|since|if) (?:\S+ ?){2,6}$|^(?:my|our|his|her) (?:\S+ ){1,4}(?:[a-z]+ed|is|was|went|got|lost|found|made|took|ate|has|had|loves?|sings?|sang|lives?|works?|sleeps?|never|always) (?:\S+ ?){1,6}$|^(?:i|we|you|he|she|they)(?:'m|'re|'ve|'ll|'d|'s)?\s+(?!want|need|would|wish|'d|like\b|am looking|have to|had a song)\S+(?:\s+\S+){1,6}$"
)
_HABIT = re.compile(
    r"(?i)(?<!\w)(?:who|that|they|we) ((?:never|always|can't|won't|don't) [\w'’-]+(?:\s[\w'’-]+){0,4}?)(?=\s*(?:[,.;:!?\n|()]|$))"
)
_OWNED = re.compile(
    r"(?i)(?<!\w)((?:my|her|his|grandma's|grandpa's)\s+(?!two|three|four|five|own|very|again|now|today|tonight|all|own|and|or|to|in|on|at|for|with|so|but|as|by|is|was)(?:(?:old|new|little|big|red|blue|green|lost|first|last|favourite|favorite|fast)\s+)?[a-z-]+)(?![\w'’-])(?! (?-i:[A-Z]))"
)
_NOT_OWNED = re.compile(
    r"(?i)\b(?:song|songs|music|voice|life|prompt|track|lyrics|own|style|wish|request|name|game|video|podcast|film|movie|channel|stream|party|band|favou?rite|birthday|wedding|rpg|class|show|football|new|old)s?$"
)


# German capitalises every noun, so a name is only what follows a relation.
_GERMAN_NAME = re.compile(
    r"(?<!\w)(?:[Ss]ohn|[Tt]ochter|[Ff]rau|[Mm]ann|[Oo]ma|[Oo]pa|[Mm]ama|[Pp]apa|[Bb]ruder|[Ss]chwester|[Ff]reund(?:in)?|[Hh]und|[Kk]ater"
    r"|[Kk]atze|[Kk]ind|[Bb]aby|[Tt]ante|[Oo]nkel|[Nn]amens|[Hh]ei(?:ß|ss)t|[Ee]nkel(?:in)?)\s+([A-ZÄÖÜ][\w-]+)"
)


_GERMAN_FOR = re.compile(
    r"(?<!\w)(?:für|von|an)\s+([A-ZÄÖÜ][\w-]+)(?=\s*(?:[,.;!?|]|$|\s(?:zum|zur|und|der|die|im|mit|auf)\b))"
)


def find_mentions(text: str, is_music: Callable[[str], bool], language: Language) -> tuple[Mention, ...]:
    """What a wish names and the song should name, most important first; at most eight. Only names if it is not English.

    `text` is the wish without artists, quotes, language, length and refused words. "|" separates its parts.
    """
    ages = [("age", next(filter(None, match.groups()))) for match in _AGE.finditer(text)]
    if language.prompt == "de":
        german = [*_GERMAN_NAME.finditer(text), *(m for m in _GERMAN_FOR.finditer(text) if not is_music(m[1]))]
        return _separate([*(("person", match[1]) for match in german), *ages])
    found: list[Mention] = [*_names(text, is_music), *ages]
    if language.prompt != "en" or language.foreign:
        return _separate(found)[:8]
    found += [
        ("occasion", name)
        for name in songbook("en").tables["occasions"]
        if re.search(rf"(?i)(?<!\w)(?:{name})(?!\w)", text)
    ]
    found += [
        ("years" if re.fullmatch(r"[\w-]+ (?:years|decades)", match[1]) else "phrase", match[1])
        for match in (*_YEARS.finditer(text), *_CLASS.finditer(text))
    ]
    for pattern in (_ASKED, _LIKES):
        found += [("phrase", match[1].strip()) for match in pattern.finditer(text) if _is_sung(match[1], is_music)]
    found += [("said", match[1]) for match in _HABIT.finditer(text) if _is_sung(match[1], is_music)]
    for part in re.split(r"[,.;:!?\n|()]+|\s[-\u2013\u2014]\s", text):
        pieces = [part] if len(part.split()) <= 9 else re.split(r"\s+(?:and|but|so|because)\s+", part)
        for piece in pieces:
            plain = re.sub(r"(?i)^(?:and|but|because|so|since|where|how|that)\s+", "", piece.strip())
            if _SPOKEN.match(plain) and _is_sung(plain, is_music):
                found.append(("said", plain))
    found += [
        ("phrase", match[1])
        for match in _OWNED.finditer(text)
        if _is_sung(match[1], is_music) and not _NOT_OWNED.search(match[1])
    ]
    return _separate(found)[:8]


def _names(text: str, is_music: Callable[[str], bool]) -> list[Mention]:
    found: list[Mention] = []
    for match in _NAME.finditer(text):
        before = text[: match.start()]
        words = match[1].rstrip(".").split()
        if _SENTENCE_START.search(before.rstrip(" ") + (" " if before.endswith(" ") else "")) or not before.strip():
            while (len(words) == 1 and words[0].lower().strip("'") in _COMMON | FILLERS) or (
                words and words[0].lower() in _FIRST
            ):
                words = words[1:]
            if len(words) == len(match[1].split()) == 1 and not _ACTS.match(
                text[match.start() + len(words[0].removesuffix("'s")) :]
            ):
                continue
        while words and words[-1].lower() in _LAST:
            words = words[:-1]
        name = " ".join(words)
        if len(name) < 2 or (words[0].lower() in _COMMON and len(words) == 1) or is_music(name):
            continue
        kind = "place" if _PLACE_BEFORE.search(before) else "person" if _RELATION_BEFORE.search(before) else "name"
        found.append(
            (
                kind,
                name.removesuffix("'s").removesuffix("’s"),
            )
        )
    return found


def _is_sung(words: str, is_music: Callable[[str], bool]) -> bool:
    """Whether words are neither style nor a request for a song."""
    plain = words.lower().split()
    request = {
        "song",
        "songs",
        "music",
        "track",
        "tune",
        "beat",
        "beats",
        "lyrics",
        "vocals",
        "bpm",
        "please",
        "chorus",
        "verse",
    }
    return not request & set(plain) and not is_music(words) and not FILLERS.issuperset(plain)


def _separate(found: list[Mention]) -> tuple[Mention, ...]:
    """Without those that another one holds already."""
    kept: list[Mention] = []
    for kind, words in sorted(found, key=lambda mention: -len(mention[1])):
        if not any(re.search(rf"(?i)(?<!\w){re.escape(words)}(?!\w)", other) for _, other in kept):
            kept.append((kind, words))
    order = [words for _, words in found]
    return tuple(sorted(kept, key=lambda mention: order.index(mention[1])))
