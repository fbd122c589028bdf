# ruff: noqa: RUF001 - letters of other scripts are what is tested
"""Lyrics that say that nobody sings mean no vocals; lyrics that only contain such words are sung."""

from __future__ import annotations

import pytest

from acestep_mcp.readers.lyric_sheet import read_lyrics
from acestep_mcp.readers.no_vocals import is_instrumental

NO_VOCALS = {
    "plain": ["", "  ", "[inst]", "[Instrumental]", " [INST]\n", "[inst].", "[ Inst ]", "<instrumental>", "{Instrumental}"],
    "en": ["Instrumental", "instrumental only", "[Instrumental only]\n(no vocals)", "(no vocals)", "No lyrics", "no words", "No singing.",
           "without lyrics", "w/o vocals", "purely instrumental", "Instrumental track, no singing please", "this is an instrumental",
           "(Instrumental - no vocals, no lyrics)", "music only", "just music", "**[Instrumental]**", "Vocals: none", "Lyrics: n/a",
           "No vocals at all", "instrumental version", "instr."],
    "nothing": ["none", "None.", "n/a", "N/A", "-", "—", "...", "[]", "null", "♪", "🎵🎶"],
    "es": ["sin letra", "sin voz", "Solo música", "Instrumental, sin voces", "ninguna"],
    "pt": ["sem letra", "sem voz", "Só música", "Instrumental, sem vocais"],
    "fr": ["sans paroles", "Instrumentale, sans voix", "pas de paroles", "aucune"],
    "de": ["ohne Gesang", "nur Musik", "Kein Text", "rein instrumental", "Instrumentalstück", "keine"],
    "it": ["senza parole", "strumentale", "senza voce", "solo musica"],
    "ru": ["без слов", "без вокала", "Инструментал", "только музыка", "Инструментальная композиция", "нет"],
    "uk": ["без слів", "без вокалу", "інструментал", "Інструментальний трек", "тільки музика"],
    "pl": ["bez słów", "bez wokalu", "utwór instrumentalny", "tylko muzyka", "brak"],
    "zh": ["纯音乐", "（纯音乐）", "无人声", "没有歌词", "純音樂", "【纯音乐】", "无歌词，纯音乐", "纯音乐，请欣赏", "无"],
    "ja": ["インスト", "歌なし", "ボーカルなし", "インストゥルメンタル", "歌詞なし", "なし"],
    "ko": ["연주곡", "가사 없음", "보컬 없음", "인스트루멘탈", "없음"],
    "other": ["instrumentaal", "zonder zang", "sözsüz", "sadece müzik", "bez zpěvu", "utan sång", "ei laulua", "ének nélkül",
              "χωρίς στίχους", "بدون كلمات", "موسيقى فقط", "tanpa lirik", "बिना बोल"],
}  # fmt: skip
SUNG = [
    "instrumental to my heart", "You were instrumental\nin my life", "No no no", "la la la", "No words can say", "music", "only you",
    "Just a song", "Without you", "I am none the wiser", "[verse]\nHello", "Words, words, words", "no one sings\nno words tonight",
    "Nobody sings", "none of us", "sans toi", "ohne dich", "без тебя", "sin ti", "无所谓", "我没有歌词", "なしではいられない", "Oh",
    "[inst]\nla la", "[chorus]", "[Instrumental]\nWalk me home", "No more words", "Solo", "Voice",
]  # fmt: skip


@pytest.mark.parametrize("language", NO_VOCALS)
def test_these_lyrics_mean_no_vocals(language: str) -> None:
    assert [text for text in NO_VOCALS[language] if not is_instrumental(text) or read_lyrics(text).lines] == []


def test_lyrics_that_only_contain_such_words_are_sung() -> None:
    assert [text for text in SUNG if is_instrumental(text)] == []


def test_no_vocals_in_words_is_written_as_the_mark_with_a_note() -> None:
    sheet = read_lyrics("[Instrumental only]\n(no vocals)")
    assert sheet.text == "[inst]"
    assert "no vocals" in sheet.notes[0]
    for plain in ("", "[inst]", "[Instrumental]"):
        assert (read_lyrics(plain).text, read_lyrics(plain).notes) == (plain, ())
