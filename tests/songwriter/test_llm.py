# ruff: noqa: RUF001 - letters of other scripts are what is tested
"""A language model's answer becomes tags and lyrics that ACE-Step can use, or an error."""

from __future__ import annotations

import json
import time

import anyio
import pytest

from acestep_mcp.api.errors import GenerationFailed, QueueError
from acestep_mcp.api.requests import INSTRUMENTAL, TextToAudio
from acestep_mcp.songwriter.brief import Brief, read_brief
from acestep_mcp.songwriter.llm import chat_messages, parse_answer
from acestep_mcp.songwriter.song_text import SongText
from acestep_mcp.songwriter.structure import sung_lines
from acestep_mcp.songwriter.writer import write_by_rules, write_with_model

LYRICS = "[verse]\nSalt on the window\nSalt on my skin\n\n[chorus]\nThe ocean comes in"
SONG = {"tags": "trip hop, sad, female voice, 84 bpm", "lyrics": LYRICS}
SEA = "a sad song about the sea, trip hop"


def parse(answer: object, prompt: str = SEA, duration: float = 60) -> tuple[str, str, tuple[str, ...]]:
    return parse_answer(answer if isinstance(answer, str) else json.dumps(answer), read_brief(prompt), duration)


def lyrics(text: object, prompt: str = SEA, duration: float = 60) -> str:
    return parse(SONG | {"lyrics": text}, prompt, duration)[1]


JSON = json.dumps(SONG)


@pytest.mark.parametrize(
    "answer",
    [
        JSON,
        f"```json\n{JSON}\n```",
        f"Here is your song:\n\n{JSON}\n\nEnjoy!",
        f"<think>The request {{is}} sad. Perhaps {json.dumps({'tags': 'happy', 'lyrics': 'x'})}?</think>\n{JSON}",
        f"Reasoning: first {json.dumps({'tags': 'draft', 'lyrics': 'x'})}, better:\n{JSON}",
        json.dumps({"song": SONG}),
        JSON.replace("\\n", "\n"),
        JSON.replace("\\n", "\\\\n"),
        json.dumps({"tags": SONG["tags"].split(", "), "lyrics": LYRICS.split("\n"), "title": "Salt"}),
        "{" * 300 + JSON,
    ],
    ids=["plain", "fence", "talk", "think", "draft", "nested", "bare lines", "escaped twice", "lists", "braces"],
)
def test_the_object_is_found_in_any_surrounding_text(answer):
    assert parse(answer) == (SONG["tags"], LYRICS, ())


@pytest.mark.parametrize(
    "answer",
    ["", "I cannot do that.", "[]", "7", "null", '{"tags": "x"', {}, {"tags": "x"}, {"lyrics": "x"}, {"tags": "", "lyrics": "x"},
     {"tags": 7, "lyrics": "x"}, {"tags": "x", "lyrics": 7}, {"tags": ["x", 7], "lyrics": "x"}, {"tags": "[],#", "lyrics": "x"},
     {"tags": "x", "lyrics": {"verse": "y"}}, '{"tags": "x", "lyrics": "' + "9" * 70_000],
)  # fmt: skip
def test_an_unusable_answer_is_an_error_that_says_what_to_do(answer):
    with pytest.raises(GenerationFailed, match="ACESTEP_LLM_MODEL"):
        parse(answer)


@pytest.mark.parametrize("answer", ["{" * 65_536, '{"a":' * 13_000, '[{"' * 20_000, '{"tags": ' + "[" * 60_000])
def test_a_malicious_answer_is_parsed_quickly(answer):
    began = time.monotonic()
    with pytest.raises(GenerationFailed):
        parse(answer)
    assert time.monotonic() - began < 5


def test_tags_are_cleaned_deduplicated_and_limited():
    parsed = parse(
        SONG
        | {"tags": "[Lo-Fi], lo-fi; **warm**\nmellow piano.\t, , x" + "y" * 80 + "".join(f", t{n}" for n in range(40))}
    )
    tags = parsed[0].split(", ")
    assert tags[:4] == ["lo-fi", "warm", "mellow piano", "t0"]
    assert len(tags) == 19


def test_a_tempo_and_a_key_in_the_prompt_are_kept():
    prompt = "a folk song about home at 92 bpm in F# minor"
    tags = parse(SONG, prompt)[0]
    assert "92 bpm" in tags
    assert "84 bpm" not in tags
    assert read_brief(prompt).key.casefold() in tags.casefold()


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("[Verse 1]", "verse"), ("[CHORUS x2]", "chorus"), ("**Chorus:**", "chorus"), ("(Chorus)", "chorus"), ("## [Bridge]", "bridge"),
        ("Verse 2:", "verse"), ("[Pre-Chorus]", "pre-chorus"), ("[Hook]", "chorus"), ("[Final Chorus - softer]", "chorus"),
        ("[Refrain]", "chorus"), ("[Guitar Solo]", "inst"), ("[Outro: fade]", "outro"), ("[Strophe 1]", "verse"), ("[副歌]", "chorus"),
    ],
)  # fmt: skip
def test_a_section_mark_in_any_notation_becomes_one_that_ace_step_knows(line, mark):
    marks = [mark] if mark != "inst" else ["inst", "verse"]
    assert lyrics(f"{line}\n" + ("[verse]\n" if mark == "inst" else "") + "Salt on my skin") == "\n\n".join(
        f"[{name}]" if name == "inst" else f"[{name}]\nSalt on my skin" for name in marks
    )


