import pytest

from acestep_mcp.engines.draft.syllables import syllables


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Walking through the neon light", 7),
        ("I loved the wishes and the places", 9),
        ("Every little table, people", 8),
        ("walked wanted changes horses", 7),
        ("beautiful idea, created fire", 10),
        ("桜の花が咲いている", 9),
        ("きょう", 2),
        ("사랑해요", 4),
        ("我爱你中国", 5),
        ("Я люблю тебя", 5),
        ("Corazón de melón", 6),
        ("Über die Brücke", 5),
        ("Σε αγαπώ", 4),
        ("C'est la vie", 3),
        ("", 0),
        ("... !!", 0),
        ("♪ la ♪ la", 2),
    ],
)
def test_a_line_has_its_syllables(line: str, count: int):
    assert len(syllables(line)) == count


@pytest.mark.parametrize("line", ["مرحبا بالعالم", "नमस्ते दुनिया", "שלום עולם", "สวัสดี", "გამარჯობა", "123 45"])
def test_other_scripts_get_about_a_syllable_per_two_letters(line: str):
    letters = sum(character.isalnum() for character in line)
    assert letters / 3 <= len(syllables(line)) <= letters


def test_word_starts_and_commas_are_marked():
    found = syllables("Hello, world")
    assert [(one.starts_word, one.pause) for one in found] == [(True, False), (False, True), (True, False)]
