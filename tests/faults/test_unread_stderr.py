"""A host that starts a server and never reads its stderr: the server answers on, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from bench import load

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")]


@contextmanager
def full_pipe() -> Iterator[int]:
    """The end to write to, of a pipe that nobody reads and that is full already."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 512)
    os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(writing)
        os.close(reading)


@contextmanager
def unheard(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = load.environment(folder) | {"ACESTEP_LOG_LEVEL": "DEBUG"}
    with full_pipe() as stderr:
        process = subprocess.Popen(
            [*load.OURS, *arguments], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
        )
        hung = threading.Timer(60, process.kill)
        hung.start()
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 128 + signal.SIGTERM
        finally:
            hung.cancel()
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                pipe.close()


def test_the_stdio_server_answers_every_line_and_makes_songs(tmp_path):
    with unheard(tmp_path) as process:
        hello = {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": load.HELLO}
        call = {"jsonrpc": "2.0", "id": "song", "method": "tools/call"}
        call["params"] = {"name": "text_to_audio", "arguments": load.SONG}
        wrong = b"[no json\n" * 300  # each is refused, and logged
        process.stdin.write(json.dumps(hello).encode() + b"\n" + wrong + json.dumps(call).encode() + b"\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline())]
        while answers[-1].get("id") != "song":
            answers.append(json.loads(process.stdout.readline()))
    assert sum("error" in answer for answer in answers) == 300
    assert answers[-1]["result"]["structuredContent"]["status"] == "COMPLETED"


@pytest.mark.parametrize("arguments", [("serve", "--http"), ("engine",)])
def test_a_server_of_http_answers(tmp_path, arguments):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with unheard(tmp_path, *arguments, "--port", str(port)) as process:
        while process.poll() is None:
            with suppress(ConnectionRefusedError):
                load.health(("127.0.0.1", port))
                break
            time.sleep(0.05)
        for _ in range(20):
            assert load.health(("127.0.0.1", port)) < 5
