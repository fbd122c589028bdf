import pytest

from acestep_mcp.api.errors import NotFound
from acestep_mcp.api.text import all_encodable, decode_text, encodable


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_text_is_read_in_any_unicode_encoding_with_and_without_a_mark(encoding, mark):
    text = mark if not encoding.endswith(("-sig", "16", "32")) else ""
    assert decode_text((text + '{"title": "Für Oma"}').encode(encoding)) == '{"title": "Für Oma"}'
    assert decode_text("a".encode(encoding)) == "a"


def test_text_in_no_unicode_encoding_is_refused():
    with pytest.raises(UnicodeDecodeError):
        decode_text("Für Oma".encode("latin-1"))


def test_half_a_surrogate_pair_becomes_a_question_mark_wherever_it_is():
    assert encodable("song \udcff ü 桜 😀") == "song ? ü 桜 😀"
    data = {"a\ud800": ["x\udfff", 1, None, {"b": "\ud83d"}]}
    assert all_encodable(data) == {"a?": ["x?", 1, None, {"b": "?"}]}


def test_the_message_of_an_error_can_always_be_sent():
    assert NotFound("no \udcff").message == "no ?"
