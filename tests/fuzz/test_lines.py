"""Raw lines on stdin, before and after `initialize`: each is answered, none is a bug, none ends the server."""

from __future__ import annotations

import json

import pytest

from tests.fuzz.raw_lines import META, Line, check, lines, pipe

pytestmark = pytest.mark.process
LINES = 100
"""`python bench/fuzz.py lines 10000` is the long form."""


def test_every_line_is_answered_and_none_ends_the_server(tmp_path):
    with pipe(tmp_path) as server:
        for line in lines(LINES, seed=7):
            check(line, server.exchange(line, f"after {line.id}"))


def test_requests_of_one_id_are_each_answered(tmp_path):
    request = {"jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {"_meta": META}}
    with pipe(tmp_path) as server:
        for _ in range(20):
            server.send(json.dumps(request).encode())
        answers = server.answers()
        assert [next(answers)["id"] for _ in range(20)] == [5] * 20


def test_a_check_fails_for_silence_and_for_a_bug():
    line = Line(b'{"jsonrpc":"2.0","id":1,"method":"ping"}', 1)
    with pytest.raises(AssertionError, match="silence"):
        check(line, [])
    with pytest.raises(AssertionError, match="a bug"):
        check(line, [{"jsonrpc": "2.0", "id": 1, "result": {"text": "a bug in acestep-mcp"}}])
