"""What idle, slow and rude callers cost, and many short jobs: memory, descriptors, threads and files that are left.

    python -m bench.load unread [REQUESTS]          a host that sends requests on stdin and never reads stdout
    python -m bench.load sessions [SESSIONS]        idle MCP sessions on `serve --http`, dropped, twice
    python -m bench.load streams [STREAMS]          status streams opened and dropped, on `engine` and on `serve --http`
    python -m bench.load slow [CONNECTIONS]         heads, bodies and answers that never end, on both
    python -m bench.load jobs [JOBS] [MINUTES]      short songs with the draft engine, one after the other

Each starts its own servers in a temporary folder and prints one JSON object. Linux only (it reads /proc).
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

OURS = (sys.executable, "-m", "acestep_mcp")
SONG = {"tags": "lofi, piano", "duration": 5}
APP = "/fal-ai/ace-step"
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "load", "version": "1"},
}
QUIET_SECONDS = 1.5


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACESTEP_", "FAL_KEY"))}
    home = {name: str(folder / "home") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    folders = {"ACESTEP_MUSIC_DIR": str(folder / "music"), "ACESTEP_DATA_DIR": str(folder / "data")}
    return kept | home | folders | {"ACESTEP_BACKEND": "draft", "PYTHONUTF8": "1"}


def usage(pid: int) -> dict[str, int]:
    """Of a process and its children: resident MiB, open descriptors, threads."""
    total = {"mib": 0, "descriptors": 0, "threads": 0}
    for one in (pid, *children(pid)):
        with suppress(OSError):
            status = Path(f"/proc/{one}/status").read_text()
            total["mib"] += int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024
            total["threads"] += int(re.search(r"Threads:\s+(\d+)", status)[1])
            total["descriptors"] += len(os.listdir(f"/proc/{one}/fd"))
    return total


def children(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


@contextmanager
def server(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], tuple[str, int]]]:
    """A server on a free port: its process, and its host and port."""
    log = folder / f"{arguments[0]}.log"
    with log.open("wb") as err:
        process = subprocess.Popen(
            [*OURS, *arguments, "--port", "0"], env=environment(folder), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(rb"served at http://([\d.]+):(\d+)", log.read_bytes())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process, (found[1].decode(), int(found[2]))
    finally:
        process.kill()
        process.wait()


def ask(address: tuple[str, int], request: bytes, seconds: float = 30) -> bytes:
    """The whole answer to a request that closes the connection."""
    with socket.create_connection(address, seconds) as stream:
        stream.sendall(request)
        answer = b""
        while piece := stream.recv(1 << 16):
            answer += piece
        return answer


def head(method: str, path: str, *, body: bytes = b"", close: bool = True, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    lines += ["Connection: close"] if close else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def health(address: tuple[str, int]) -> float:
    """Seconds until the server has answered one more caller."""
    began = time.monotonic()
    assert b" 200 " in ask(address, head("GET", "/health"))[:20]
    return round(time.monotonic() - began, 2)


def until_closed(streams: list[socket.socket], seconds: float) -> int:
    """How many are still open after at most so many seconds."""
    deadline = time.monotonic() + seconds
    left = list(streams)
    while left and time.monotonic() < deadline:
        left = [stream for stream in left if not closed(stream)]
        time.sleep(0.1)
    for stream in streams:
        stream.close()
    return len(left)


def closed(stream: socket.socket) -> bool:
    stream.setblocking(False)
    try:
        while piece := stream.recv(1 << 20):
            del piece
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


# -- a host that never reads


def unread(folder: Path, requests: int, read: float = 300) -> dict[str, Any]:
    """Requests of 4 KB, so that the pipe itself holds few. At the end `read` of the answers are read after all."""
    process = subprocess.Popen(
        OURS, env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        hello = {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": HELLO}
        process.stdin.write(json.dumps(hello).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        before, sent = usage(process.pid), [0]

        def write() -> None:
            with suppress(OSError, ValueError):  # the server is killed in the end
                for number in range(requests):
                    params = {"_meta": {"padding": "x" * 4000}}
                    line = {"jsonrpc": "2.0", "id": number, "method": "resources/templates/list", "params": params}
                    process.stdin.write(json.dumps(line).encode() + b"\n")
                    process.stdin.flush()
                    sent[0] = number + 1

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        seen, since = -1, time.monotonic()
        while sent[0] < requests and time.monotonic() - since < QUIET_SECONDS:
            if sent[0] != seen:
                seen, since = sent[0], time.monotonic()
            time.sleep(0.05)
        time.sleep(QUIET_SECONDS)
        stalled, taken = usage(process.pid), sent[0]
        answered = set()
        while len(answered) < min(read, requests):
            answered.add(json.loads(process.stdout.readline())["id"])
        return {
            "requests": requests, "taken before it stopped reading": taken, "answered when read": len(answered),
            "before": before, "stalled": stalled, "after": usage(process.pid),
        }  # fmt: skip
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()


# -- sessions and streams


def session(address: tuple[str, int]) -> tuple[str, socket.socket]:
    """A new MCP session and its open stream of messages from the server."""
    accept = {"Accept": "application/json, text/event-stream", "Content_Type": "application/json"}
    hello = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}).encode()
    answer = ask(address, head("POST", "/mcp", body=hello, **accept))
    identity = re.search(rb"mcp-session-id: (\S+)", answer, re.IGNORECASE)[1].decode()
    note = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()
    ask(address, head("POST", "/mcp", body=note, Mcp_Session_Id=identity, **accept))
    stream = socket.create_connection(address, 30)
    stream.sendall(head("GET", "/mcp", close=False, Mcp_Session_Id=identity, **accept))
    stream.recv(1 << 12)
    return identity, stream


def sessions(folder: Path, count: int, rounds: int = 2) -> dict[str, Any]:
    with server(folder, "serve", "--http") as (process, address):
        session(address)[1].close()
        facts: dict[str, Any] = {"sessions": count, "before": usage(process.pid)}
        for number in range(1, rounds + 1):
            streams = [session(address)[1] for _ in range(count)]
            facts[f"idle {number}"] = usage(process.pid) | {"answer_seconds": health(address)}
            for stream in streams:
                stream.close()
            facts[f"dropped {number}"] = settled(process.pid)
        return facts


def settled(pid: int, seconds: float = 15) -> dict[str, int]:
    """The usage once the number of descriptors no longer falls."""
    deadline, last, since = time.monotonic() + seconds, usage(pid), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < QUIET_SECONDS:
        now = usage(pid)
        if now["descriptors"] < last["descriptors"]:
            last, since = now, time.monotonic()
        time.sleep(0.1)
    return usage(pid)


def streams(folder: Path, count: int, at_once: int = 50) -> dict[str, Any]:
    facts: dict[str, Any] = {"streams": count}
    with server(folder, "engine") as (process, address):
        body = json.dumps({"tags": "lofi", "duration": 240}).encode()
        tickets = [json.loads(ask(address, head("POST", APP, body=body)).partition(b"\r\n\r\n")[2]) for _ in range(12)]
        paths = [f"{APP}/requests/{ticket['request_id']}/status/stream?logs=1" for ticket in tickets]
        facts["engine"] = _opened_and_dropped(
            process.pid, address, [head("GET", path) for path in paths], count, at_once
        )
    with server(folder, "serve", "--http") as (process, address):
        kept = session(address)
        accept = {"Accept": "text/event-stream", "Mcp_Session_Id": kept[0]}
        request = head("GET", "/mcp", close=False, **accept)
        facts["serve"] = _opened_and_dropped(process.pid, address, [request], count, at_once)
        kept[1].close()
    return facts


def _opened_and_dropped(
    pid: int, address: tuple[str, int], requests: list[bytes], count: int, at_once: int
) -> dict[str, Any]:
    before = usage(pid)
    for start in range(0, count, at_once):
        opened = []
        for number in range(start, min(count, start + at_once)):
            stream = socket.create_connection(address, 30)
            stream.sendall(requests[number % len(requests)])
            opened.append(stream)
        for stream in opened[::2]:
            stream.recv(1 << 12)
        for stream in opened:
            stream.close()
    return {"before": before, "after": settled(pid), "answer_seconds": health(address)}


# -- slow callers


def slow(folder: Path, count: int, wait: float = 400) -> dict[str, Any]:
    """`count` connections of each kind at each server; nobody else may wait for them."""
    facts: dict[str, Any] = {"connections of each kind": count}
    for arguments in (("engine",), ("serve", "--http")):
        song = _large_song(folder)
        with server(folder, *arguments) as (process, address), ExitStack() as sockets:
            kinds = {"head": head("GET", "/health")[:20], "body": _unfinished(arguments)}
            if arguments == ("engine",):
                uploaded = ask(address, head("POST", "/files/upload", body=bytes(50 << 20))).partition(b"\r\n\r\n")[2]
                song = "/files/" + json.loads(uploaded)["access_url"].rpartition("/")[2]
            kinds["unread"] = head("GET", song)
            assert b" 206 " in ask(address, head("GET", song, Range="bytes=0-9"))[:20]
            before = usage(process.pid)
            opened: dict[str, list[socket.socket]] = {name: [] for name in kinds}
            for name, beginning in kinds.items():
                for _ in range(count):
                    stream = sockets.enter_context(socket.create_connection(address, 30))
                    stream.settimeout(0.2)
                    with suppress(OSError):
                        stream.sendall(beginning)
                    opened[name].append(stream)
            answered = [health(address) for _ in range(5)]
            meanwhile = usage(process.pid)
            hung = {name: until_closed(opened[name], wait) for name in ("head", "body")}
            for stream in opened["unread"]:
                stream.close()
            facts[arguments[0]] = {
                "answer_seconds": max(answered), "still open": hung, "before": before, "meanwhile": meanwhile,
                "after": settled(process.pid),
            }  # fmt: skip
    return facts


def _large_song(folder: Path) -> str:
    """The path of a song of 50 MB on `serve --http`."""
    path = folder / "music" / "large.wav"
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as song:
        song.setparams((2, 2, 48_000, 0, "NONE", ""))
        song.writeframes(bytes(50 << 20))
    audio = {"duration": (50 << 20) / 192_000, "sample_rate": 48_000, "channels": 2, "content_type": "audio/wav"}
    sidecar = {
        "schema": 1, "id": "large", "title": "large", "file_name": path.name, "seed": 7, "engine": "draft", "tags": "lofi",
        "endpoint": "fal-ai/ace-step", "request": {"tags": "lofi"}, "created_at": "2026-11-22T00:00:00.000+00:00",
        "audio": audio | {"size": path.stat().st_size},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return "/tracks/large/large.wav"


def _unfinished(arguments: tuple[str, ...]) -> bytes:
    path = APP if arguments == ("engine",) else "/mcp"
    extra = {"Accept": "application/json, text/event-stream", "Content_Type": "application/json"}
    return head("POST", path, body=b"{" + b" " * 9999, **extra)[:-9990]


# -- many jobs


def jobs(folder: Path, count: int, minutes: float = 600) -> dict[str, Any]:
    import anyio

    os.environ.update(environment(folder))
    return anyio.run(_jobs, folder, count, minutes)


async def _jobs(folder: Path, count: int, minutes: float) -> dict[str, Any]:
    import anyio

    from acestep_mcp.api.requests import TextToAudio
    from acestep_mcp.assembly import open_studio
    from acestep_mcp.settings import load

    samples: list[dict[str, Any]] = []
    done = failed = 0
    began = time.monotonic()
    every = max(1, min(100, count // 40))
    async with open_studio(load()) as studio:
        for seed in range(count):
            job = await studio.start(TextToAudio(**SONG, seed=seed))
            async for _ in studio.watch(job.id, 120):
                pass
            outcome = await studio.outcome(job.id)
            await studio.delivered(job.id)
            done, failed = done + 1, failed + (outcome.track is None)
            if done % every == 0 or done == 1:
                parts = len([path for path in folder.rglob("*") if ".part" in path.name])
                samples.append({"jobs": done, **usage(os.getpid()), "unfinished files": parts})
                print(
                    json.dumps(samples[-1] | {"seconds": round(time.monotonic() - began)}), file=sys.stderr, flush=True
                )
            if time.monotonic() - began > minutes * 60:
                break
        await anyio.sleep(0)
    kept = sum(path.stat().st_size for path in (folder / "data" / "draft").rglob("*") if path.is_file())
    half = samples[len(samples) // 2 :]
    return {
        "jobs": done, "failed": failed, "seconds": round(time.monotonic() - began),
        "songs": len(list((folder / "music").glob("*.wav"))), "kept twice": kept, "second half": [half[0], half[-1]],
        "growth_percent": round(100 * (half[-1]["mib"] / half[0]["mib"] - 1), 1), "first": samples[0],
    }  # fmt: skip


DEFAULTS: dict[str, tuple[Any, float]] = {
    "unread": (unread, 18_000),
    "sessions": (sessions, 300),
    "streams": (streams, 500),
    "slow": (slow, 100),
    "jobs": (jobs, 20_000),
}


def main() -> None:
    run, usual = DEFAULTS[sys.argv[1]]
    given = [float(number) for number in sys.argv[2:]] or [usual]
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), int(given[0]), *given[1:]), indent=2))


if __name__ == "__main__":
    main()
