"""Keys in texts that others wrote: none of them is passed on."""

from __future__ import annotations

import pytest

from acestep_mcp.api.redaction import redaction

KEY = "kid-1:a/b+secret=="


@pytest.mark.parametrize(
    "echoed",
    [
        KEY,
        KEY.upper(),
        "a/b+secret==",
        "kid-1%3Aa%2Fb%2Bsecret%3D%3D",
        "a%2fb%2bsecret%3d%3d",
        f"x{KEY}y",
        r"a\/b\u002bsecret\u003D=",
        r"a\\/b\\u002bsecret==",
    ],
)
def test_a_key_is_replaced_in_every_way_it_is_written(echoed):
    clean = redaction(KEY, None, "")(f"before {echoed} after")
    assert "secret" not in clean.casefold()
    assert clean.startswith("before ") and clean.endswith(" after")


@pytest.mark.parametrize("key", ["anything", "ollama", "abc", "", None])
def test_a_word_that_stands_for_no_key_stays_in_lyrics(key):
    text = "give me anything, abc, ollama"
    assert redaction(key, word=20)(text) == text


def test_many_backslashes_take_no_long_time():
    text = "\\" * 300_000
    assert redaction(KEY)(text) == text
