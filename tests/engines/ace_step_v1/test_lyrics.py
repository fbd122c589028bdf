"""Token ids of lyrics: equal to the recorded ones, and valid for any text."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1.lyrics import LyricTokenizer
from acestep_mcp.engines.ace_step_v1.lyrics.cleaning import clean
from acestep_mcp.engines.model import language

PACKAGES = ("tokenizers", "num2words", "pypinyin", "cutlet", "unidic_lite", "hangul_romanize", "py3langid")
MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"acestep-mcp[engine] is not installed: no {', '.join(MISSING)}")

VOCABULARY = os.environ.get("ACESTEP_LYRIC_VOCAB")  # gone while a test runs
RECORDED = json.loads((Path(__file__).parent / "numbers" / "lyrics.json").read_text(encoding="utf-8"))
LINES = [case for case in RECORDED["lines"] if case["lang"]]
IN_SONG = [case for case in RECORDED["lines"] if not case.get("language_forced")]


@pytest.fixture(scope="module")
def lyrics() -> LyricTokenizer:
    if VOCABULARY is None:
        pytest.skip("ACESTEP_LYRIC_VOCAB does not name the model's vocab.json, which may not be distributed here")
    return LyricTokenizer(Path(VOCABULARY))


def named(case: dict) -> str:
    return f"{case['lang']}-{case['line'][:20].encode('unicode_escape').decode()}"


@pytest.mark.parametrize("case", LINES, ids=named)
def test_a_line_is_cleaned_as_it_was_recorded(case: dict) -> None:
    assert LyricTokenizer(Path("none")).clean(case["line"], case["lang"]) == case["text"]


def test_every_recorded_line_has_its_recorded_ids(lyrics: LyricTokenizer) -> None:
    assert [lyrics.line_ids(case["line"], case["lang"]) for case in LINES] == [case["ids"] for case in LINES]


def test_a_whole_song_has_its_recorded_ids(lyrics: LyricTokenizer) -> None:
    languages = [case["lang"] or "en" for case in IN_SONG]
    assert lyrics.ids(RECORDED["full_text"], languages) == RECORDED["full_ids"]


def test_languages_are_detected_if_none_are_given(lyrics: LyricTokenizer) -> None:
    text = "[verse]\nJe t'aime à la folie\n\n사랑해 너만을 영원히\r\n"
    assert lyrics.ids(text) == lyrics.ids(text, ["en", "fr", "fr", "ko", "ko"])
    assert lyrics.ids("") == [261, 2]


def test_no_vocals_are_the_mark_that_the_vocabulary_has(lyrics: LyricTokenizer) -> None:
    assert lyrics.ids("[inst]") == [261, 259, 6688, 2]
    assert lyrics.ids("[Instrumental]") == [261, 259, 6688, 2]
    assert lyrics.ids("[verse]\n[instrumental]") == [261, 259, 6683, 2, 259, 6688, 2]


def test_words_behind_a_tag_are_read_as_if_on_a_line_of_their_own_unless_they_are_english(
    lyrics: LyricTokenizer,
) -> None:
    apart = lyrics.ids("[intro] [verse]\n我在这里等你\nje t'aime à la folie")
    assert lyrics.ids("[intro] [verse] 我在这里等你\nje t'aime à la folie") == apart
    assert lyrics.line_ids("[Verse] Hello", "en") == [259, 6683, 2, 62, 84, 28]
    assert lyrics.line_ids("我在这里等你 [chorus] 你好", "zh") == [
        *lyrics.line_ids("我在这里等你", "zh"), 2, 259, 6684, 2, *lyrics.line_ids("你好", "zh")
    ]  # fmt: skip
    assert LyricTokenizer(Path("none")).clean("[verse] 我在这里等你", "zh") == "[verse] wo3zai4zhe4li3deng3ni3"


def test_letters_that_the_vocabulary_lacks_are_named_once_each(lyrics: LyricTokenizer) -> None:
    assert lyrics.unknown_letters("[verse]\nสวัสดี สวัสดี\nשלום, hello!") == "สวัดีשלום"
    sung = "[verse]\nnaïve café — “œuvre” … 20€\nzwölf Komma, 2,5 °\n我在这里等你\n夜の街タワー\nЁлка\nحب\nप्यार\n사랑"
    assert lyrics.unknown_letters(sung) == ""


@pytest.mark.parametrize(
    ("code", "line", "cleaned"),
    [
        ("en", "I have $20 and €1", "i have twenty dollars and one euro"),
        ("en", "the 22nd of 1,000 nights", "the twenty-second of one thousand nights"),
        ("en", "mr. Co. stop. m. st", "mister company stop. m. st"),
        ("de", "1.000.000 Sterne, 2,5 Meter", "eine Million sterne, zwei Komma fünf meter"),
        ("de", "Ich war 17.", "ich war siebzehn."),
        ("fr", "la 2e fois, le 1er jour", "la deuxième fois, le premier jour"),
        ("nl", "de 3e keer", "de derde keer"),
        ("ru", "2-й день", "второй день"),
        ("pl", "£20", "funt dwadzieścia"),
        ("tr", "İki 3. GÜN", "iki üçüncü gün"),
        ("hi", "3 रातें & 5%", "3 रातें & 5%"),
        ("ja", "3 Stars", "3 stars"),
        ("ja", "カメラ", "camera"),
        ("ja", '彼は"さよなら"と言った', 'kare wa " sayonara " to itta'),
        ("en", "20€ or 5.50$", "twenty euro or five dollars, fifty cents"),
        ("en", "the 2.5 of it, the 5th", "the two point five of it, the fifth"),
        ("pl", "1st, 2. dzień", "pierwszy, dwa. dzień"),
        ("tr", "7,5 lira", "yedi,beş lira"),
        ("ko", "3번째 밤", "se beon-jjae bam"),
        ("ko", "3개와 100번", "3gae-wa 100beon"),
        ("hu", "3,14159 és 2", "3,14159 és 2"),
        ("ar", "٣ نجوم", "ثلاثة نجوم"),
        ("fr", "cafe\u0301 \u00a0 \t noir", "café noir"),
        ("ko", "\u1109\u1161\u1105\u1161\u11bc", "salang"),
        ("en", "7" * 16, "7" * 16),
    ],
)
def test_numbers_and_symbols_are_spelt_out(code: str, line: str, cleaned: str) -> None:
    assert clean(line, code) == cleaned


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        ("0, 10, 14, 105", "ling2, shi2, shi2si4, yi4bai3ling2wu3"),
        ("20010步 20010", "er4ling2ling2yi1ling2bu4 er4ling2ling2yi1ling2"),
        ("20010个 2200张 120000元", "liang3wan4ling2yi1shi2ge4 liang3qian1liang3bai3zhang1 shi2er4wan4yuan2"),
        ("222块 1002年 5000亿", "liang3bai3er4shi2er4kuai4 yi1qian1ling2er4nian2 wu3qian1yi4"),
        ("1999年 98年2月14日", "yi1jiu3jiu3jiu3nian2 jiu3ba1nian2er4yue4shi2si4ri4"),
        ("3.14 0.5秒 1/3 50%", "san1dian3yi1si4 ling2dian3wu3miao3 san1fen1zhi1yi1 bai3fen1zhi1wu3shi2"),
        (
            "+86 13812345678 010-12345678",
            "ba1liu4yi1san1ba1yi1er4san1si4wu3liu4qi1ba1 ling2yi1ling2yi1er4san1si4wu3liu4qi1ba1",
        ),
        ("007 b2b 3:2", "ling2qi1 b2b san1,er4"),
        ("《a》！（b）“c”……~d—e·f", ",a,,,b,,c,,,,d,e,f"),
        ("票价100$", "piao4jia4yi4bai3"),
    ],
)
def test_each_kind_of_chinese_number_has_its_reading(line: str, cleaned: str) -> None:
    assert clean(line, "zh") == cleaned


HARD = ("[", "]", '"', "$", "€", "1", ".", ",", "°", "%", "\x00", "\ud834", "é", "\u0301", "İ", "漢", "か", "한", "ك", "ह",
        "Ж", "😀", "\u200d", "\u2028", " ", "st", "3", "年", "\U00020000", "-", "\ufeff", "𝟘", "٣", "²", "½", "\r", "\n")  # fmt: skip


def test_any_line_can_be_cleaned() -> None:
    generator = random.Random(4)
    for _ in range(150):
        line = "".join(generator.choices(HARD, k=generator.randint(0, 40)))
        for code in {*language.detect([line]), generator.choice(language.LANGUAGES)}:
            assert clean(line, code).encode("utf-8").strip() == clean(line, code).encode("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[" * 20_000, "9" * 20_000, "123,456.78 " * 1_800, "\ud800a" * 10_000, "夜" * 20_000])
def test_twenty_thousand_characters_have_ids(lyrics: LyricTokenizer, text: str) -> None:
    assert lyrics.ids(text)[0] == 261
    assert lyrics.ids(text)[-1] == 2


@pytest.mark.parametrize("content", [None, "", '{"model": {"vocab"', '{"model": {"vocab": {"[START]": 7}}}', "[]"])
def test_an_invalid_vocabulary_is_named_in_the_error(content: str | None, tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocab.json"
    if content is not None:
        vocabulary.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="vocab.json"):
        LyricTokenizer(vocabulary).line_ids("hello", "en")


LATE_IMPORT = """
import sys
from acestep_mcp.engines.ace_step_v1.lyrics import language
from acestep_mcp.engines.ace_step_v1.lyrics.cleaning import clean
line = "The rain on my window, the light on your face"
assert clean(line, *language.detect([line])) == line.lower()
loaded = {"num2words", "pypinyin", "cutlet", "fugashi", "hangul_romanize", "torch"} & set(sys.modules)
assert not loaded, loaded
sys.modules["cutlet"] = None
try:
    clean("夜の街", "ja")
except Exception as exc:
    print(type(exc).__name__, exc)
"""


@pytest.mark.slow
def test_a_package_is_imported_by_the_first_line_that_needs_it_or_its_absence_is_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE_IMPORT],
        capture_output=True, text=True, encoding="utf-8", timeout=50, check=False, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ConfigurationError")
    assert "pip install 'acestep-mcp[engine]'" in done.stdout
