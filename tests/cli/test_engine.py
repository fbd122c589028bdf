"""`acestep-mcp engine` as a real process: what it prints, which callers it accepts, and what survives a restart."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.assembly import outbound_http
from acestep_mcp.cli import main
from acestep_mcp.cli.client_setup import lines
from tests.support.engine_process import Running, running, until

pytestmark = pytest.mark.process

APP = "/fal-ai/ace-step"
KEY = "a-key-that-nobody-guesses"
BODY = {"tags": "piano, calm", "lyrics": "[inst]", "duration": 5, "seed": 7}


@pytest.fixture
def engine(environment: dict[str, str]) -> Iterator[Callable[..., Running]]:
    with ExitStack() as stack:
        yield lambda *arguments, **more: stack.enter_context(running(environment | more, *arguments))


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "acestep_mcp", *arguments], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, encoding="utf-8", timeout=50, check=False,
    )  # fmt: skip


def test_a_song_made_through_an_engine_with_a_key(engine, environment, tmp_path, capsys) -> None:
    running = engine(ACESTEP_ENGINE_KEY=KEY)
    with httpx.Client(base_url=running.address, timeout=20) as http:
        assert http.get("/health").json()["engine"] == "draft"
        assert http.post(APP, json=BODY).status_code == 401
        assert http.post(APP, json=BODY, headers={"Authorization": "Key wrong"}).status_code == 401
        assert http.get("/health", headers={"Host": "evil.example"}).status_code == 421
        assert http.get("/.well-known/jwks.json").status_code != 200
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    ours = {"ACESTEP_ENGINE_URL": running.address, "ACESTEP_ENGINE_KEY": "an old one"}
    song = ("make", "text-to-audio", "--tags", "piano, calm", "--duration", "5", "--json")
    made = command(environment | ours, *song, "--key-file", str(tmp_path / "key"))
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["backend"] == "engine"
    assert told["engine"] == "draft"
    assert Path(told["track"]["file_path"]).stat().st_size == told["track"]["size"]

    assert main(["engine", "--port", "0"]) == 1
    second = capsys.readouterr()
    assert second.out == ""
    assert "Another engine server" in second.err
    assert f"answers at {running.address}, process id {running.process.pid}" in second.err
    port = running.address.rpartition(":")[2]
    assert main(["engine", "--port", port, "--data-dir", str(Path(environment["HOME"]) / "other")]) == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in capsys.readouterr().err
    assert "Callers need its key" in running.told
    running.process.kill()
    assert KEY not in running.told + running.process.stderr.read() + made.stdout + made.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to catch")
@pytest.mark.slow
def test_jobs_survive_every_end_of_the_engine_and_are_finished_by_the_next(engine) -> None:
    first = engine()
    with httpx.Client(base_url=first.address, timeout=20) as http:
        # Long enough to be seen in progress on a busy machine: the stream tells the present state, not each that was.
        jobs = [http.post(APP, json=BODY | {"duration": 100, "seed": seed}).json()["request_id"] for seed in (1, 2)]
        with http.stream("GET", f"{APP}/requests/{jobs[1]}/status/stream"):  # a caller that is still connected
            until(http, APP, jobs[0], '"IN_PROGRESS"')
            assert first.stop(signal.SIGTERM) == 143
    assert "Traceback" not in first.process.stderr.read()
    second = engine()
    with httpx.Client(base_url=second.address, timeout=20) as http:
        until(http, APP, jobs[1], '"IN_PROGRESS"')
    second.process.kill()
    second.process.wait(20)
    with httpx.Client(base_url=engine().address, timeout=40) as http:
        for seed, job in enumerate(jobs, start=1):
            until(http, APP, job, '"COMPLETED"')
            result = http.get(f"{APP}/requests/{job}")
            assert (result.status_code, result.json()["seed"]) == (200, seed)


def test_tls_is_trusted_only_by_clients_that_trust_its_authority(engine, tmp_path) -> None:
    running = engine("--tls-dir", str(tmp_path / "tls"), "--allow-webhooks", "--key", KEY)
    authority = tmp_path / "tls" / "acestep-ca.pem"
    port = running.address.rpartition(":")[2]
    assert running.address == f"https://127.0.0.1:{port}"
    with httpx.Client(verify=ssl.create_default_context(cafile=str(authority)), timeout=20) as http:
        ticket = http.post(f"https://localhost:{port}{APP}", json=BODY, headers={"Authorization": f"Key {KEY}"}).json()
        assert ticket["status_url"].startswith(f"https://localhost:{port}/")
        assert http.get(f"https://127.0.0.1:{port}/.well-known/jwks.json").json()["keys"][0]["crv"] == "Ed25519"
    with httpx.Client(timeout=20) as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        http.get(f"{running.address}/health")
    for line in ("FAL_QUEUE_RUN_HOST=127.0.0.1:{}", "FAL_RUN_HOST=127.0.0.1:{}/run", "ACESTEP_ENGINE_URL=https://127"):
        assert line.format(port) in running.told.replace('"', "").replace(" = ", "=")
    assert str(authority) in running.told
    assert KEY not in running.told
    if sys.platform != "win32":
        secret = tmp_path / "tls" / "acestep-server.pem"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "data" / "engine" / "draft").stat().st_mode) == 0o700
        assert b"PRIVATE KEY" not in authority.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "without a key"),
        (("--host", "192.0.2.1"), "without a key"),
        (("--host", ""), "without a key"),
        (("--engine", "ace-step-v1", "--weights", "."), "cannot run here"),
        (("--key", " "), "key is empty"),
        (("--key", "one two"), "characters that a header cannot carry"),
        (("--key-file", "absent"), "cannot be read"),
        (("--keys", "absent"), "The file of keys absent cannot be read"),
        (("--keys", "absent", "--key", "one"), "--keys takes the place of --key and --key-file"),
        (("--keys", "absent", "--key-file", "absent"), "--keys takes the place of --key and --key-file"),
        (("--public-url", "music.example.org"), "is not an http(s) address"),
        (("--public-url", "https://music.example.org:port"), "is not a valid address"),
        (("--tls-dir", "tls", "--allowed-host", "müsli.example"), "No certificate"),
    ],
)
def test_an_engine_with_invalid_options_does_not_start(arguments, words, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["engine", "--port", "0", *arguments]) == 1
    told = capsys.readouterr()
    assert words in told.err
    assert "one two" not in told.err
    assert list(tmp_path.rglob("*.sqlite3")) == []


def test_requests_for_this_machines_names_are_accepted_and_for_others_refused(engine) -> None:
    running = engine("--host", "0.0.0.0", "--allowed-host", "music.example", ACESTEP_ENGINE_KEY=KEY)
    port = running.address.rpartition(":")[2]
    names = (socket.gethostname(), "music.example", "192.0.2.1", "evil.example")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        answers = [http.get("/health", headers={"Host": f"{name}:{port}"}).status_code for name in names]
    assert answers == [200, 200, 200, 421]
    assert "not encrypted" in running.told


@pytest.mark.parametrize("text", ["\ufeffshort\n", pytest.param("short", marks=pytest.mark.slow)])
def test_a_key_file_may_end_with_a_newline_or_begin_with_a_bom(engine, tmp_path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    running = engine("--key-file", str(file), ACESTEP_ENGINE_KEY="another")
    with httpx.Client(base_url=running.address, timeout=20) as http:
        answers = [
            http.get(f"{APP}/requests/none/status", headers={"Authorization": f"Key {key}"}).status_code
            for key in ("short", "another")
        ]
    assert answers == [404, 401]
    if sys.platform != "win32":
        assert running.stop(signal.SIGINT) == 130


def test_an_engine_with_a_file_of_keys_knows_those_and_no_other(engine, tmp_path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(f'[keys.anna]\nkey = "{KEY}"\n', encoding="utf-8")
    file.chmod(0o644)
    running = engine("--host", "0.0.0.0", ACESTEP_ENGINE_KEYS=str(file), ACESTEP_ENGINE_KEY="another")
    with httpx.Client(base_url=f"http://127.0.0.1:{running.address.rpartition(':')[2]}", timeout=20) as http:
        answers = [
            http.get(f"{APP}/requests/none/status", headers={"Authorization": f"Key {key}"}).status_code
            for key in (KEY, "another", "anna")
        ]
        http.get("/health", params={"asked": KEY})
    assert answers == [404, 401, 401]
    assert "Callers need its key" in running.told
    assert sys.platform == "win32" or "can read" in running.told
    running.process.kill()
    assert KEY not in running.told + running.process.stderr.read()


def test_the_lines_for_fals_clients_fit_plain_http_and_tls(tmp_path) -> None:
    plain = "\n".join(lines("http://box:8765", None, has_key=False))
    assert "FAL_RUN_HOST" not in plain  # it always uses TLS
    assert 'fal.RUN_URL_FORMAT = "http://box:8765/", "http://box:8765/run/"' in plain
    assert "not encrypted" in "\n".join(lines("http://box:8765", None, has_key=True))
    assert "not encrypted" not in "\n".join(lines("http://[::1]:8765", None, has_key=True))
    proxied = "\n".join(lines("https://music.example.org/songs", None, has_key=True))
    assert "FAL_RUN_HOST" in proxied
    assert "music.example.org/songs/run" in proxied
    assert "SSL_CERT_FILE" not in proxied  # the proxy has a publicly trusted certificate


@pytest.mark.anyio
async def test_webhooks_are_sent_only_when_allowed_and_only_to_public_hosts() -> None:
    assert outbound_http(webhooks=False)[1] is None
    _, post = outbound_http(webhooks=True)
    for address in ("http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://localhost:1/"):
        with pytest.raises(InvalidRequest):
            await post(address, b"{}", {})
