"""A session of everything with a canary in every key: each leaves this machine for its own host only, and is said nowhere."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote

import anyio
import httpx2
import numpy as np
import pytest
import soundfile
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from acestep_mcp.server.tools.table import TOOLS
from tests.support.chat import SONG, completion
from tests.support.loopback import Reply, Seen, listening

pytestmark = [pytest.mark.anyio, pytest.mark.process]

CANARIES = {
    "FAL_KEY": "canary-id:canary-fal-5f3e1a",
    "ACESTEP_ENGINE_KEY": "canary-engine-9b27c4",
    "ACESTEP_LLM_KEY": "canary-chat-0d8f66",
    "ACESTEP_ASR_KEY": "canary-asr-71ce02",
    "ACESTEP_TOKEN": "canary-token-e4401b",
}
SECRETS = {name: value.rpartition(":")[2] for name, value in CANARIES.items()}


def forms(secret: str) -> Iterator[bytes]:
    """How a secret may be written down."""
    for text in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.encode().hex()):
        yield text.encode()
    for spare in (b"", b"x", b"xx"):  # each of the three ways in which base64 can cut it
        yield base64.b64encode(spare + secret.encode())[4:-4]


def found_in(content: bytes, *, but: str = "") -> list[str]:
    """The keys in it. All begin alike, which is looked for first."""
    lowered = content.lower()
    if not any(form[:8].lower() in lowered for form in forms("canary-")):
        return []
    return [
        name
        for name, secret in SECRETS.items()
        if name != but and any(form.lower() in lowered for form in forms(secret))
    ]


def echoing(seen: Seen) -> Reply:
    """An engine that repeats the caller's key in every part of its answers, always in another way."""
    key = seen.headers.get("authorization", "none")
    headers = {"x-fal-request-id": key[:60].replace(" ", "-"), "x-key": key}
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in key)
    if seen.method == "POST":
        body = f'{{"detail": [{{"loc": ["body", "{escaped}"], "msg": "no user for {key}", "type": "{key}"}}]}}'
        return Reply(422, body.encode(), {"content-type": "application/json", **headers})
    return Reply(404, {"status": "NOT_FOUND", "detail": key}, headers)


def chatting(seen: Seen) -> Reply:
    """A language model that puts the key into the song."""
    key = seen.headers.get("authorization", "none")
    song = {"tags": f"lofi, {key}", "lyrics": f"{SONG['lyrics']}\n{key}\n{key.partition(' ')[2]}"}
    return Reply(200, completion(json.dumps(song), refusal=key), {"x-key": key})


