"""The parsers of this package, each as a function of bytes that returns for every input, and inputs to start from."""

from __future__ import annotations

import io
import json
import mmap
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import httpx
from pydantic import ValidationError

from acestep_mcp.api.errors import AceStepError, InvalidRequest
from acestep_mcp.api.text import decode_text
from acestep_mcp.audio import kinds
from acestep_mcp.audio.containers import layout, multimedia
from acestep_mcp.audio.containers.parts import Unreadable
from acestep_mcp.audio.tags import file_tags
from acestep_mcp.client import replies, watch
from acestep_mcp.client.host import Host
from acestep_mcp.library.models import Track
from acestep_mcp.library.sidecars import read_sidecar
from acestep_mcp.net.data_uris import is_data_uri, read_data_uri
from acestep_mcp.net.http_responses import HttpResponse, NoResponse
from acestep_mcp.readers.lyric_sheet import read_lyrics
from acestep_mcp.readers.timed_lines import without_times
from acestep_mcp.server.invalid_lines import message_or_answer, refusal
from acestep_mcp.settings import load
from tests.fuzz import audio_files

SONGS = {"title": "Rain", "tags": "lofi", "lyrics": "[verse]\nla ü", "seed": "7", "comment": "{}", "software": "us"}


def mapped(content: bytes) -> mmap.mmap:
    memory = mmap.mmap(-1, max(1, len(content)))
    memory[: len(content)] = content
    return memory


@cache
def scratch() -> Path:
    """A file to write inputs to."""
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)) / "input.json"


def containers(content: bytes) -> None:
    data = mapped(content)
    start = layout.after_tags(data)
    with suppress(Unreadable):
        if kind := kinds.foreign(data, start):
            found = multimedia.parts(data, start, kind.demuxer)
        else:
            kinds.unsupported(data, start)
            found = layout.parts(data)
        for part in found:
            assert part.missing >= 0
            assert part.end <= len(data) + 8 or kind  # chunks are padded
        if found:
            layout.unused(data, found)


def tags(content: bytes) -> None:
    scratch().write_bytes(content)
    file_tags.read_tags(scratch())
    for form in ("wav", "flac", "ogg", "mp3"):
        with suppress(InvalidRequest):
            target = io.BytesIO()
            file_tags.retag(io.BytesIO(content), target, form, file_tags.FileTags.of(SONGS))
            assert len(target.getvalue()) < 3 * len(content) + 10_000


def data_uri(content: bytes) -> None:
    text = content.decode("utf-8", "surrogateescape")
    is_data_uri(text)
    with suppress(ValueError):
        read_data_uri(text)


def events(content: bytes) -> None:
    """A stream that comes in pieces; the first byte is their size."""
    size = content[0] + 1 if content else 1

    async def chunks():
        for start in range(0, len(content), size):
            yield content[start : start + size]

    async def read() -> None:
        async for event in watch.events(chunks(), lambda line: line):
            with suppress(AceStepError):
                watch.Watch().news(replies.update_of(event, HOST), whole=False)

    with suppress(NoResponse, StopIteration):
        read().send(None)


def reply(content: bytes) -> None:
    """A host's answer; the first byte chooses its status, the second what is asked for."""
    status = (200, 202, 400, 401, 404, 422, 429, 500, 503)[content[0] % 9] if content else 200
    answer = HttpResponse(status, httpx.Headers({"x-fal-request-id": "1"}), content[2:])
    with suppress(AceStepError):
        if status < 300:
            for read in (
                replies.handle_of,
                lambda one, host: replies.response_of(one, host, {"tags": "a"}),
                lambda one, host: replies.update_of(one.json(), host),
            ):
                with suppress(AceStepError):
                    read(answer, HOST)
        else:
            replies.is_app_error(answer)
            replies.is_unclear(answer)
            str(replies.error_of(answer, "Asked", HOST)).encode()


def sidecar(content: bytes) -> None:
    scratch().write_bytes(content)
    with suppress(ValueError):
        track = Track("1", scratch(), read_sidecar(scratch()))
        assert 0 <= track.duration <= 86_400
        f"{track.title}{track.created_at}{track.size}".encode()
        json.dumps(track.sidecar, allow_nan=False, ensure_ascii=False).encode()


