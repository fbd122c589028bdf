"""Gives names in a wish their capital: "my boyfriend tyler", "anna and ben's wedding", "moving to canada"."""

from __future__ import annotations

import re

from acestep_mcp.songwriter.lexicon import word_set
from acestep_mcp.songwriter.subjects import FILLERS, RELATIVES

# Names that are no words.
_NAMES = word_set(
    "aaron abby abigail adam adrian aidan aisha alan alejandro alex alexander alexandra alice alicia alina alison amanda amelia amina amy "
    "ana andrea andrew andy angela anita anna anne annie anthony antonio ariana arthur ashley audrey ava barbara beatrice becky ben benjamin "
    "bella bernard beth betty bob bobby brandon brenda brian bruno caleb camila carla carlos carmen carol caroline carolyn catherine cathy "
    "charles charlie charlotte chloe chris christian christina christine christopher claire clara connor craig cynthia dan daniel daniela "
    "danny dave david deborah debbie dennis derek diana diane diego donald donna doris dorothy dylan eddie edward eleanor elena eli elias "
    "elijah elise elizabeth ella ellen ellie elliot emily emma eric erica erik erin ethan eva evan evelyn fatima felix fiona florence "
    "fred frida gabriel gary george georgia gina giulia gloria greg gregory hannah hans harold harriet harry heather hector helen helena "
    "henry hugo ian ibrahim ingrid irene isaac isabel isabella isla jacob jake james jamie jane janet jason javier jeff jeffrey jen jenna "
    "jennifer jenny jeremy jerry jess jessica jessie jill jim jimmy joan joanna joe joel johan john johnny jonas jonathan jordan jorge "
    "jose joseph josh joshua juan judith judy julia julian julie justin karen karl kate katherine kathleen kathy katie kayla keith kelly "
    "kenneth kevin kim kyle laura lauren layla lea leah lena leo leon leonard liam lina linda lisa liz logan louis louise luca lucas lucia "
    "lucy luis luke luna lydia madison maggie manuel marcus margaret maria marie marina mario martha martin mary mateo matt matthew maya "
    "megan melanie melissa mia michael michelle miguel mike mila mohammed molly monica nadia naomi natalie natasha nathan nicholas "
    "nicole nina noah noel nora olga oliver olivia omar oscar owen pablo pamela patricia patrick paul paula pedro peter philip phoebe priya "
    "quentin rachel ralph raymond rebecca ricardo richard rita robert roberto roger ronald rosa rosie roy ryan sam samantha samuel sandra "
    "sara sarah scott sean sebastian sergio shannon sharon shirley simon sofia sonia sophia sophie stacy stefan stella stephanie stephen "
    "steve steven stuart susan suzanne sylvia tamara tanya teresa tessa theo theresa thomas tiffany tim timothy tina todd tom tommy tony "
    "tracy travis trevor tyler valerie vanessa vera veronica vincent virginia walter wendy william xavier yasmin yusuf zach zachary zoe"
)
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
_NAME = re.compile(rf"(?<![\w'-])({'|'.join(sorted(_NAMES, key=len, reverse=True))})(?=(?:'s)?(?![\w'-]))")
_EITHER = "|".join(sorted(_NAMES | _WORDS_TOO, key=len, reverse=True))
_PEOPLE = rf"(?:{RELATIVES}|rabbit|hamster|parrot|bunny|bird|goldfish|pony)"
_BEHIND_RELATIVE = re.compile(
    rf"(?<![\w'])((?i:{_PEOPLE}),?\s+|(?i:called|named)\s+|(?:[A-Z][\w-]+,?\s+(?:and|&)\s+))({_EITHER})(?=(?:'s)?(?![\w'-]))"
)
_PAIR = re.compile(
    rf"(?<![\w'])(for\s+)({_EITHER})(,?\s+(?:and|&)\s+)({_EITHER})(?=(?:'s)?(?![\w'-]))", re.IGNORECASE
)
# Any other word where the wording says that it is a name.
_SAID = re.compile(
    rf"(?<![\w'])((?i:(?:{_PEOPLE}))\s+(?:called\s+|named\s+)?)([a-z]{{2,12}})(?=,?\s+(?:who|turning|whose)\b)"
    rf"|(?<![\w'])((?i:{_PEOPLE})\s+(?:called|named)\s+)([a-z]{{2,12}})(?![\w'-])"
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
