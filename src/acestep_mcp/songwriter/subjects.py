"""Finds what a song is about and who it is for, in words that can be sung."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from acestep_mcp.songwriter.lexicon import word_set
from acestep_mcp.songwriter.songbook import UNSPACED, Songbook, Theme, songbook
from acestep_mcp.songwriter.wish_words import CAPITAL, FILLERS, RELATIVES

_MAX_WORDS = 7  # words of a subject that fit in a line
_END = r"(?=\s*(?:[,.;:!?\n|()\u3002\u3001\uff0c\uff01\uff1f\uff1b]|[-\u2013\u2014]\s|\s[-\u2013\u2014]\s|$))"
_STOPS = r"in|with|without|no|not|but|for|at|on|using|featuring|feat|sung|performed|played|by|and|as|to|like|over|from"
_ASIDE = re.compile(r"(?i)\s(?:who|which|that|where|when|because|while|but|since|so that|after|before|until|if)\s")
_FOR_RELATIVE = re.compile(
    rf"(?i)\b(?:for|dedicated to|in memory of|in honou?r of|to)\s+((?:my|our|his|her|their|the|all)\s+(?:[\w'-]+\s+){{0,2}}?(?:{RELATIVES})(?!\w)(?-i:(?:(?: and| &|,)? {CAPITAL}){{1,4}})?)"
)
_FOR_NAME = re.compile(
    rf"\b(?:[Ff]or|[Dd]edicated to|[Ii]n memory of|[Ii]n honou?r of)\s+({CAPITAL}(?:(?:,? and|,| &)? {CAPITAL}){{0,3}})"
)
_PERSON = re.compile(
    rf"(?i)^(?:(?:my|our|his|her|their|the|a)\s+)?(?:(?!with|for|of|and|in|to|from)[\w'-]+\s+){{0,2}}(?:{RELATIVES}|you|her|him)(?:\s(?:called|named)\s[\w'-]+)?$"
)
# Who a song is written for, who is not in it: "a Christmas song for kids".
_AUDIENCE = re.compile(
    r"(?i)(?<=\s)for\s+(?:young\s+|little\s+|small\s+)?(?:kids|children|toddlers|babies|adults|teens|teenagers|seniors|everyone|everybody|beginners)(?=\s*(?:[,.;:!?|\n]|$|about\b))"
)
_QUESTION = re.compile(
    r"(?i)(?<![^|,.;:!?\n ])(?:will|won't|do|does|did|are|were)\s+(?:you|we|i|they|he|she)\s(?!(?:please|make|create|write|compose|sing|generate|like|have|give)\b)[^|,.;:!?\n]*"
)
_CLAUSE = re.compile(r"(?i)^(?:how|why|what|when|where|who|whether|if)\b")
_SPEAKER = re.compile(
    r"(?i)^(?:i|we|you|he|she|they|it|i'm|i've|we're|you're|he's|she's|they're|there's|everyone|nobody)\s+\S"
)
_VERB = re.compile(
    r"(?i)(?<!my)(?<!his)(?<!her)(?<!our)(?<!the)(?<!your)(?<!their)(?<!\ba)(?<!\ban)(?<!\bsome)(?<!\bthis)(?<!\bthat)(?<!\bof)\s(?:sleeps|sings|dances|plays|barks|works|walks|thinks|looks|forgot|forgets|broke|breaks|needs|feels|grows|grew|is|are|was|were|has|had|have|be|will|can|can't|could|would|don't|doesn't|didn't|isn't|ate|went|goes|came|"
    r"comes|left|leaves|lost|loses|found|finds|got|gets|made|makes|took|takes|said|says|steals|stole|loves|hates|wants|"
    r"dies|falls|fell|runs|ran|eats|meets|met|learns|becomes|became|keeps|lives|dreams of|misses|saves|wins|won)\s"
)
_BEFORE_A_SUBJECT = word_set("after before during since until because between")
_MUSIC_NOUNS = word_set(
    "hymn chant duet carol ditty serenade bachata shanty rap rhyme music song songs anthem anthems jingle track theme tune soundtrack score ballad beat beats playlist single"
)
_BETWEEN_PARTS = re.compile(
    rf"(?i)[|,.;:!?\n()/]+|\s[-\u2013\u2014]\s|(?<![\w'])(?:{'|'.join(sorted(_MUSIC_NOUNS))})(?![\w'])"
)
_PARTICIPLE = re.compile(
    r"(?i)(?:afraid|scared|married|called|named|born|based|made|written|played|titled|sung|engaged|dedicated|featuring)$"
)
_OCCASION = re.compile(
    r"(?i)(?:(?:i'm |so |my|our|the|a|two|three|first|last|happy|merry) ?)*(?:sorry|wedding|party|christmas|birthday|apology|retirement|graduation|valentine'?s?|team|friends?|family|christmas day|wedding day|gym|bedtime|love)?"
)
_BARE = re.compile(r"(?i)(?:ness|ity|tion|sion|ment|ship|hood|dom|ism|ing|ence|ance|ics|s)$")
_NOUN_FREE = word_set(
    "mom mum mommy dad daddy mama papa grandma grandpa granny nana love peace hope joy freedom home faith time music death life war silence winter summer autumn spring christmas"
)
_NOT_GERUNDS = word_set("wedding morning evening king ring wing spring building painting thing string")
_REQUEST_VERBS = word_set("want need would could should can will like wish am require have sounds feels is")
_DETERMINERS = word_set(
    "a an the my your our his her their this that some every all no one two three four five many few"
)
_DANGLING = word_set(
    "a an the of and or to in with for at on by my your his her their our from that very so is are was it i used but"
)
_PREPOSITIONS = word_set("in on at of under over by near from with to for into through without")
_DEAR = word_set("best little new good great beautiful full")
_WORD = re.compile(r"[\w'-]+")
_SYMBOLS = re.compile(r"[^\w\s'\u2019,&-]|_")


@dataclass(frozen=True, slots=True)
class Subject:
    """`name` can follow "about" in a line; `kind` is thing, person, clause or ""; `person` is who the song is for."""

    name: str = ""
    kind: str = ""
    person: str = ""


def find_subject(text: str, book: Songbook, is_style: Callable[[str], bool]) -> tuple[Subject, str]:
    """The subject a prompt names, and the rest of the text, which describes the style."""
    style, name = text, ""
    about = book.setting("about")
    match = re.search(_about(about, book.language), text) if about else None
    if match:
        phrase = _until_style(match[1], is_style)
        name, style = phrase, f"{text[: match.start()]}|{text[match.start(1) + len(phrase) :]}"
        if book.setting("keep_about"):
            name = re.sub(r"\s+", " ", text[match.start() : match.start(1)].lower() + phrase)
    if book.language != "en":
        return Subject(_shorten(name, book.language), "thing" if name else ""), style
    person, style = _person(style) if not match else _person_beside(phrase, style)
    cleaned = _shorten(_without_person(name, person), "en")
    return Subject(cleaned, _kind(cleaned), person), style


def owned_subject(text: str, is_music: Callable[[str], bool]) -> tuple[Subject, str]:
    """A subject that is a part of its own ("my son and his fast car"), and the text without it."""
    for match in re.finditer(r"(?i)(?:^|[|,.;:!?\n]\s*)((?:my|our|his|her)\s+[^|,.;:!?\n()]+)", text):
        words = match[1].split()
        if (
            1 < len(words) <= _MAX_WORDS
            and not is_music(match[1])
            and not _MUSIC_NOUNS & {word.lower() for word in words}
        ):
            name = _shorten(match[1], "en")
            return Subject(name, _kind(name)), f"{text[: match.start(1)]}|{text[match.end(1) :]}"
    return Subject(), text


def _parts(rest: str) -> list[str]:
    """The parts of a text between commas and the like, and between nouns for music; questions are no parts."""
    rest = _QUESTION.sub("|", rest)
    return _BETWEEN_PARTS.split(rest)


def remaining_subject(rest: str, book: Songbook) -> Subject:
    """A subject without "about" ("rainy night in Paris, jazz"): the longest run of words that is short and not style."""
    runs = [words for run in _parts(rest) if len(words := _trim(_SYMBOLS.sub(" ", run).split())) <= _MAX_WORDS]
    known = [words for words in runs if themes(" ".join(words), book)]
    if themes(rest, book) and not known:
        return Subject()
    runs, known = ([_about_someone(words) for words in found] for found in (runs, known))
    best = max(known or runs, key=len, default=[])
    if not best or all(len(word) < 2 or word.isdigit() for word in best):
        return Subject()
    name = _with_article(best)
    return Subject(name, _kind(name))


def remaining_phrases(rest: str, book: Songbook, sung: str) -> list[str]:
    """Up to three other parts of a text that a theme's words show to be about something, and that `sung` lacks."""
    found = []
    for run in _parts(rest):
        words = _about_someone(_trim(_SYMBOLS.sub(" ", run).split()))
        name = " ".join(words)
        if (
            0 < len(words) <= _MAX_WORDS
            and themes(name, book)
            and not _OCCASION.fullmatch(name)
            and not _SPEAKER.match(name)
            and not {word.lower() for word in words if len(word) > 3} & set(sung.lower().split())
        ):
            found.append(name)
    return found[:3]


