"""Gives names in a wish their capital: "my boyfriend tyler", "anna and ben's wedding", "moving to canada"."""

from __future__ import annotations

import re

from acestep_mcp.readers.given_name_table import GIVEN_NAMES
from acestep_mcp.songwriter.lexicon import word_set
from acestep_mcp.songwriter.wish_words import FILLERS, RELATIVES

# Names that are words too: only behind a relative, "called" or "named", or beside another name.
_WORDS_TOO = word_set(
    "max lily rose mark will grace hope jack bill may june april daisy ivy olive ruby violet amber jasmine rob pat sue drew chase hunter "
    "mason cooper carter angel summer autumn dawn eve faith joy melody penny ray frank ken don jean robin jade crystal miles rex buddy "
    "ginger sandy victor earl gene guy dean nick bella luna milo rocky biscuit pepper willow hazel dick rusty shadow oreo coco pip"
)
_PLACES = (
    "paris|london|berlin|tokyo|rome|madrid|lisbon|dublin|amsterdam|vienna|barcelona|istanbul|havana|sydney|canada|mexico|brazil|ireland|"
    "scotland|england|wales|france|spain|italy|germany|japan|china|india|australia|america|africa|europe|texas|california|florida|"
    "chicago|boston|seattle|nashville|brooklyn|manhattan|hawaii|alaska|new york|new orleans|los angeles|las vegas|san francisco"
)
_PLACE = re.compile(rf"(?<![\w'])((?:in|to|from|of|about|through|leaving|near|around|for)\s+)({_PLACES})(?![\w-])")
_NAME = re.compile(rf"(?<![\w'-])({'|'.join(sorted(GIVEN_NAMES, key=len, reverse=True))})(?=(?:'s)?(?![\w'-]))")
_EITHER = "|".join(sorted(GIVEN_NAMES | _WORDS_TOO, key=len, reverse=True))
_PEOPLE = rf"(?:{RELATIVES}|rabbit|hamster|parrot|bunny|bird|goldfish|pony)"
_BEHIND_RELATIVE = re.compile(
    rf"(?<![\w'])((?i:{_PEOPLE}),?\s+|(?i:called|named)\s+|(?:[A-Z][\w-]+,?\s+(?:and|&)\s+))({_EITHER})(?=(?:'s)?(?![\w'-]))"
)
_PAIR = re.compile(rf"(?<![\w'])(for\s+)({_EITHER})(,?\s+(?:and|&)\s+)({_EITHER})(?=(?:'s)?(?![\w'-]))", re.IGNORECASE)
_ONE = (
    "mother|mom|mum|father|dad|grandma|grandpa|granny|nana|daughter|son|sister|brother|wife|husband|girlfriend|boyfriend|friend|"
    "aunt|uncle|cousin|niece|nephew|teacher|neighbour|neighbor|colleague"
)
# Any other word where the wording says that it is a name.
_SAID = re.compile(
    rf"(?<![\w'])((?i:(?:{_PEOPLE}))\s+(?:called\s+|named\s+)?)([a-z]{{2,12}})(?=,?\s+(?:who|turning|whose)\b)"
    rf"|(?<![\w'])((?i:{_PEOPLE})\s+(?:called|named)\s+|for (?:my |our )?(?:{_ONE})\s+)([a-z]{{2,12}})(?=\s*(?:[,.;!?|\n]|$))"
)
_DAY = re.compile(r"(?<![\w'])((?:mon|tues|wednes|thurs|fri|satur|sun)days?)(?![\w'])")
_CONGRATULATED = re.compile(r"(?i)(\d(?:st|nd|rd|th) (?:birthday|anniversary))\s+(?=(?-i:[A-Z]))")
_NO_NAME = re.compile(r"(?:ing|ed|ness|ly)$")


def capitalised_names(text: str) -> str:
    """The text with a capital for names of people and places that were written without one."""

    def said(found: re.Match[str]) -> str:
        before, name = found[1] or found[3], found[2] or found[4]
        plain = name in FILLERS or _NO_NAME.search(name) or re.fullmatch(RELATIVES, name)
        return found[0] if plain else f"{before}{name.capitalize()}"

    text = _DAY.sub(lambda found: found[1].capitalize(), text)
    text = _PLACE.sub(lambda found: found[1] + found[2].title(), text)
    text = _NAME.sub(lambda found: found[1].capitalize(), text)
    text = _PAIR.sub(lambda found: f"{found[1]}{found[2].capitalize()}{found[3]}{found[4].capitalize()}", text)
    text = _BEHIND_RELATIVE.sub(lambda found: found[1] + found[2].capitalize(), text)
    text = _CONGRATULATED.sub(r"\1, ", text)
    return _SAID.sub(said, text)
