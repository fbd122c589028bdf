"""Lines of the log: what they hold, what they concern, and what they never hold."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
from contextlib import contextmanager

import anyio
import pytest

from acestep_mcp.api import logs


@contextmanager
def logging_as(form, secrets=()):
    """A logger of its own; gives what it has written so far as a function."""
    written, logger = io.StringIO(), logging.Logger("acestep_mcp.somewhere")  # noqa: LOG001 - not the shared one
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.LogLine(form, secrets))
    logger.addHandler(handler)
    yield logger, written.getvalue


def test_a_line_of_json_has_the_time_the_place_and_the_message():
    with logging_as("json") as (logger, written):
        logger.warning("job %s: ümlaut", "j")
    line = json.loads(written())
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "WARNING", "logger": "acestep_mcp.somewhere", "message": "job j: ümlaut"}


def test_text_is_as_it_was():
    with logging_as("text") as (logger, written):
        logger.warning("job %s", "j")
    assert written().endswith(" WARNING acestep_mcp.somewhere: job j\n")


@pytest.mark.anyio
async def test_ids_follow_into_threads_and_tasks_and_end_with_their_block():
    with logging_as("json") as (logger, written):
        logs.concern(call_id=3)
        with logs.concerning(job_id="a", request_id=None):
            logger.info("1")
            await anyio.to_thread.run_sync(logger.info, "2")
            async with anyio.create_task_group() as tasks:

                async def task():
                    logs.concern(request_id="r" * 500)
                    logger.info("3")

                tasks.start_soon(task)
            logger.info("4")
        logger.info("5", extra={"request_id": "other"})
    lines = [json.loads(line) for line in written().splitlines()]
    ids = [{name: value for name, value in line.items() if name in logs.IDS} for line in lines]
    inside = {"call_id": "3", "job_id": "a"}
    assert ids == [inside, inside, inside | {"request_id": "r" * 100}, inside, {"call_id": "3", "request_id": "other"}]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_line_contains_a_secret_or_a_control_character(form):
    secret = 'key-of-"mine'
    with logging_as(form, [secret, "", "x"]) as (logger, written):
        try:
            int(f"{secret}\x1b[2J")
        except ValueError:
            logger.exception("a host said %s\r\n2026 ERROR forged\x9b\u202e\ud800", secret)
    out = written()
    assert "mine" not in out
    assert out.count("[hidden]") == 2
    assert not {"\r", "\x9b", "\u202e", "\ud800"} & set(out)
    assert not any(line.startswith("2026 ERROR forged") for line in out.splitlines())
    if form == "json":
        [line] = [json.loads(line) for line in out.splitlines()]
        assert "Traceback" in line["exception"]
        assert "\x1b" not in out


@contextmanager
def unconfigured(monkeypatch):
    """The root logger as a program finds it."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        logging.captureWarnings(capture=False)


def test_uncaught_exceptions_are_lines_too(monkeypatch, capsys):
    def fails():
        raise RuntimeError("secret-key")

    with unconfigured(monkeypatch):
        logs.configure("INFO", "json", ["secret-key"])
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
        logs.configure("DEBUG", "text")  # what is set up stays
        assert logs.is_json()
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["message"]) == ("CRITICAL", "uncaught RuntimeError")
    assert "RuntimeError: [hidden]" in line["exception"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_neither_half_of_a_key_nor_another_spelling_of_it_is_in_a_line(form):
    with logging_as(form, ["kid:s3cret/of+fal"]) as (logger, written):
        logger.warning("it answered %s and %s", "s3cret/of+fal", "KID%3AS3CRET%2FOF%2BFAL")
    assert "s3cret" not in written().casefold()


def test_a_traceback_sends_no_control_character_to_a_terminal():
    with logging_as("text") as (logger, written):
        try:
            int("\x1b[2J\x9b")
        except ValueError:
            logger.exception("a host said \x1b]0;x\x07")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", written())


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("said", "written_as"),
    [
        ("POST https://h.example:8/cb?token=s3cret&a=1 failed", "POST https://h.example:8/cb?[hidden] failed"),
        ("at 'HTTPS://me:s3cret@h.example/x'", "at 'HTTPS://[hidden]@h.example/x'"),
        ("(http://[::1]:80/?s3cret)", "(http://[::1]:80/?[hidden]"),
        ("served at http://127.0.0.1:8766/mcp. Ready?", "served at http://127.0.0.1:8766/mcp. Ready?"),
    ],
)
def test_an_address_is_logged_without_what_lets_others_use_it(form, said, written_as):
    with logging_as(form) as (logger, written):
        logger.warning("%s", said)
    assert "s3cret" not in written()
    assert written_as in written()
