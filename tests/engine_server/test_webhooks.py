"""Signed deliveries of results to a receiver."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sqlite3
import stat
import sys
import time
from collections.abc import Mapping

import anyio
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from acestep_mcp.api.errors import InvalidRequest, QueueError
from acestep_mcp.engine_server import webhooks

pytestmark = pytest.mark.anyio

SUBMIT = "/fal-ai/ace-step?fal_webhook=https%3A%2F%2Fh.example%2Fcb%3Fa%3D1%26b%3D2"


class Receiver:
    """Replaces the HTTP client: notes deliveries and answers with the given statuses, then 200."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.done = anyio.Event()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.calls.append((url, body, headers))
        answer = self.answers.pop(0) if self.answers else 200
        if not self.answers:
            self.done.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def called(self) -> None:
        with anyio.fail_after(5):
            await self.done.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(webhooks, "DELAYS", (0.01, 0.01, 0.01))


def verify(body: bytes, headers: Mapping[str, str], keys: dict) -> None:
    """As fal's documentation tells receivers to."""
    names = ("Request-Id", "User-Id", "Timestamp")
    signed = [headers[f"X-Fal-Webhook-{name}"] for name in names] + [hashlib.sha256(body).hexdigest()]
    assert abs(time.time() - int(signed[2])) < 300
    x = keys["keys"][0]["x"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
    public.verify(bytes.fromhex(headers["X-Fal-Webhook-Signature"]), "\n".join(signed).encode())


async def test_a_result_is_delivered_once_and_its_signature_is_valid(embedded):
    receiver = Receiver()
    async with embedded(post=receiver.post, key="k") as desk:
        submit = await desk.http.post(
            SUBMIT, json={"tags": "ローファイ", "duration": 5, "seed": 4}, headers={"authorization": "Key k"}
        )
        await receiver.called()
        keys = (await desk.http.get("/.well-known/jwks.json")).json()
    ((url, body, headers),) = receiver.calls
    told = json.loads(body)
    assert url == "https://h.example/cb?a=1&b=2"
    assert set(told) == {"request_id", "gateway_request_id", "status", "payload"}
    assert (told["request_id"], told["status"]) == (submit.json()["request_id"], "OK")
    assert told["payload"]["seed"] == 4
    assert told["payload"]["audio"]["url"].startswith("http://localhost/files/")
    verify(body, headers, keys)
    with pytest.raises(InvalidSignature):
        verify(body + b" ", headers, keys)


async def test_a_failure_is_delivered_with_its_error(embedded):
    receiver = Receiver()
    async with embedded(post=receiver.post) as desk:
        await desk.http.post(SUBMIT, json={"tags": "refuse", "duration": 5})
        await receiver.called()
    told = json.loads(receiver.calls[0][1])
    assert (told["status"], told["error"]) == ("ERROR", "Invalid status code: 422")
    assert told["payload"]["detail"][0]["loc"] == ["body", "start_time"]


async def test_a_failed_delivery_is_retried(embedded):
    receiver = Receiver(500, QueueError("no answer"), 404, 200)
    async with embedded(post=receiver.post) as desk:
        await desk.http.post(SUBMIT, json={"tags": "x", "duration": 5})
        await receiver.called()
    assert len(receiver.calls) == 4
    assert len({body for _, body, _ in receiver.calls}) == 1


@pytest.mark.parametrize(
    "answer", [302, 410, InvalidRequest("that address is private"), QueueError("its certificate", is_permanent=True)]
)
async def test_a_redirect_a_private_address_or_another_lasting_refusal_ends_it(embedded, answer, tmp_path):
    receiver = Receiver(answer)
    database = tmp_path / "jobs.sqlite3"
    async with embedded(post=receiver.post, database=database) as desk:
        ticket = (await desk.http.post(SUBMIT, json={"tags": "x", "duration": 5})).json()
        await receiver.called()
        await desk.end(ticket)
    later = Receiver()
    async with embedded(post=later.post, database=database) as desk:
        await desk.end(await desk.submit())
    assert len(receiver.calls) == 1
    assert later.calls == []


async def test_pending_deliveries_of_a_stopped_server_are_made_by_the_next_with_the_same_key(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    failing = Receiver(*[QueueError("down")] * 2)
    async with embedded(post=failing.post, database=database) as desk:
        desk.engine.release.set()
        ticket = (await desk.http.post(SUBMIT, json={"tags": "hold", "duration": 5})).json()
        await failing.called()
        keys = (await desk.http.get("/.well-known/jwks.json")).json()
        failing.answers = [QueueError("down")] * 99
    receiver = Receiver()
    async with embedded(post=receiver.post, database=database):
        await receiver.called()
    ((_, body, headers),) = receiver.calls
    assert json.loads(body)["request_id"] == ticket["request_id"]
    verify(body, headers, keys)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
async def test_only_the_owner_can_read_the_signing_key(embedded, tmp_path):
    async with embedded(post=Receiver().post, database=tmp_path / "jobs.sqlite3"):
        assert stat.S_IMODE((tmp_path / "webhook-key").stat().st_mode) == 0o600


async def test_a_delivery_does_not_hold_the_signing_key(embedded, tmp_path):
    secret = b"canary-signing-4a81f7c06e92d35b0"
    (tmp_path / "webhook-key").write_bytes(secret)
    receiver = Receiver(500, 500, 200)
    async with embedded(post=receiver.post, database=tmp_path / "jobs.sqlite3") as desk:
        await desk.http.post(SUBMIT, json={"tags": "x", "duration": 5})
        await receiver.called()
        keys = (await desk.http.get("/.well-known/jwks.json")).json()
    assert receiver.calls
    for url, body, headers in receiver.calls:
        verify(body, headers, keys)
        sent = f"{url} {dict(headers)}".encode() + body
        for form in (secret, secret.hex().encode(), base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
            assert form.rstrip(b"=") not in sent


@pytest.mark.parametrize("url", ["ftp://h.example", "javascript:1", "", "http://" + "x" * 9000])
async def test_a_webhook_address_that_cannot_be_one_is_refused(embedded, url):
    async with embedded(post=Receiver().post) as desk:
        reply = await desk.http.post("/fal-ai/ace-step", params={"fal_webhook": url}, json={"tags": "x"})
    assert reply.status_code == 400


async def test_a_receiver_that_does_not_answer_in_time_is_called_again(embedded, monkeypatch):
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 0.05)
    calls, done = [], anyio.Event()

    async def post(*call):
        calls.append(call)
        if len(calls) == 1:
            await anyio.sleep_forever()
        done.set()
        return 200

    async with embedded(post=post) as desk:
        await desk.http.post(SUBMIT, json={"tags": "lofi", "duration": 5})
        with anyio.fail_after(5):
            await done.wait()
    assert len(calls) == 2


async def test_an_address_is_forgotten_once_its_result_is_delivered(embedded, tmp_path):
    receiver, database = Receiver(500, 500, 200), tmp_path / "jobs.sqlite3"
    async with embedded(post=receiver.post, database=database) as desk:
        await desk.submit("?fal_webhook=https%3A%2F%2Fh.example%2Fcb%3Ftoken%3Dcanary")
        await receiver.called()
    assert [url.partition("token=")[2] for url, *_ in receiver.calls] == ["canary"] * 3
    with contextlib.closing(sqlite3.connect(database)) as stored:
        terms, done = stored.execute("SELECT terms, told FROM job").fetchone()
    assert done
    assert "canary" not in terms