def _about_someone(words: list[str]) -> list[str]:
    """The words without a leading "who is"; nothing for other words that do not begin a subject."""
    if words and words[0].lower() in {"who", "which"}:
        words = words[2:] if len(words) > 1 and words[1].lower() in {"is", "are", "was"} else []
    left_over = len(words) > 1 and words[0].endswith("ed") and words[1] in _PREPOSITIONS
    return [] if words and (left_over or _PARTICIPLE.match(words[0])) else words


def themes(text: str, book: Songbook, weight: str = "") -> tuple[str, ...]:
    """The book's themes that occur in a text, strongest first; words in `weight` count three times."""
    hits, weighty_hits = _counter(text.lower()), _counter(weight.lower())
    scores = {name: hits(theme) + 3 * weighty_hits(theme) for name, theme in book.themes.items()}
    return tuple(sorted((name for name in scores if scores[name]), key=lambda name: -scores[name]))


def _counter(text: str) -> Callable[[Theme], int]:
    """A function that counts how often the keywords of a theme occur in a text."""
    if not text:
        return lambda _: 0
    words = Counter(_WORD.findall(text))
    return lambda theme: (
        sum(words[word] for word in theme.words.intersection(words)) + sum(map(text.count, theme.parts))
    )


def _about(words: str, language: str) -> str:
    """A pattern whose first group is the subject. Words with a named group are a complete pattern already."""
    if "(?P<" in words:
        return words
    if language == "en":
        return rf"(?is)(?<!\w)(?:{words})\s+(?!\d+ (?:min|sec))(.{{1,200}}?){_END}"
    return rf"(?is)(?<!\w)(?:{words})(?:(?<=')|\s+)(.{{1,120}}?){_END}"


