"""What is written to a stderr that nobody reads holds nobody up, and is there for who reads it later."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import time

import pytest

from acestep_mcp.api import logs, unread_stderr
from acestep_mcp.api.unread_stderr import UnreadStderr


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    stream = open(writing, "w", encoding="utf-8")  # noqa: SIM115 - closed below
    yield reading, stream
    os.close(reading)  # which ends a write that waits
    stream.close()


def read_until(reading, end):
    got = b""
    while not got.endswith(end):
        got += os.read(reading, 1 << 16)
    return got


def test_no_line_waits_for_a_reader_and_those_that_fit_arrive_whole_with_the_count_of_the_others(pipe):
    reading, stream = pipe
    lines = logs.LogLine("json")
    unread = UnreadStderr(stream, lines.left_out, most_bytes=200_000)
    handler = logging.StreamHandler(unread)
    handler.setFormatter(lines)
    logger = logging.Logger("somewhere")  # noqa: LOG001 - not the shared one
    logger.addHandler(handler)
    for number in range(5000):
        logger.warning("%d %s", number, "x" * 100)
    assert not unread.drain(0.01)
    got = b"".join(os.read(reading, 1 << 16) for _ in range(3))  # makes room for more
    logger.warning("ümlaut")
    got += read_until(reading, b'mlaut"}\n')
    said = [json.loads(line)["message"] for line in got.splitlines()]
    assert said.pop() == "ümlaut"
    number = 0
    for line in said:
        missing = re.fullmatch("([0-9]+) lines were left out here: nobody read stderr for a while", line)
        assert missing or line == f"{number} {'x' * 100}"
        number += int(missing[1]) if missing else 1
    assert number == 5000
    assert 1000 < len(said) < 4000
    assert unread.drain(5)


def test_a_pipe_that_its_reader_made_non_blocking_is_waited_for(pipe):
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)
    unread = UnreadStderr(stream, str)
    unread.write("x" * 300_000 + "\n")
    assert len(read_until(reading, b"\n")) == 300_001


def test_a_reader_that_has_gone_is_not_waited_for(pipe):
    reading, stream = pipe
    unread = UnreadStderr(stream, str)
    unread.write("x" * 300_000)
    other = os.open(os.devnull, os.O_RDONLY)
    os.dup2(other, reading)  # the pipe has no reader any more
    os.close(other)
    assert unread.drain(5)
    unread.write("more")
    assert unread.drain(5)


def test_a_file_and_a_stream_of_a_test_stay_as_they_are(tmp_path, monkeypatch, pipe):
    with (tmp_path / "log").open("w") as file:
        for stream in (file, io.StringIO(), None):
            monkeypatch.setattr("sys.stderr", stream)
            unread_stderr.install(str)
            assert unread_stderr.sys.stderr is stream
            unread_stderr.drain()
    monkeypatch.setattr("sys.stderr", pipe[1])
    unread_stderr.install(str)
    installed = unread_stderr.sys.stderr
    unread_stderr.install(str)
    assert isinstance(installed, UnreadStderr)
    assert unread_stderr.sys.stderr is installed
    assert (installed.isatty(), installed.encoding, installed.fileno()) == (False, "utf-8", pipe[1].fileno())
    began = time.monotonic()
    unread_stderr.drain()
    assert time.monotonic() - began < 1
