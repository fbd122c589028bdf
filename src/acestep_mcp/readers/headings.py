"""Lines above lyrics that are not sung: a title, an artist, other facts of the song, a chat model's introduction."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re

_FACTS = (
    "song ?title|title|song|artist|singer|album|written by|lyrics by|music by|composed by|composer|author|genres?|style|tags|mood|"
    "bpm|tempo|key|time signature|duration|length|language|capo|tuning|producer|year|theme|"
    "título|artista|género|gênero|estilo|autor|titre|artiste|auteur|titel|künstler|interpret|stil|titolo|genere|"
    "название|исполнитель|жанр|стиль|автор|назва|виконавець|tytuł|wykonawca|gatunek|"
    "歌名|曲名|标题|標題|歌手|作词|作詞|作曲|编曲|編曲|制作|词|詞|曲|演唱|风格|タイトル|アーティスト|제목|가수|작사|작곡|장르"
)
_LYRICS = "lyrics?|letras?|paroles|songtext|liedtext|testo|текст(?: песни)?|слова|tekst|歌詞|歌词|가사"
_INTRODUCTION = (
    r"(?:sure|okay|ok|certainly|of course|absolutely|here(?:'s|’s| is| are))\b.*\b(?:lyrics|song|version|track)\b.*"
)
_HEADING = re.compile(rf"(?i)\W*(?:(?:{_FACTS})\W*[:：].*\S.*|(?:{_LYRICS})\W*[:：]\W*|{_INTRODUCTION}[:：]\W*)")


def is_heading(line: str) -> bool:
    """Whether a line above all sung lines is not one of them: `Title: Ferry`, `Lyrics:`, "Here is your song:"."""
    return _HEADING.fullmatch(line) is not None
