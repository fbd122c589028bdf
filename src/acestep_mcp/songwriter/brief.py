"""Reads a prompt: style, tempo, voice, language, subject, and lyrics or lines that it contains."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from acestep_mcp.readers.attributes import Tempo, read_key, read_metre, read_tempo, states_attribute, without_attributes
from acestep_mcp.readers.length import without_length
from acestep_mcp.readers.lyric_sheet import first_mark
from acestep_mcp.songwriter import lexicon
from acestep_mcp.songwriter.artists import Artist, find_artists
from acestep_mcp.songwriter.given_names import capitalised_names
from acestep_mcp.songwriter.languages import Language, find_language, in_english, without_language
from acestep_mcp.songwriter.mentions import Mention, find_mentions
from acestep_mcp.songwriter.refused_words import refused_words
from acestep_mcp.songwriter.song_kinds import kinds_of_music
from acestep_mcp.songwriter.songbook import UNSPACED, Songbook, songbook
from acestep_mcp.songwriter.styles import StyleTerms, find_terms
from acestep_mcp.songwriter.subjects import (
    Subject,
    find_subject,
    owned_subject,
    remaining_phrases,
    remaining_subject,
    themes,
)
from acestep_mcp.songwriter.wish_wording import plain_wording, without_purpose
from acestep_mcp.songwriter.wish_words import FILLERS
from acestep_mcp.songwriter.wordless import wordless_voice

_MAX_READ = 2_000  # characters read for style and subject: enough for any prompt, without reading a pasted book
_LABEL = r"(?:lyrics?|letra|paroles|songtext|liedtext|testo|текст(?: песни)?|слова|歌詞|歌词|가사)"
_LABELLED_LYRICS = re.compile(rf"(?is)(?<!no )(?<!\w)(?:with (?:these |the |my )?)?{_LABEL}\s*[:\uff1a]\s*(\S.*)\Z")
_STYLE_LINE = re.compile(r"(?im)^[ \t]*(?:style|tags|genre|music|mood)[ \t]*[:\uff1a].*$")
_QUOTE = re.compile(r"[\"“„”«「『]([^\"“„”«»「」『』]+)[\"”“»」』]")
_NAME_BEFORE_QUOTE = re.compile(
    r"(?i)\b(?:like|style of|similar to|film|movie|show|game|band|artist|singer|by|from|album|book|series)\s*\Z"
)
_SUBJECT_BEFORE_QUOTE = re.compile(
    r"(?i)(?:\b(?:about|called|titled|named|entitled|title|subject|theme|topic|word|over|über|sobre|sur|su|\u043e|\u043f\u0440\u043e)|title:)\s*\Z"
)
_DECADE = re.compile(r"(?i)(?<!\w)(?:19|20)?([0-9]0)'?s(?!\w)")
_TITLE = re.compile(
    r"""(?ix)(?<!\w)(?:title[ds]?(?:\ of\ the\ song)?(?:\ is)?|(?:song|track|ballad|tune|piece|anthem|lullaby|number|waltz|it)(?:\ is|'s)?
    \ (?:called|named|titled|entitled)|entitled|titled)\s*[:=]?\s*
    (?:["\u201c\u201e\u00ab\u300c\u300e](?P<quoted>[^"\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d\u300e\u300f]{1,60})["\u201d\u201c\u00bb\u300d\u300f]
    |'(?P<single>[^'\n]{1,60})'(?!\w)|(?<=:)\s*(?P<rest>[^.,;\n|"]{1,50})|(?P<capital>(?-i:[A-Z][\w'-]*)(?:\ (?:(?-i:[A-Z][\w'-]*)|(?:of|the|in|on|a|and|to|my|for)(?=\ (?:the\ |my\ |a\ )?(?-i:[A-Z]))))*))"""
)
# Groups of singers and the voices they have; the group itself is a tag too.
_GROUPS = {
    "girl group": "female voices, vocal harmonies", "girl band": "female voices, vocal harmonies",
    "girlband": "female voices, vocal harmonies", "boy band": "male voices, vocal harmonies",
    "boyband": "male voices, vocal harmonies", "boy group": "male voices, vocal harmonies",
    "barbershop quartet": "male voices, vocal harmonies", "doo-wop group": "vocal harmonies",
    "men's choir": "choir, male voices", "women's choir": "choir, female voices", "boys' choir": "choir, child voice",
    "boys choir": "choir, child voice",
}  # fmt: skip
_GROUP = re.compile(rf"(?i)(?<!\w)(?<!about a )(?<!about our )(?<!about my )({'|'.join(_GROUPS)})s?(?!\w)")
# Uses of music that has no vocals as a rule.
_UNSUNG_USE = re.compile(
    r"(?i)(?<!\w)(?:meditation|meditating|yoga|sleep|sleeping|focus|concentration|study|studying|relaxation|spa|massage|waiting room|elevator|hold|menu|level|boss"
    r"|boss fight|boss battle|battle|dungeon|title screen|game over|loading screen|podcast intro|podcast outro|intro|outro|news|background|ambience|lounge)"
    r" (?:music|beats?|theme|loop|sounds?|soundscape|track|background|playlist)(?!\w)|(?<!\w)(?:to (?:study|sleep|work|focus|relax|read|code|write|meditate) (?:to|by)|for (?:studying|sleeping|focusing|coding|meditating|reading)|soundscape|white noise|theta waves|binaural beats?|leitmotif)(?!\w)"
)
_VOCAL_WORD = re.compile(
    r"(?i)\b(?:song|songs|sing|sings|sung|singer|singing|vocals?|voice|lyrics|rap|chorus|verse|words|choir)\b"
)
_NOT_A_TAG = lexicon.word_set(
    "i me my we us our you your he she it they the a an is are was be been do does did that this please thanks make create write "
    "want need song about for to can could would minutes minute seconds long no not without avoid skip except never none less don't dont doesn't isn't"
)


@dataclass(frozen=True, slots=True)
class Brief:
    """A prompt after reading. `given_lyrics` are complete lyrics; `quotes` are lines to sing word for word.

    `bpm` is in quarter notes per minute; `tempo` is set instead where an Italian term names a range.
    `themes` are names of a songbook's themes, strongest first. `presumed_instrumental` is true if `instrumental`
    follows from the style and not from the user's words. The music should sound like `artists`; `mentions` are to be sung,
    words in `refused` must not be. `wordless` names the voice of a song without words, such as "humming".
    """

    language: Language
    subject: Subject
    terms: StyleTerms
    themes: tuple[str, ...] = ()
    bpm: float | None = None
    tempo: Tempo | None = None
    key: str = ""
    meter: str = ""
    decade: str = ""
    extra_tags: tuple[str, ...] = ()
    instrumental: bool = False
    presumed_instrumental: bool = False
    given_lyrics: str = ""
    quotes: tuple[str, ...] = ()
    artists: tuple[Artist, ...] = ()
    title: str = ""
    mentions: tuple[Mention, ...] = ()
    refused: tuple[str, ...] = ()
    wordless: str = ""

    @property
    def genres(self) -> tuple[lexicon.GenreEntry, ...]:
        return tuple(dict.fromkeys(genre for name in self.terms.of("genre") for genre in _genres_named(name)))

    @property
    def moods(self) -> tuple[lexicon.MoodEntry, ...]:
        names = self.terms.of("mood")
        return tuple(mood for name in names for mood in lexicon.MOODS if name in mood.names)


@lru_cache(maxsize=1024)
def _genres_named(name: str) -> tuple[lexicon.GenreEntry, ...]:
    return tuple(genre for genre in lexicon.GENRES if name in genre.names)


@lru_cache(maxsize=8)
def read_brief(prompt: str) -> Brief:
    """Read a prompt of any length and in any language. Never fails; unknown words are ignored."""
    text, given = _split_lyrics(prompt.replace("\r\n", "\n"))
    title, text = _split_title(text)
    text, quotes = _split_quotes(text)
    text = plain_wording(text.replace("\u2019", "'"))
    language = find_language(text[:_MAX_READ])
    text = without_length(without_language(text[:_MAX_READ]))
    if language.prompt == "en" and not language.foreign:
        text = capitalised_names(without_purpose(text))
    refused, text = refused_words(
        text,
        lambda whole, listed: (
            _excludes_vocals(whole, language.prompt) or _is_style(in_english(listed, language.prompt))
        ),
    )
    groups = tuple(dict.fromkeys(match[1].lower() for match in _GROUP.finditer(text)))
    artists, text = find_artists(_GROUP.sub(lambda match: f" | {_GROUPS[match[1].lower()]} | ", text), _genre_names())
    return _with_style(Brief(language, Subject(), StyleTerms(""), given_lyrics=given, quotes=quotes, artists=artists,
                             title=title, refused=refused, extra_tags=groups), text)  # fmt: skip


def _with_style(brief: Brief, text: str) -> Brief:
    """Add subject, mentions, themes and style from a text without the parts that `brief` has already."""
    language = brief.language
    book = songbook(language.prompt)

    def is_style(phrase: str) -> bool:
        return _is_style(in_english(phrase, language.prompt))

    subject, style = find_subject(text, book, is_style)
    if not subject.name and language.prompt == "en":
        owned, style = owned_subject(style, _is_music)
        subject = replace(owned, person=subject.person) if owned.name else subject
    english = in_english(style, language.prompt)
    terms = find_terms(english)
    terms.rest = _without_numbers(terms.rest)
    english_wish = language.prompt == "en" and not language.foreign
    kinds, terms.rest = kinds_of_music(terms.rest, subject) if english_wish else ((), terms.rest)
    mentions = find_mentions(text, lambda phrase: _is_music(in_english(phrase, language.prompt)), language)
    sung = " ".join(words for _, words in mentions)
    extra_tags = _extra_tags(terms, book, sung) if subject.name or terms.by_kind else ()
    if not subject.name and english_wish:
        rest = "|".join(part for part in re.split(r"[|,;\n]", terms.rest) if part.strip().lower() not in extra_tags)
        subject = replace(remaining_subject(rest, book), person=subject.person)
    if language.foreign:
        subject = Subject()
    if brief.title and not subject.name:
        subject = Subject(brief.title, "thing", subject.person)
    if english_wish:
        named = f"{subject.name} {subject.person} {sung}"
        mentions += tuple(("phrase", words) for words in remaining_phrases(terms.rest, book, named))
    heard = f"{terms.rest} {' '.join(kinds)} {subject.person} {' '.join(brief.quotes)} {brief.title}"
    brief = replace(
        brief, subject=subject, terms=terms, extra_tags=(*brief.extra_tags, *kinds, *extra_tags),
        themes=themes(heard, book, subject.name), mentions=mentions,
    )  # fmt: skip
    return _with_vocals(_with_numbers(brief, english), f"{english} {text}")


@cache
def _genre_names() -> frozenset[str]:
    return frozenset(name for genre in lexicon.GENRES for name in genre.names)


def _split_title(text: str) -> tuple[str, str]:
    """The title a prompt gives, and the text with it as a name without quotation marks."""
    match = _TITLE.search(text)
    if not match:
        return "", text
    title = next(group for group in match.groups() if group).strip(" .")
    return title, f"{text[: match.start()]} | {text[match.end() :]}"


def _split_lyrics(text: str) -> tuple[str, str]:
    """Separate the prompt from lyrics in it, which follow a label or form a block with section marks."""
    labelled, marked = _LABELLED_LYRICS.search(text), first_mark(text)
    if labelled and (marked is None or labelled.start() <= marked):
        head, body = text[: labelled.start()], labelled[1]
    elif marked is not None and "\n" in text[marked:].strip():
        head, body = text[:marked], text[marked:]
    else:
        return text, ""
    style = " ".join(_STYLE_LINE.findall(body))
    body = _STYLE_LINE.sub("", body).strip()
    whole = _QUOTE.fullmatch(body)
    body = whole[1].strip() if whole else body
    return f"{head}\n{style}", body


def _split_quotes(text: str) -> tuple[str, tuple[str, ...]]:
    """Separate the prompt from quoted lines. A quoted title, subject or film stays in the text, without quotation marks."""
    quotes: list[str] = []

    def part(match: re.Match[str]) -> str:
        before, words = text[max(0, match.start() - 30) : match.start()], match[1].strip()
        if _SUBJECT_BEFORE_QUOTE.search(before) or _NAME_BEFORE_QUOTE.search(before) or not _is_sung_line(words):
            return words
        quotes.extend(line.strip() for line in re.split(r"\n|\s/\s", words) if line.strip())
        return " | "

    return _QUOTE.sub(part, text), tuple(quotes)


def _is_sung_line(words: str) -> bool:
    """Whether a quote is a line to sing: at least two words, or four characters in a script without spaces."""
    return len(words.split()) > 1 or (len(words) >= 4 and any(letter > "\u2fff" for letter in words))


def _is_style(phrase: str) -> bool:
    """Whether a phrase ("trip hop style", "90 bpm") describes the music and not the subject."""
    return bool(find_terms(phrase).by_kind or states_attribute(phrase) or re.search(r"(?i)\bstyle\b", phrase))


def _is_music(phrase: str) -> bool:
    """Whether a phrase names a genre, an instrument or a voice; a mood or "fast" can belong to the subject."""
    return bool({"genre", "instrument", "voice", "production"} & set(find_terms(phrase).by_kind))


def _without_numbers(rest: str) -> str:
    rest = _DECADE.sub("|", without_attributes(rest))
    return re.sub(r"(?i)\b\d+(?:\.\d+)?\s*-?(?:seconds?|secs?|s|minutes?|mins?)\b", "|", rest)


def _extra_tags(terms: StyleTerms, book: Songbook, sung: str) -> tuple[str, ...]:
    """Short unknown items of a comma-separated list that are no subject: tags in the user's own words."""
    items = [one.strip(" .!-\t") for one in re.split(r"[,;\n]", terms.rest)]
    if len(items) < 2:
        return ()
    sung = sung.lower()
    named = [item.lower() for item in items if _is_tag(item.lower()) and not any(letter.isupper() for letter in item)]
    return tuple(item for item in named if not themes(item, book) and not _shares_a_word(item, sung))[:6]


def _shares_a_word(item: str, sung: str) -> bool:
    return bool({word for word in item.split() if len(word) > 3} & set(sung.split()))


def _is_tag(item: str) -> bool:
    words = item.split()
    named = 0 < len(words) <= 3 and len(item) <= 30 and not FILLERS.issuperset(words)
    return named and not _NOT_A_TAG & set(words) and bool(re.fullmatch(r"[a-z][a-z' &-]+", item))


def _with_numbers(brief: Brief, text: str) -> Brief:
    """Add tempo, key, metre and decade from the text."""
    tempo, key, metre, decade = read_tempo(text), read_key(text), read_metre(text), _DECADE.search(text)
    return replace(
        brief,
        bpm=tempo.quarters if tempo and not tempo.term else None,
        tempo=tempo if tempo and tempo.term else None,
        key=key.name if key else "",
        meter=f"{metre.name} time" if metre and metre.stated else "",
        decade=f"{decade[1]}s" if decade else "",
    )


def _with_vocals(brief: Brief, text: str) -> Brief:
    """Decide whether there are vocals: by the prompt, else by what its style usually has."""
    if _excludes_vocals(text, brief.language.prompt) and not brief.given_lyrics:
        voice = wordless_voice(text)
        tags = (*brief.extra_tags, *([voice] if voice else []))
        return replace(brief, instrumental=not voice, wordless=voice, extra_tags=tags)
    if not brief.genres and _is_concert_music(brief, text):
        brief.terms.add("genre", "classical")
    unsung = bool(_UNSUNG_USE.search(text)) or (bool(brief.genres) and not any(genre.sung for genre in brief.genres))
    sings = (
        brief.terms.of("voice")
        or brief.given_lyrics
        or brief.quotes
        or _VOCAL_WORD.search(text)
        or brief.language.prompt != brief.language.lyrics
    )
    presumed = unsung and not sings
    return replace(brief, instrumental=presumed, presumed_instrumental=presumed)


def _is_concert_music(brief: Brief, text: str) -> bool:
    """Whether a wish without a style is for classical music: "andante piano piece", "string quartet in D minor"."""
    players = brief.terms.of("instrument")
    if _VOCAL_WORD.search(text) or brief.subject.person or brief.terms.of("voice"):
        return False
    if re.search(r"(?i)(?<!\w)(?:string|piano|brass|wind|woodwind) (?:trio|quartet|quintet|sextet)(?!\w)", text):
        return True
    ensemble = {"string quartet", "orchestra", "symphony orchestra", "chamber orchestra"} & set(players)
    return bool(ensemble or brief.tempo or (players and re.search(r"(?i)(?<!\w)pieces?(?!\w)", text)))


def _excludes_vocals(text: str, language: str) -> bool:
    """Whether the prompt excludes vocals; an instrumental break alone does not."""
    english, own = songbook("en").setting("instrumental"), songbook(language).setting("instrumental")
    whole = rf"(?<!\w)(?<!not )(?:{english}|{own})(?!\w)(?! (?:hook|break|solo|intro|outro|bridge|section|part))"
    return bool(re.search(own if language in UNSPACED else whole, text, re.IGNORECASE))