def config(content: bytes) -> None:
    file = scratch().parent / "config" / "acestep-mcp" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    before, os.environ["XDG_CONFIG_HOME"] = os.environ.get("XDG_CONFIG_HOME"), str(file.parents[1])
    try:
        "".join(load().problems).encode()
    finally:
        os.environ.pop("XDG_CONFIG_HOME")
        if before is not None:
            os.environ["XDG_CONFIG_HOME"] = before


def lyrics(content: bytes) -> None:
    with suppress(UnicodeDecodeError):
        text = decode_text(content)
        without_times(text.splitlines())
        str(read_lyrics(text[:20_000])).encode("utf-8", "surrogatepass")


def line(content: bytes) -> None:
    """A line on stdin, as the SDK reads it and passes on what it cannot read."""
    from mcp.types import jsonrpc_message_adapter

    text = content.decode("utf-8", "replace").replace("\n", " ")
    try:
        message = jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError as error:
        message = message_or_answer(error)
    if message is None:
        assert not text.strip("\ufeff").strip()
    else:
        (refusal(message) or message).model_dump_json()


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (containers, tags, data_uri, events, reply, sidecar, config, lyrics, line)
}  # fmt: skip
HOST = Host("https://queue.example.org", "https://rest.example.org")


def seeds() -> dict[str, list[bytes]]:
    """Inputs that are right, or nearly, for each parser."""
    sounds = audio_files.songs()
    song = {"request_id": "0000-aaaa", "status": "COMPLETED", "logs": [{"message": "step 1/2", "level": "INFO"}],
            "metrics": {"inference_time": 1.5}, "queue_position": 1, "status_url": "https://queue.example.org/1"}  # fmt: skip
    result = {"audio": {"url": "https://x.example/a.wav", "file_size": 4}, "seed": 1, "tags": "a", "lyrics": "b",
              "acestep": {"engine": "draft", "notes": ["n"], "sections": [{"name": "a"}]}}  # fmt: skip
    wrong = {
        "detail": [{"loc": ["body", "tags"], "msg": "is missing", "type": "missing", "input": 7}],
        "error_type": "x",
    }
    kept = {"schema": 1, "id": "t01", "created_at": "2026-11-22T12:00:00+00:00", "title": "Rain", "seed": 7,
            "audio": {"duration": 1.0, "size": 5, "content_type": "audio/wav", "sha256": "0" * 64}, "request": {"tags": "a"},
            "sections": [{"name": "verse", "start": 0, "end": 1}], "checks": {"lufs": -14.0}, "notes": ["a"]}  # fmt: skip
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "status", "arguments": {"tags": "a"}}}
    small = [sound for sound in sounds.values() if len(sound) < 60_000]
    return {
        "containers": small,
        "tags": small,
        "data_uri": [b"data:audio/wav;base64,UklGRg==", b'DATA:;name="a,b";base64,%55klGRg', b"data:,a%20b#c"],
        "events": [b"\x07data: %s\n\n: ping\r\ndata: %s\r\n\r\n" % ((json.dumps(song).encode(),) * 2)],
        "reply": [
            bytes([n, 0]) + json.dumps(one).encode() for n, one in ((0, song), (0, result), (5, wrong), (7, wrong))
        ],
        "sidecar": [json.dumps(kept).encode(), json.dumps(kept).encode("utf-16")],
        "config": [b'format = "wav"\nwait_seconds = 3\nallowed_dirs = ["/tmp"]\n[acestep]\nfal_key = "k"\n'],
        "lyrics": [
            "[ti:a]\n[00:01.50][01:02.30]la ü\n<00:02.00>lo".encode(),
            b"1\n00:00:01,000 --> 00:00:02,500\nla la\n\n2\n00:00:03,000 --> 00:00:04,000\nlo",
            "[Verse 1: A & B] (x2)\nC G Am\nla\n\nChorus:\n夜に".encode("utf-16"),
        ],
        "line": [
            json.dumps(call).encode(),
            json.dumps([call]).encode(),
            b'{"jsonrpc":"2.0","id":77,"method":"x","p":"\\ud83d"}',
        ],
    }
