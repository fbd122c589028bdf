"""One server in this process that is called with generated arguments."""

from __future__ import annotations

import json
import logging
import math
import random
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisDeprecationWarning
from mcp import Client
from mcp.types import CallToolResult
from pydantic import ValidationError

from acestep_mcp.server.app import create_server
from acestep_mcp.server.tools.table import TOOLS, Tool
from acestep_mcp.settings import Settings
from tests.fuzz.arguments import KEPT, Arguments, arguments
from tests.server.recording import StudioFactory

LONGEST_ERROR = 12_000
SECONDS = 30


class Bugs(logging.Handler):
    """The last unexpected exception that the package logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.last = kind_of(record.exc_info[1])


def kind_of(error: BaseException) -> str:
    """The exception's type, and the line of ours that it came from."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "acestep_mcp" in f.filename or "fuzz" in f.filename]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "elsewhere"
    return f"{type(error).__name__} at {where}"


class Caller:
    """Calls tools of a server that waits for no song. Its engine makes half a second of a tone."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal, self._client = portal, client
        self.bugs = Bugs()

    def call(self, tool: str, given: dict[str, Any]) -> CallToolResult:
        return self._portal.call(self._call, tool, given)

    async def _call(self, tool: str, given: dict[str, Any]) -> CallToolResult:
        with anyio.fail_after(SECONDS):
            return await self._client.call_tool(tool, given)


@contextmanager
def caller(folder: Path) -> Iterator[Caller]:
    chosen = Settings(music_dir=folder / "music", data_dir=folder / "data", wait_seconds=0)
    factory = StudioFactory(chosen)
    factory.add_track(KEPT, seconds=2)
    factory.add_track("other", seconds=1)
    with start_blocking_portal() as portal:
        server = create_server(factory, chosen, transport="stdio")
        with portal.wrap_async_context_manager(Client(server)) as client:
            opened = Caller(portal, client)
            logging.getLogger("acestep_mcp").addHandler(opened.bugs)
            try:
                yield opened
            finally:
                logging.getLogger("acestep_mcp").removeHandler(opened.bugs)


def wrong_fields(tool: Tool, given: dict[str, Any]) -> set[str]:
    """The fields that the model of the arguments does not accept."""
    try:
        tool.arguments.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as exc:
        return {str(error["loc"][0]) for error in exc.errors() if error["loc"]}
    return set()


def check(tool: Tool, given: dict[str, Any], answer: CallToolResult, bug: str = "") -> None:
    """Fail for an answer that is a bug of ours, that cannot be sent, or that does not name what is wrong."""
    text = "\n".join(part.text for part in answer.content if part.type == "text")
    assert "bug in acestep-mcp" not in text, bug
    json.dumps(answer.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
    wrong = wrong_fields(tool, given)
    assert answer.is_error or not wrong
    assert text.strip()
    if answer.is_error:
        assert len(text) < LONGEST_ERROR, f"an error of {len(text)} characters"
    if wrong:
        assert text.startswith("invalid_request: ")
        short = sorted(name for name in wrong if 0 < len(name) < 40 and name.isprintable())[:10]
        assert all(name in text for name in short), f"{short} are not all named in {text[:500]}"


def _as_sent(value: Any) -> Any:
    """JSON has no NaN and no Infinity: the client sends null."""
    if isinstance(value, dict):
        return {name: _as_sent(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_sent(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def fuzz(tool: Tool, count: int, with_seed: int | None, call: Caller) -> tuple[dict[str, str], float]:
    """`count` calls, the same for the same seed: what failed, each kind once with its arguments, and the longest second."""
    found: dict[str, str] = {}
    slowest = 0.0

    @settings(max_examples=count, deadline=None, database=None, derandomize=with_seed is None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(arguments(tool.entry().input_schema))
    def each(sent: Arguments) -> None:
        nonlocal slowest
        began = time.perf_counter()
        try:
            try:
                answer = call.call(tool.name, sent)
            except (ValueError, UnicodeEncodeError):  # this client cannot send it; see tests/fuzz/test_lines.py
                return
            check(tool, _as_sent(sent), answer, call.bugs.last)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is looked for
            found.setdefault(kind_of(exc), f"{str(exc)[:200]} <- {sent!r}")
        slowest = max(slowest, time.perf_counter() - began)

    warnings.simplefilter("ignore", HypothesisDeprecationWarning)  # the server draws random numbers meanwhile
    run = each if with_seed is None else seed(random.Random(f"{with_seed} {tool.name}").getrandbits(64))(each)
    run()
    return found, slowest


def tools_named(names: list[str]) -> list[Tool]:
    return [tool for tool in TOOLS if not names or tool.name in names]
