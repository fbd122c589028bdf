from acestep_mcp.api.errors import NotFound
from acestep_mcp.api.text import all_encodable, encodable


def test_half_a_surrogate_pair_becomes_a_question_mark_wherever_it_is():
    assert encodable("song \udcff ü 桜 😀") == "song ? ü 桜 😀"
    data = {"a\ud800": ["x\udfff", 1, None, {"b": "\ud83d"}]}
    assert all_encodable(data) == {"a?": ["x?", 1, None, {"b": "?"}]}


def test_the_message_of_an_error_can_always_be_sent():
    assert NotFound("no \udcff").message == "no ?"
