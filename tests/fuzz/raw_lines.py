"""Lines for a server's stdin: JSON-RPC that is right, odd, hostile or broken, each with an id of its own where that can be."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from acestep_mcp.server.tools.table import TOOLS
from tests.fuzz.arguments import KEPT

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
RAW_VALUES = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-0", "0.1e-999", "1" * 400, "1" * 5000, "01", "+1", ".5", "0x10", "tru", "null",
    "true", "''", '"\\ud83d"', '"\\ud83d\\ude00"', '"\\udc00x"', '"\\u0000"', '"\\x"', '"a\tb"', '"\x00"', '"', "[", "{", "[" * 150 + "]" * 150,
    "[" * 100_000 + "]" * 100_000, '{"a":' * 150 + "1" + "}" * 150, '{"a":1,"a":2}', f'"{"x" * 2**20}"', "[1,]", "/**/1", '"\\u202e"', "{}", "[]",
)  # fmt: skip
"""As they stand in a line in the place of a value; many are not JSON."""
METHODS = (
    "tools/call", "tools/list", "ping", "initialize", "server/discover", "resources/list", "resources/read", "prompts/get", "prompts/list",
    "completion/complete", "logging/setLevel", "notifications/cancelled", "notifications/initialized", "notifications/progress", "rpc.discover",
    "", "tools/call ", "TOOLS/CALL", "__init__", "subscriptions/listen",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    content: bytes
    id: int
    """That an answer has if the server could read it."""


def lines(count: int, seed: int) -> Iterator[Line]:
    chance = random.Random(seed)
    for number in range(count):
        yield Line(_line(1000 + number, chance).replace(b"\n", b" ").replace(b"\r", b" "), 1000 + number)


def _line(number: int, chance: random.Random) -> bytes:
    how = chance.random()
    if how < 0.45:
        return _call(number, chance).encode()
    if how < 0.7:
        return _message(number, chance).encode()
    whole = chance.choice([_call, _message])(number, chance).encode()
    if how < 0.78:
        return whole[: chance.randrange(1, len(whole))]
    if how < 0.86:
        return b"[" + whole + b"," + whole + b"]"
    if how < 0.93:
        at = chance.randrange(len(whole))
        return (
            whole[:at]
            + chance.choice([b"\xff", b"\xed\xa0\xbd", b"\0", b"\xef\xbb\xbf", b"}", b'"', b"\\", b"\t"])
            + whole[at:]
        )
    return chance.choice(
        [
            whole + whole,
            b"\xef\xbb\xbf" + whole,
            b"  " + whole + b"  ",
            whole.decode().encode("utf-16-le"),
            b"// " + whole,
        ]
    )


def _call(number: int, chance: random.Random) -> str:
    """A tool with one odd raw value, with or without what else it needs."""
    tool = chance.choice(TOOLS)
    schema = tool.entry().input_schema
    given = {
        name: json.dumps(_usual(name, part))
        for name, part in schema["properties"].items()
        if name in schema.get("required", [])
    }
    names = [*schema["properties"], "unknown", "\u202e", "a" * 5000]
    for _ in range(chance.choice([0, 1, 1, 2])):
        given[chance.choice(names)] = chance.choice(RAW_VALUES)
    arguments = ",".join(f"{json.dumps(name)}:{value}" for name, value in given.items())
    params = f'{{"name":"{tool.name}","arguments":{{{arguments}}}{_meta(chance)}}}'
    return f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{params}}}'


def _usual(name: str, schema: dict) -> object:
    usual = {"string": KEPT, "integer": 1, "number": 5, "boolean": False, "array": [KEPT, "other"], "object": {}}
    return "wav" if name == "format" else [] if name == "sections" else usual[schema.get("type", "string")]


def _meta(chance: random.Random) -> str:
    return chance.choice(
        [f',"_meta":{json.dumps(META)}', "", ',"_meta":7', ',"_meta":{"progressToken":[1]}', ',"_meta":null']
    )


def _message(number: int, chance: random.Random) -> str:
    """Any method, with odd members; `initialize` may come at any time or never."""
    members = {"jsonrpc": '"2.0"', "id": str(number), "method": json.dumps(chance.choice(METHODS)), "params": "{}"}
    if chance.random() < 0.5:
        members["params"] = f'{{"a":{chance.choice(RAW_VALUES)}{_meta(chance)}}}'
    for _ in range(chance.choice([0, 0, 1, 2])):
        name = chance.choice([*members, "result", "error", "extra"])
        if chance.random() < 0.3 and name != "id":
            members.pop(name, None)
        elif name != "id" or chance.random() < 0.5:
            members[name] = chance.choice(RAW_VALUES)
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


class Stuck(AssertionError):
    """Nothing came in time."""


class Pipe:
    """A stdio server in a process of its own."""

    def __init__(self, folder: Path, log: Path) -> None:
        runner = Path(__file__).parents[1] / "server" / "run_server.py"
        command = [sys.executable, str(runner), "stdio", str(folder)]
        self.log = log.open("wb")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self._rest = bytearray()

    def send(self, content: bytes, seconds: float = 30) -> None:
        """Write a line while the server reads it. What it answers meanwhile is kept."""
        assert self.process.stdin and self.process.stdout
        out, until = self.process.stdin.fileno(), time.monotonic() + seconds
        os.set_blocking(out, False)
        left = memoryview(content + b"\n")
        while left:
            readable, writable, _ = select.select([self.process.stdout], [out], [], max(0, until - time.monotonic()))
            if readable:
                self._take()
            if writable:
                left = left[os.write(out, left[:65536]) :]
            elif not readable:
                raise Stuck("the server does not read")

    def greet(self) -> None:
        """The handshake of a client of the older protocol."""
        greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
        self.send(json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": greeting}).encode())
        next(self.answers())
        self.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    def answers(self, seconds: float = 30) -> Iterator[dict]:
        """Messages as they come. Raises Stuck."""
        until = time.monotonic() + seconds
        while True:
            line, end, rest = bytes(self._rest).partition(b"\n")
            if end:
                self._rest = bytearray(rest)
                yield json.loads(line.decode(), parse_constant=_refuse)
            elif select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))[0]:
                self._take()
            else:
                raise Stuck("no answer")

    def _take(self) -> None:
        assert self.process.stdout
        content = os.read(self.process.stdout.fileno(), 2**16)
        if not content:
            raise Stuck(f"the server ended with {self.process.wait()}")
        self._rest += content

    def exchange(self, line: Line, mark: str) -> list[dict]:
        """What is answered to a line, up to the answer of a ping that is sent behind it and that is answered at once."""
        self.send(line.content)
        self.send(
            json.dumps({"jsonrpc": "2.0", "id": mark, "method": "tools/list", "params": {"_meta": META}}).encode()
        )
        found: list[dict] = []
        for answer in self.answers():
            if answer.get("id") != mark:
                found.append(answer)
            elif found or not is_owed_an_answer(line):
                return found
            else:  # a call may take longer than the mark
                return [*found, next(self.answers())]
        return found


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def is_owed_an_answer(line: Line) -> bool:
    """Not for a notification, an answer, or nothing."""
    text = line.content.decode("utf-8", "replace").removeprefix("\ufeff")
    if not text.strip():
        return False
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return True
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return True
    is_notification = str(message.get("method", "")).startswith("notifications/")
    return not is_notification and not ("method" not in message and {"result", "error"} & set(message))


def check(line: Line, answers: list[dict]) -> None:
    """Fail for silence, for a bug of ours, and for an answer of an unexpected shape."""
    if is_owed_an_answer(line):
        assert answers, "silence"
    for answer in answers:
        assert answer.get("jsonrpc") == "2.0"
        text = json.dumps(answer)
        assert "bug in acestep-mcp" not in text, "a bug"
        assert answer.get("error", {}).get("code") != -32603, text[:300]
        assert "method" in answer or "error" in answer or "result" in answer
        if answer.get("error") or answer.get("result", {}).get("isError"):
            size = len(text) - len(json.dumps(answer.get("id")))  # which is sent back as it is
            assert size < 20_000, f"an error of {size} characters"


@contextmanager
def pipe(folder: Path) -> Iterator[Pipe]:
    opened = Pipe(folder, folder / "log")
    try:
        yield opened
    finally:
        opened.process.kill()
        opened.process.wait()
        for end in (opened.process.stdin, opened.process.stdout, opened.log):
            with suppress(OSError, AttributeError):
                end.close()
