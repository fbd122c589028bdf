# ruff: noqa: RUF001 - letters of other scripts are what is tested
"""Lyrics as people, players and language models write them become plain lyrics, and the notes say what was changed."""

from __future__ import annotations

import time

import pytest

from acestep_mcp.readers.lyric_sheet import read_lyrics


def sections(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(part.name, part.kind, part.lines) for part in read_lyrics(text).sections]


PLAIN = [
    "[Verse 1]\nThe ferry leaves at nine (ooh ooh)\n\n[Pre-Chorus]\nHold on\n\n[Chorus]\nWalk me home\n",
    "[verse]\n[Guitar Solo]\n[Final Chorus]\nWalk me home\n[Chorus - whispered]\nWalk me home\n[whispered]\nquietly\n[End]",
    "One\nTwo\n\nThree",
    "  two spaces before\nand behind  \n\n\nthree lines on",
    "- Hola\n- Adiós, dijo él",
    "Am I the one? A B C, easy as 1 2 3\nC you\nA B C D E F G",
    "f**k this s**t, 5 * 3 is 15, snake_case_word\n#1 in your heart",
    "You were instrumental to my heart\nNo words can say it, no vocals needed here",
    "Killing me softly (softly)\nWatch me laughing (laughing)\nWe go up and down (up and down)\nfade (fade away)",
    "Chorus of angels sing\nBridge over the river\nThe end of the verse\nSolo me quedo\nSolo",
    "Meet me at 10:30\nJohn 3:16 is all I know\nShe said: go",
    "I feel solo\n(solo)\nStop!\n(Bridge over the water)",
    "夜の街を歩いて\n「また明日」と言った\n《旧照片》、《新地址》\n我在这里等你",
    "أحبك إلى الأبد\nमैं तुमसे प्यार करता हूँ\nمی‌خواهم",
    "[Intro]\n[Outro]",
    "",
    "[inst]",
    " [Instrumental]\n",
    "Listen to the (music)\nMusic <is> on\n{my} heart\nthe bridge of my chorus\nRefrain from love",
    "<3 you & me\nI <3 rock\na < b",
    "What's 3 x 4\nMr. X\nGeneration X 5",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_lyrics_stay_the_same_to_the_byte_without_a_note(text: str) -> None:
    sheet = read_lyrics(text)
    assert (sheet.text, sheet.notes) == (text, ())


DRESSED = {
    "bold": ("**[Verse 1]**\nThe ferry\n\n**[Bridge]**\nHome", "[Verse 1]\nThe ferry\n\n[Bridge]\nHome"),
    "bold without brackets": ("**Chorus:**\nThe ferry\n*Bridge*\nHome", "[Chorus]\nThe ferry\n[Bridge]\nHome"),
    "headings": ("# Ferry song\n\n### Chorus\nThe ferry\n## [Verse 2]\nHome", "[Chorus]\nThe ferry\n[Verse 2]\nHome"),
    "byte order mark": ("\ufeff[Bridge]\nThe ferry", "[Bridge]\nThe ferry"),
    "zero width": ("[Bri\u200bdge]\u200b\nThe\u2060 ferry\u200e", "[Bridge]\nThe ferry"),
    "full width": ("【Chorus】\nThe ferry\n［Bridge］\nHome\n（Verse 2）\nBye", "[Chorus]\nThe ferry\n[Bridge]\nHome\n[Verse 2]\nBye"),
    "words behind": ("[Chorus] The ferry\n[Verse 2]: Home", "[Chorus]\nThe ferry\n[Verse 2]\nHome"),
    "one line": ("[Verse] The ferry leaves [Chorus] Walk me home", "[Verse]\nThe ferry leaves\n[Chorus]\nWalk me home"),
    "slashes": ("[verse] The ferry / leaves // [chorus] Home", "[verse]\nThe ferry\nleaves\n\n[chorus]\nHome"),
    "colon": ("Chorus:\nThe ferry\nVerse 2: Home", "[Chorus]\nThe ferry\n[Verse 2]\nHome"),
    "no brackets, no blank lines": ("Verse\nThe ferry\nChorus\nHome", "[Verse]\nThe ferry\n[Chorus]\nHome"),
    "no brackets": ("Verse 1\nThe ferry\n\nChorus\nHome", "[Verse 1]\nThe ferry\n\n[Chorus]\nHome"),
    "round": ("(Chorus)\nThe ferry\n(Guitar Solo)\n{Bridge}\nHome", "[Chorus]\nThe ferry\n[Guitar Solo]\n[Bridge]\nHome"),
    "escaped brackets": ("\\[Chorus\\]\nThe ferry", "[Chorus]\nThe ferry"),
    "closing marks": ("[verse]The ferry[/verse]", "[verse]\nThe ferry"),
    "unclosed": ("[Chorus\nThe ferry", "[Chorus]\nThe ferry"),
    "html": ("<b>[Chorus]</b><br>The ferry &amp; me<br/><i>Home</i>", "[Chorus]\nThe ferry & me\nHome"),
    "code fence": ("Here are the lyrics:\n```\n[Verse]\nThe ferry\n```", "[Verse]\nThe ferry"),
    "quote": ("> [Verse]\n> The ferry", "[Verse]\nThe ferry"),
    "emphasis": ("[Verse]\n**The ferry** leaves _at_ nine", "[Verse]\nThe ferry leaves at nine"),
    "escaped twice": ("[verse]\\nThe ferry\\r\\nleaves\\n\\n[chorus]\\nCaf\\u00e9", "[verse]\nThe ferry\nleaves\n\n[chorus]\nCafé"),
    "other line ends": ("[verse]\rThe ferry\u2028leaves", "[verse]\nThe ferry\nleaves"),
    "lrc": ("[ti:Ferry]\n[ar:Nobody]\n[offset:+50]\n[00:12.00]The ferry\n[00:15.30] leaves", "The ferry\nleaves"),
    "lrc with other headers": ("[kana:1]\n[00:10.00]Home\n[chorus: all]\n[00:20.00]The ferry", "Home\n[chorus: all]\nThe ferry"),
    "lrc in order": ("[00:10.00][00:30.00]Home\n[00:20.00]The ferry", "Home\nThe ferry\nHome"),
    "lrc by word": ("[00:12.00] <00:12.00> The <00:12.50> ferry <00:13.00>", "The ferry"),
    "lrc with marks": ("[00:01.00][Chorus]\n[00:02.00]The ferry\n[00:03:50]Home", "[Chorus]\nThe ferry\nHome"),
    "times": ("0:12 The ferry\n0:15 - leaves\n(0:20) Home", "The ferry\nleaves\nHome"),
    "srt": ("1\n00:00:12,000 --> 00:00:15,300\nThe ferry\n\n2\n00:00:16,000 --> 00:00:18,000\nHome\n", "The ferry\nHome"),
    "vtt": ("WEBVTT\n\nNOTE by me\n\nfirst\n00:12.000 --> 00:15.000 align:start\n<v Ana>The ferry</v>\n", "The ferry"),
    "headers": ("Title: Ferry\nArtist: Nobody\n作曲 : 某人\n\n[Verse]\nHome", "[Verse]\nHome"),
    "chords": ("C  G7  Am\n[Am]The ferry [G]leaves [F#m7/C]at nine", "The ferry leaves at nine"),
    "notes": ("♪ The ferry ♪\n🎵 Home", "The ferry\nHome"),
    "rules": ("[Verse]\nThe ferry\n\n---\n\n[Chorus]\nHome", "[Verse]\nThe ferry\n\n[Chorus]\nHome"),
    "round directions": ("(softly)\nThe ferry (crowd cheers)\n（轻声）\nHome (ooh)", "The ferry\nHome (ooh)"),
    "other brackets": ("<whispers>\nThe ferry {laughs}\n_claps_\n(Music)\nHome", "The ferry\nHome"),
    "chord pro": ("{title: Ferry}\n{soc}\n[C]The [G]ferry\n{eoc}\n{c: softly}\nHome", "[Chorus]\nThe ferry\nHome"),
    "starred directions": ("*claps*\nThe ferry *laughs softly*\n*Home*", "The ferry\nHome"),
    "no vocals in a part": ("[no vocals]\n\n[Verse]\nThe ferry", "[inst]\n\n[Verse]\nThe ferry"),
    "repeated line": ("[Verse]\nThe ferry (x2)\nHome x3", "[Verse]\nThe ferry\nThe ferry\nHome\nHome\nHome"),
    "repeated section": ("[Chorus x2]\nA\nB\n\n[Verse]\nC", "[Chorus]\nA\nB\nA\nB\n\n[Verse]\nC"),
    "repeated by name": ("[Chorus]\nA\n\n[Verse]\nB\n\n[Repeat Chorus]", "[Chorus]\nA\n\n[Verse]\nB\n\n[Chorus]\nA"),
}  # fmt: skip


@pytest.mark.parametrize("name", DRESSED)
def test_dressed_lyrics_become_plain_ones_and_a_note_says_so(name: str) -> None:
    text, plain = DRESSED[name]
    sheet = read_lyrics(text)
    assert sheet.text == plain
    assert sheet.notes
    again = read_lyrics(sheet.text)
    assert (again.text, again.notes, again.lines) == (plain, (), sheet.lines)


NAMES = {
    "verse": "Verse Strophe Couplet Estrofa Verso Strofa Куплет Zwrotka 主歌 Aメロ 1절 Stanza Rap",
    "pre-chorus": "Pre-Chorus Prechorus Pré-refrain Pré-refrão Pre-coro Предприпев 导歌 Bメロ 프리코러스",
    "chorus": "Chorus Hook Refrain Estribillo Coro Refrão Ritornello Припев Приспів Refren Refrén Refrein Refräng Nakarat 副歌 サビ "
    "大サビ 후렴 코러스 Post-Chorus",
    "bridge": "Bridge Puente Ponte Pont Brücke Бридж Мост 桥段 ブリッジ 브릿지",
    "intro": "Intro Introducción Introdução Einleitung Вступление Вступ Wstęp 前奏 イントロ 전주",
    "outro": "Outro End Ending Coda Final Fin Schluss Концовка Кінцівка Zakończenie 尾奏 アウトロ 아웃트로",
    "solo": "Solo Interlude Instrumental Interludio Zwischenspiel Проигрыш Соло 间奏 間奏 간주 吉他独奏 ギターソロ",
    "drop": "Drop",
    "break": "Breakdown Break",
    "build": "Build Buildup",
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_section_has_its_kind_in_every_language(kind: str) -> None:
    wrong = {}
    for name in NAMES[kind].split():
        for text in (
            f"[{name}]",
            f"[{name} 2]",
            f"【{name}】",
            f"**[{name.upper()}]**",
            f"[{name}: Ana]",
            f"### {name}",
        ):
            found = [part[1] for part in sections(f"{text}\nla la")]
            if found != [kind] or read_lyrics(text + "\nla la").lines != ("la la",):
                wrong[text] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("mark", "name", "kind"),
    [
        ("[Final Chorus]", "final chorus", "chorus"), ("[Guitar Solo]", "guitar solo", "solo"), ("[End]", "end", "outro"),
        ("[Chorus - whispered]", "chorus", "chorus"), ("[Verse 1: Ana & Ben]", "verse 1", "verse"), ("[Ana: Verse 2]", "verse 2", "verse"),
        ("[Bridge (Instrumental)]", "bridge", "bridge"), ("[Instrumental Bridge]", "instrumental bridge", "bridge"),
        ("[Refrain final]", "refrain final", "chorus"), ("[Puente final]", "final bridge", "bridge"),
        ("[Solo de guitarra]", "guitar solo", "solo"), ("[Последний припев]", "final chorus", "chorus"), ("[VERSE II]", "verse ii", "verse"),
        ("[Build up into the drop]", "build up", "build"), ("[Middle 8]", "middle 8", "bridge"), ("[Coro 2]", "chorus 2", "chorus"),
        ("[Spoken Intro]", "spoken intro", "intro"), ("[Rap Verse]", "rap verse", "verse"), ("[Beat Drop]", "beat drop", "drop"),
        ("[Big Half-time Chorus]", "big half-time chorus", "chorus"), ("[Chorus (x2)]", "chorus", "chorus"),
    ],
)  # fmt: skip
def test_a_section_is_named_by_its_deciding_word(mark: str, name: str, kind: str) -> None:
    assert [part[:2] for part in sections(f"{mark}\nla")] == [(name, kind)]


def test_marks_in_other_languages_are_written_in_english() -> None:
    sheet = read_lyrics("[Estribillo]\na\n[Verso 2: Ana]\nb\n【副歌】\nc\n[Coro final]\nd\n[钢琴独奏]")
    marks = [line for line in sheet.text.split("\n") if line.startswith("[")]
    assert marks == ["[chorus]", "[verse 2: Ana]", "[chorus]", "[final chorus]", "[piano solo]"]
    assert "'[Estribillo]'" in sheet.notes[0]


def test_stage_directions_open_no_section() -> None:
    text = "[Verse]\nOne\n[whispered]\nTwo\n[applause]\n[Anna]\nThree [laughs]\n(softly)\n*claps*"
    sheet = read_lyrics(text)
    assert sections(text) == [("verse", "verse", ("One", "Two", "Three"))]
    assert sheet.directions == ("whispered", "applause", "Anna")
    assert "'[laughs]', '(softly)', '*claps*'" in sheet.notes[0]


@pytest.mark.parametrize(
    "direction",
    ["whispered", "softly", "with feeling", "claps", "crowd cheering", "fade out", "guitar riff", "ad-libs", "a cappella", "spoken word", "female voice", "geflüstert", "chuchoté", "susurrando", "risas", "applausi", "шёпотом", "смех", "пошепки", "szeptem", "低语", "囁くように", "속삭이듯"],
)  # fmt: skip
def test_a_stage_direction_in_round_brackets_or_asterisks_is_not_sung(direction: str) -> None:
    for text in (f"({direction})\nWalk me home", f"Walk me home ({direction})", f"*{direction}*\nWalk me home"):
        assert read_lyrics(text).lines == ("Walk me home",)


@pytest.mark.parametrize(
    "echo", ["ooh ooh", "walk me home", "hey!", "fade away", "one more time", "all together now", "음", "啦啦"]
)
def test_backing_vocals_are_sung(echo: str) -> None:
    for text in (f"Walk me ({echo})", f"Walk me\n({echo})"):
        assert read_lyrics(text).text == text


def test_lyrics_without_marks_have_stanzas() -> None:
    sheet = read_lyrics("One\nTwo\n\n\nThree")
    assert (sheet.stanzas, sheet.sections) == ((("One", "Two"), ("Three",)), ())


def test_lines_before_the_first_mark_are_a_verse() -> None:
    assert sections("One\n[Chorus]\nTwo") == [("verse", "verse", ("One",)), ("chorus", "chorus", ("Two",))]


def test_a_note_names_what_it_is_about_and_stays_short() -> None:
    text = "\n".join(f"[Estribillo {n}]\nla" for n in range(1, 90)) + "\n(whispered softly " + "and softly " * 40 + ")"
    notes = read_lyrics(text).notes
    assert notes[0] == "read as section marks: '[Estribillo 1]', '[Estribillo 2]', '[Estribillo 3]' and 86 more."
    assert max(map(len, notes)) < 200


@pytest.mark.parametrize(
    "text",
    ["[" * 9000, "(a" * 5000, "**a" * 4000, "\\" * 9000, "[00:12.00]" * 900, "[x" * 5000, "<b" * 5000, "a: " * 3000, "- _" * 3000,
     "[verse]\n" + "Walk me home (softly) *claps*\n" * 500],
)  # fmt: skip
def test_hostile_lyrics_are_read_quickly(text: str) -> None:
    began = time.monotonic()
    read_lyrics(text)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("text", "sung"),
    [
        ("Anna: I waited\nBen: I know\nBoth: tonight", ["I waited", "I know", "tonight"]),
        ("ANNA:\nI waited\nBEN:\nI know", ["I waited", "I know"]),
        ("Choir: ah\nHold on", ["ah", "Hold on"]),
        ("\u7537\uff1a\u4f60\u597d\n\u5973\uff1a\u518d\u89c1", ["\u4f60\u597d", "\u518d\u89c1"]),
        ("**He:** stay\n**She:** no", ["stay", "no"]),
        ("[Verse]\nMC Flash: yo\nAnna: hey", ["yo", "hey"]),
    ],
)
def test_names_of_singers_are_not_sung(text, sung):
    sheet = read_lyrics(text)
    assert list(sheet.lines) == sung
    assert "names of singers" in " ".join(sheet.notes)


@pytest.mark.parametrize(
    "text",
    [
        "Monday: I cry\nTuesday: I try", "Roses: red\nViolets: blue", "Dear John: goodbye", "Mary: did you know", "I said: no\nYou said: yes",
        "Man: it's hot out here\nI burn", "God: hear me\nLord: help me",
    ],
)  # fmt: skip
def test_other_words_before_a_colon_are_sung(text):
    sheet = read_lyrics(text)
    assert (sheet.text, sheet.notes) == (text, ())


def test_words_behind_a_section_s_name_and_a_dash_are_sung_in_that_section():
    sheet = read_lyrics("Verse 1 - Hello there\nChorus - Sing it")
    assert [(section.kind, section.lines) for section in sheet.sections] == [
        ("verse", ("Hello there",)),
        ("chorus", ("Sing it",)),
    ]


def test_chords_of_one_letter_with_wide_spaces_are_not_sung():
    assert read_lyrics("C       G\nHello my love").lines == ("Hello my love",)
    assert read_lyrics("A B C\nEasy as one").lines == ("A B C", "Easy as one")