@pytest.mark.parametrize(
    "line", ["(ooh ooh)", "She said: go", "- Salt on my skin", "*Salt* on my skin", "Chorus of the sea"]
)
def test_a_line_that_is_not_a_mark_is_sung_without_its_markup(line):
    assert lyrics(f"[verse]\n{line}").split("\n")[1] == line.replace("*", "").removeprefix("- ")


def test_unknown_marks_and_empty_sections_are_left_out():
    assert lyrics("[Verse]\n[softly]\nSalt\n\n[Chorus]\n\n[Outro]") == "[verse]\nSalt\n\n[outro]"


def test_lyrics_without_marks_get_them_and_a_repeated_stanza_is_the_chorus():
    assert (
        lyrics("One\nTwo\n\nSalt\n\nThree\n\nSalt")
        == "[verse]\nOne\nTwo\n\n[chorus]\nSalt\n\n[verse]\nThree\n\n[chorus]\nSalt"
    )


def test_lines_before_the_first_mark_are_a_verse():
    assert lyrics("One\n[Chorus]\nSalt") == "[verse]\nOne\n\n[chorus]\nSalt"


def test_only_characters_allowed_in_a_request_remain():
    text = lyrics("[verse]\nSalt\ud800 \u0000on\u202e my\u3000skin\tnow\r\n海 می\u200cخواهم " + "x" * 500)
    assert text.split("\n")[1] == "Salt on my skin now"
    assert text.split("\n")[2] == "海 می\u200cخواهم"
    TextToAudio(tags="x", lyrics=text)


@pytest.mark.parametrize("duration", [5, 20, 60, 240])
@pytest.mark.parametrize("rapped", [False, True])
def test_lines_that_do_not_fit_the_length_are_left_out_with_a_note(duration, rapped):
    text = "\n".join(f"[verse]\nline {n} one\nline {n} two\nline {n} three\nline {n} four" for n in range(60))
    _, kept, notes = parse({"tags": "rap, 90 bpm" if rapped else "pop", "lyrics": text}, duration=duration)
    count = len(sung_lines(kept))
    assert duration / (4 if rapped else 9) <= count <= duration / (3 if rapped else 5) + 3
    assert "240 lines" in notes[0]
    assert f"{count} of them" in notes[0]
    assert kept.startswith("[verse]\nline 0 one")


@pytest.mark.parametrize("text", ["", "[inst]", "[Instrumental]", "[intro]\n\n[outro]"])
def test_a_model_may_choose_an_instrumental(text):
    tags, kept, _ = parse(SONG | {"lyrics": text})
    assert kept == INSTRUMENTAL
    assert tags == "trip hop, sad, 84 bpm"


def test_an_instrumental_prompt_has_no_lyrics_whatever_the_model_writes():
    assert parse(SONG, "an instrumental about the sea, no vocals")[1] == INSTRUMENTAL


def test_lyrics_in_the_prompt_do_not_change():
    prompt = "folk.\nLyrics:\n[verse]\nMy own words\nLeft alone"
    assert lyrics("[verse]\nOthers", prompt) == "[verse]\nMy own words\nLeft alone"
    assert "exist already" in chat_messages(prompt, read_brief(prompt), 60)[1]["content"]


def test_a_quoted_line_is_sung_even_if_the_model_leaves_it_out():
    prompt = 'a pop song that says "the kettle is on again"'
    assert "[chorus]\nthe kettle is on again" in lyrics(LYRICS, prompt)
    assert lyrics("[chorus]\nThe kettle is on, again!", prompt) == "[chorus]\nThe kettle is on, again!"


def test_the_messages_say_how_many_lines_fit_and_stay_short():
    [system, user] = chat_messages("x" * 100_000, read_brief(SEA), 60)
    assert "7 to 12 sung lines, or 15 to 18 rapped ones" in user["content"]
    assert len(user["content"]) < 9000
    assert '"tags"' in system["content"]
    assert "No vocals: the lyrics" in chat_messages("x", read_brief("an instrumental, no vocals"), 60)[1]["content"]


def written(ask, prompt: str = SEA, *, instrumental: bool = False) -> SongText:
    async def run() -> SongText:
        return await write_with_model(ask, "small-model", prompt, instrumental=instrumental, duration=60, seed=7)

    return anyio.run(run)


def test_the_song_text_names_the_model_that_wrote_it():
    async def ask(messages: list[dict[str, str]], seed: int) -> str:
        assert (messages[1]["content"].endswith(SEA), seed) == (True, 7)
        return JSON

    assert written(ask) == SongText(SONG["tags"], LYRICS, "small-model")
    assert written(lambda *_: ask(*_), instrumental=True, prompt=SEA).lyrics == INSTRUMENTAL


def test_if_the_model_fails_the_rules_write_and_a_note_says_why():
    async def down(messages: list[dict[str, str]], seed: int) -> str:
        raise QueueError("Nothing listens there. Start it.")

    async def silly(messages: list[dict[str, str]], seed: int) -> str:
        return "no"

    ruled = write_by_rules(SEA, instrumental=False, duration=60, seed=7)
    for ask, why in ((down, "Nothing listens there. Start it."), (silly, "JSON object")):
        parsed = written(ask)
        assert (parsed.tags, parsed.lyrics, parsed.writer) == (ruled.tags, ruled.lyrics, "rules")
        assert "not the language model small-model" in parsed.notes[0]
        assert why in parsed.notes[0]
        assert parsed.notes[1:] == ruled.notes


def test_an_answer_can_be_parsed_for_any_prompt():
    for prompt in ("", " ", "海", "x" * 9000, '"""', "lyrics:", "[inst]"):
        assert isinstance(read_brief(prompt), Brief)
        assert parse(SONG, prompt)[0]
