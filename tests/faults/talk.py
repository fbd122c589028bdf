"""MCP as bare JSON-RPC, over the pipes of a server or over HTTP: nothing of a client survives the kill of its server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import httpx

_COMMAND = (sys.executable, "-m", "tests.faults.server")
_HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "faults", "version": "1"}}
SECONDS = 60.0


class GoneError(Exception):
    """The server does not answer any more."""


class StdioServer:
    """A server on pipes."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, env=environment
            )
        self._number = 0
        self._answers: Queue[bytes | None] = Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._ask("initialize", _HELLO)
        self._send({"method": "notifications/initialized"})

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as exc:
            raise GoneError from exc

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            try:
                line = self._answers.get(timeout=SECONDS)
            except Empty:
                raise TimeoutError(f"no answer to {method} within {SECONDS:.0f} s") from None
            if line is None:
                raise GoneError
            answer = json.loads(line)
            if answer.get("id") == self._number:
                return dict(answer)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The tool's structured answer, or {"error": text}. Raises GoneError."""
        return _outcome(self._ask("tools/call", {"name": tool, "arguments": arguments}))

    def end(self) -> None:
        """Close the pipe and wait for the orderly end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


class WebServer:
    """A server on Streamable HTTP."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.process = subprocess.Popen(
            (*_COMMAND, "serve", "--http", "--port", "0"), env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stderr is not None
        found = None
        with log.open("ab") as out:
            for line in self.process.stderr:
                out.write(line)
                if found := re.search(rb"http://\S+/mcp", line):
                    break
        if found is None:
            raise GoneError
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self._http = httpx.Client(timeout=SECONDS)
        self._address = found[0].decode()
        self._session: dict[str, str] = {}
        self._number = 0
        answer, headers = self._ask("initialize", _HELLO)
        self._session = {"MCP-Protocol-Version": answer["result"]["protocolVersion"]}
        if "mcp-session-id" in headers:
            self._session["Mcp-Session-Id"] = headers["mcp-session-id"]
        self._post({"method": "notifications/initialized"})

    def _post(self, message: dict[str, Any]) -> httpx.Response:
        headers = {"Accept": "application/json, text/event-stream", **self._session}
        try:
            return self._http.post(self._address, json={"jsonrpc": "2.0", **message}, headers=headers)
        except httpx.TimeoutException as exc:
            raise TimeoutError(str(exc)) from exc
        except httpx.HTTPError as exc:
            raise GoneError from exc

    def _ask(self, method: str, params: Mapping[str, Any]) -> tuple[dict[str, Any], httpx.Headers]:
        self._number += 1
        reply = self._post({"id": self._number, "method": method, "params": params})
        texts = [line.removeprefix("data:") for line in reply.text.splitlines() if line.startswith("data:")]
        answers = [json.loads(text) for text in texts or [reply.text] if text.strip()]
        found = next((answer for answer in answers if answer.get("id") == self._number), None)
        if found is None:
            raise GoneError
        return found, reply.headers

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """As StdioServer's."""
        return _outcome(self._ask("tools/call", {"name": tool, "arguments": arguments})[0])


def _outcome(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        return {"error": answer["error"]["message"]}
    result = answer["result"]
    if result.get("isError"):
        return {"error": result["content"][0]["text"]}
    return dict(result.get("structuredContent") or {})