class Session:
    """What was said, by whom, and where."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.said: dict[str, bytes] = {}

    def run(self, *command: str, **more: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "acestep_mcp", *command], env=self.environment | more, capture_output=True, timeout=50, check=False
        )  # fmt: skip
        self.said[f"{command} {len(self.said)}"] = done.stdout + done.stderr

    def left(self, folder: Path) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def processes_below(parent: int) -> dict[str, bytes]:
    """The command line of a process and its descendants, and the environment of the latter."""
    seen, waiting = {}, [parent]
    while waiting:
        process = Path("/proc", str(waiting.pop()))
        seen[f"{process.name} cmdline"] = (process / "cmdline").read_bytes()
        if process.name != str(parent):
            seen[f"{process.name} environ"] = (process / "environ").read_bytes()
        for thread in (process / "task").iterdir():
            waiting += [int(child) for child in (thread / "children").read_text(encoding="ascii").split()]
    return seen


ARGUMENTS = {
    "mark_sections": {"track_id": "{id}", "sections": [{"name": "a", "start": 0, "end": 2}]},
    "compare_tracks": {"track_ids": ["{id}", "{edit}"]},
    "export_track": {"track_id": "{id}", "format": "mp3"},
}


async def use_everything(client: Client) -> bytes:
    """Every tool with arguments that are wrong and then, where a song or job is enough, right ones; resources and prompts."""
    answers = [await client.call_tool("status", {})]
    made = await client.call_tool("prompt_to_audio", {"prompt": "a slow song about rain", "duration": 5})
    assert not made.is_error, made
    song, job = made.structured_content["track"]["id"], made.structured_content["job_id"]
    edit = await client.call_tool("audio_inpaint", {"audio_url": song, "tags": "lofi", "end_time": 2})
    answers += [made, edit]
    names = {"{id}": song, "{edit}": edit.structured_content["track"]["id"]}
    for tool in TOOLS:
        answers.append(
            await client.call_tool(tool.name, {"audio_url": "no-such-file.wav", "track_id": "none", "job_id": "none"})
        )
        given = ARGUMENTS.get(
            tool.name, {"track_id": "{id}"} if "track" in tool.name or "player" in tool.name else {"job_id": job}
        )
        text = json.dumps(given)
        for name, value in names.items():
            text = text.replace(name, value)
        if tool.name not in ("delete_track", "remake_track", "remake_section"):
            answers.append(await client.call_tool(tool.name, json.loads(text)))
    listed = await client.list_resources()
    answers += [await client.read_resource(str(entry.uri)) for entry in listed.resources]
    answers += [listed, await client.list_tools(), await client.list_prompts(), await client.list_resource_templates()]
    return b"\n".join(answer.model_dump_json().encode() for answer in answers)


async def pages(address: str, token: str) -> bytes:
    """What a browser sees before and after logging in, and what a program sees."""
    seen = []
    async with httpx2.AsyncClient(
        base_url=address, headers={"Origin": address, "Accept": "text/html"}, timeout=30
    ) as browser:
        for given in ("wrong", token):
            login = await browser.post("/gallery/session", json={"token": given})
            seen.append(repr(login.headers).encode() + login.content)
            for path in (
                "/",
                "/health",
                "/gallery/tracks",
                "/gallery/session",
                "/tracks/none/x",
                "/nowhere",
                "/uploads",
            ):
                answer = await browser.get(path)
                seen.append(repr(answer.headers).encode() + answer.content)
    return b"\n".join(seen)


@pytest.fixture
def started(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], str]]]:
    with (tmp_path / "server.log").open("wb") as log:
        running = []

        def start(**more: str) -> tuple[subprocess.Popen[bytes], str]:
            command = [sys.executable, "-m", "acestep_mcp", "serve", "--http", "--port", "0"]
            running.append(subprocess.Popen(command, env=environment | more, stderr=subprocess.PIPE, stdout=log))
            said = b""
            while b"served at" not in said:
                said = running[-1].stderr.readline()
                log.write(said)
            log.flush()
            return running[-1], said.decode().split("served at ")[1].strip().removesuffix("/mcp")

        yield start
        for process in running:
            process.kill()
            process.wait()
            process.stderr.close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes through /proc")
async def test_a_key_is_sent_to_its_own_host_and_said_or_written_nowhere(
    environment: dict[str, str], tmp_path: Path, started: Callable[..., tuple[subprocess.Popen[bytes], str]]
) -> None:
    keyed = CANARIES | {"ACESTEP_LOG_LEVEL": "DEBUG", "ACESTEP_WAIT_SECONDS": "50"}
    session = Session(environment | keyed)
    token = CANARIES["ACESTEP_TOKEN"]
    async with AsyncExitStack() as stack:
        engine, chat = [await stack.enter_async_context(listening(script)) for script in (echoing, chatting)]
        drafts = {"ACESTEP_BACKEND": "draft", "ACESTEP_LLM_URL": chat.url, "ACESTEP_LLM_MODEL": "small-model"}
        process, address = await anyio.to_thread.run_sync(lambda: started(**keyed | drafts))
        headers = {"Authorization": f"Bearer {token}"}
        with anyio.fail_after(100):
            async with (
                httpx2.AsyncClient(headers=headers, timeout=60) as http,
                Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
            ):
                session.said["tools"] = await use_everything(client)
                session.said |= processes_below(process.pid)
            session.said["pages"] = await pages(address, token)
            process.terminate()
            session.said["log"] = await anyio.to_thread.run_sync(process.stderr.read)

            hosted = {"ACESTEP_BACKEND": "engine", "ACESTEP_ENGINE_URL": engine.url}
            source = tmp_path / "music" / "mine.wav"
            soundfile.write(source, np.zeros(8000, np.int16), 8000)
            for command in (
                ("make", "audio-inpaint", "--audio-url", str(source), "--tags", "lofi", "--end-time", "1", "--json"),
                ("doctor", "--verbose"),
            ):
                await anyio.to_thread.run_sync(lambda command=command: session.run(*command, **hosted))
    assert SECRETS["ACESTEP_LLM_KEY"].encode() in chat.everything()
    assert SECRETS["ACESTEP_ENGINE_KEY"].encode() in engine.everything()
    assert found_in(chat.everything(), but="ACESTEP_LLM_KEY") == []
    assert found_in(engine.everything(), but="ACESTEP_ENGINE_KEY") == []
    assert any(name.endswith("environ") for name in session.said), "the draft engine's worker was seen"
    written = session.left(tmp_path)
    assert {".wav", ".json", ".sqlite3", ".log"} <= {Path(name).suffix for name in written}
    for what, content in (session.said | written).items():
        assert found_in(content) == [], what