def _until_style(phrase: str, is_style: Callable[[str], bool]) -> str:
    """The phrase up to where it describes the music: "the sea | in trip hop style"."""
    for match in re.finditer(
        rf"(?i)\s+(?:{_STOPS}|con|mit|avec|com|sem|sin|sans|ohne|senza|\u0431\u0435\u0437|\u043d\u0430|\u0441|\u0432|en|em|im)\s+",
        phrase,
    ):
        following = re.split(rf"(?i)\s+(?:{_STOPS})\s+", phrase[match.end() :])[0]
        if is_style(following) or is_style(match[0] + following):
            return phrase[: match.start()]
    return phrase


def _person(text: str) -> tuple[str, str]:
    text = _AUDIENCE.sub(" | ", text)
    match = _FOR_RELATIVE.search(text) or _FOR_NAME.search(text)
    if not match:
        return _plain_person(text)
    return " ".join(match[1].split()).removesuffix("'s"), f"{text[: match.start()]} | {text[match.end() :]}"


def _plain_person(text: str) -> tuple[str, str]:
    """Someone named without a capital ("a lullaby for mia", "for mom"): one word that is no plural and no common subject."""
    match = re.search(r"(?<!\w)for\s+([a-z]{2,12})(?=\s*(?:[,.;!?|\n]|$))", text)
    keys = {key for theme in songbook("en").themes.values() for key in theme.keys}
    relative = match and re.fullmatch(RELATIVES, match[1])
    if not match or (not relative and (match[1] in FILLERS | keys | _NOUN_FREE or _BARE.search(match[1]))):
        return "", text
    return match[1] if relative else match[1].capitalize(), f"{text[: match.start()]} | {text[match.end() :]}"


def _person_beside(phrase: str, style: str) -> tuple[str, str]:
    person, _ = _person(f" {phrase}")
    return (person, style) if person else _person(style)


