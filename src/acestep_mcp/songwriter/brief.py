"""Reads a prompt: style, tempo, voice, language, subject, and lyrics or lines that it contains."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from acestep_mcp.readers.attributes import states_attribute, without_attributes
from acestep_mcp.readers.lyric_sheet import first_mark
from acestep_mcp.readers.metre import read_metre
from acestep_mcp.readers.musical_key import read_key
from acestep_mcp.readers.tempo import Tempo, read_tempo
from acestep_mcp.songwriter import lexicon
from acestep_mcp.songwriter.languages import Language, find_language, in_english, without_language
from acestep_mcp.songwriter.songbook import UNSPACED, songbook
from acestep_mcp.songwriter.styles import StyleTerms, find_terms
from acestep_mcp.songwriter.subjects import FILLERS, Subject, find_subject, remaining_subject, themes

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
_ARTIST = re.compile(
    r"\b(?i:in the (?:style|vein|manner) of|similar to|like|\u00e0 la)\s+(?!I\b)([A-Z][\w'&.-]*(?:(?: and| &|,)? [A-Z][\w'&.-]*){0,3})"
)
_VOCAL_WORD = re.compile(
    r"(?i)\b(?:song|songs|sing|sings|sung|singer|singing|vocals?|voice|lyrics|rap|chorus|verse|words|choir)\b"
)
_NOT_A_TAG = lexicon.word_set(
    "i me my we us our you your he she it they the a an is are was be been do does did that this please thanks make create write "
    "want need song about for to can could would minutes minute seconds long no not without"
)


@dataclass(frozen=True, slots=True)
class Brief:
    """A prompt after reading. `given_lyrics` are complete lyrics; `quotes` are lines to sing word for word.

    `bpm` is in quarter notes per minute; `tempo` is set instead where an Italian term names a range.
    `themes` are names of a songbook's themes, strongest first. `presumed_instrumental` is true if `instrumental`
    follows from the style and not from the user's words. `artist` is a name the music should sound like.
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
    artist: str = ""

    @property
    def genres(self) -> tuple[lexicon.GenreEntry, ...]:
        named = (genre for name in self.terms.of("genre") for genre in lexicon.GENRES if name in genre.names)
        return tuple(dict.fromkeys(named))

    @property
    def moods(self) -> tuple[lexicon.MoodEntry, ...]:
        names = self.terms.of("mood")
        return tuple(mood for name in names for mood in lexicon.MOODS if name in mood.names)


def read_brief(prompt: str) -> Brief:
    """Read a prompt of any length and in any language. Never fails; unknown words are ignored."""
    text, given = _split_lyrics(prompt.replace("\r\n", "\n"))
    text, quotes = _split_quotes(text)
    text = text.replace("\u2019", "'")
    language = find_language(text[:_MAX_READ])
    text = without_language(text[:_MAX_READ])
    book = songbook(language.prompt)
    subject, style = find_subject(text, book, lambda phrase: _is_style(in_english(phrase, language.prompt)))
    english = in_english(style, language.prompt)
    artist = _find_artist(english)
    terms = find_terms(english.replace(artist, "|") if artist else english)
    terms.rest = _without_numbers(terms.rest)
    extra_tags = _extra_tags(terms) if subject.name or terms.by_kind else ()
    if not subject.name and language.prompt == "en":
        rest = "|".join(part for part in re.split(r"[|,;\n]", terms.rest) if part.strip().lower() not in extra_tags)
        subject = replace(remaining_subject(rest, book), person=subject.person)
    brief = Brief(
        language, subject, terms,
        themes=themes(f"{terms.rest} {subject.person} {' '.join(quotes)}", book, subject.name),
        extra_tags=extra_tags, given_lyrics=given, quotes=quotes, artist=artist,
    )  # fmt: skip
    return _with_vocals(_with_numbers(brief, english), f"{english} {text}")


def _find_artist(text: str) -> str:
    """The artist the music should sound like, or "". "In the style of Motown" names a style, not an artist."""
    named = _ARTIST.search(text)
    if not named or any(named[1].lower() in genre.names for genre in lexicon.GENRES):
        return ""
    return named[1].rstrip(".")


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


def _without_numbers(rest: str) -> str:
    rest = _DECADE.sub("|", without_attributes(rest))
    return re.sub(r"(?i)\b\d+(?:\.\d+)?\s*-?(?:seconds?|secs?|s|minutes?|mins?)\b", "|", rest)


def _extra_tags(terms: StyleTerms) -> tuple[str, ...]:
    """Short unknown items of a comma-separated list: tags in the user's own words."""
    items = re.split(r"[,;\n]", terms.rest)
    if len(items) < 2:
        return ()
    return tuple(item for item in (one.strip(" .!-\t").lower() for one in items) if _is_tag(item))[:6]


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
        return replace(brief, instrumental=True)
    unsung = bool(brief.genres) and not any(genre.sung for genre in brief.genres)
    sings = (
        brief.terms.of("voice")
        or brief.given_lyrics
        or brief.quotes
        or _VOCAL_WORD.search(text)
        or brief.language.prompt != brief.language.lyrics
    )
    presumed = unsung and not sings
    return replace(brief, instrumental=presumed, presumed_instrumental=presumed)


def _excludes_vocals(text: str, language: str) -> bool:
    """Whether the prompt excludes vocals; an instrumental break alone does not."""
    english, own = songbook("en").setting("instrumental"), songbook(language).setting("instrumental")
    whole = rf"(?<!\w)(?<!not )(?:{english}|{own})(?!\w)(?! (?:hook|break|solo|intro|outro|bridge|section|part))"
    return bool(re.search(own if language in UNSPACED else whole, text, re.IGNORECASE))