def _without_person(name: str, person: str) -> str:
    if not person:
        return name
    return re.split(rf"(?i)\s*(?:for|dedicated to|in memory of|in honou?r of|to)\s+{re.escape(person)}", name)[0]


def _shorten(name: str, language: str) -> str:
    """At most seven words, cut at a clause if possible, without dangling words, emoji or quotation marks."""
    plain = " ".join(_SYMBOLS.sub(" ", name).split()).strip("-,& '")
    if language in (*UNSPACED, "ko"):
        return plain[:12]
    words = plain.split()
    if len(words) > _MAX_WORDS + 2 or (len(words) > _MAX_WORDS and not _CLAUSE.match(plain)):
        head = _ASIDE.split(f"{plain} ")[0].split()
        words = (head if len(head) > 1 or not _CLAUSE.match(plain) else words)[:_MAX_WORDS]
    while words and words[-1].lower().strip(",") in _DANGLING and len(words) > 1:
        words.pop()
    words = [word[:30] for word in words]
    if words and words[0].lower() in {"a", "an", "the", "my", "our", "your", "his", "her", "their", "how"}:
        words[0] = words[0].lower()
    return _as_clause(" ".join(words).strip(",")) if language == "en" else " ".join(words)


def _as_clause(name: str) -> str:
    """Turn a whole sentence into "how ...", which can follow "about"."""
    if _CLAUSE.match(name) or not (_SPEAKER.match(name) or _VERB.search(f"{name} ")):
        return name
    if _SPEAKER.match(name) or not _ASIDE.search(f" {name} "):
        first, _, others = name.partition(" ")
        first = (
            first
            if first.split("'")[0] == "I" or not first[:1].isupper() or not _SPEAKER.match(f"{first} x")
            else first.lower()
        )
        return f"how {'I' + first[1:] if first[:1] == 'i' and first[1:2] in ('', chr(39)) else first} {others}"
    return name


def _kind(name: str) -> str:
    if not name:
        return ""
    if _CLAUSE.match(name):
        return "clause"
    return "person" if _PERSON.match(name) else "thing"


def _trim(words: list[str]) -> list[str]:
    """The words without those that only ask for a song. A sentence that is not a request stays whole."""
    if _SPEAKER.match(" ".join(words)) and len(words) > 2 and words[1].lower() not in _REQUEST_VERBS:
        return words
    own = {"my", "your", "i", "we", "you", "the", "a", "an", "her", "his"}
    start, end = 0, len(words)
    while (
        start < end
        and _is_filler(words, start)
        and not (words[start][:1].isupper() and words[start + 1 : start + 2] and words[start + 1][:1].isupper())
    ):
        start += 1
    while (
        end > start
        and _is_filler(words, end - 1)
        and words[end - 1] != "love"
        and (end == 1 or words[end - 1].islower())
    ):
        end -= 1
    if 1 < start < end and words[start - 1].lower() in _DEAR and words[start - 2].lower() in own:
        start -= 2
    elif 0 < start < end and words[start - 1].lower() in own:
        start -= 1
    return words[start:end]


def _is_filler(words: list[str], at: int) -> bool:
    return words[at].lower() in FILLERS or (at == 0 and words[at].lower() in _BEFORE_A_SUBJECT)


def _with_article(words: list[str]) -> str:
    """Add an article if English needs one: "the bicycle", "a rainy night", but "Paris", "dogs"."""
    name = " ".join(words)
    if words[0] in {"a", "an"} and len(words) == 2 and words[1][:1].isupper():
        return words[1]
    if words[0].lower() == "where":
        return f"how {' '.join(words[1:])}"
    if _SPEAKER.match(name) or _VERB.search(f" {name} "):
        return _as_clause(name)
    phrase = re.split(r"\s(?:in|on|at|of|under|over|by|near|from|with|to|for|into|through|without)\s", name)[0].split()
    head = phrase[-1]
    plain = (
        head.islower()
        and head.isascii()
        and phrase[0].islower()
        and phrase[0] not in _DETERMINERS
        and not phrase[0].endswith(("'s", "s'"))
    )
    gerund = words[0].endswith("ing") and words[0] not in _NOT_GERUNDS
    if not plain or gerund or (_BARE.search(head) and head not in _NOT_GERUNDS) or head in _NOUN_FREE:
        return name
    if len(words) == 1:
        return f"the {name}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
