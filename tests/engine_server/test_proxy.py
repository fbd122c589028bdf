"""Clients that send everything to one address."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.anyio

PROXY = "/api/fal/proxy"


def to(url: str) -> dict[str, str]:
    return {"x-fal-target-url": url}


async def test_a_song_is_made_through_the_proxy_alone(embedded):
    queue = "https://queue.fal.run/fal-ai/ace-step"
    async with embedded() as desk:
        ticket = (await desk.http.post(PROXY, json={"tags": "hold", "duration": 5}, headers=to(queue))).json()
        url = f"{queue}/requests/{ticket['request_id']}"
        await desk.running()
        asked = await desk.http.get(PROXY, headers=to(f"{url}/status?logs=1"))
        cancelled = await desk.http.put(PROXY, headers=to(f"{url}/cancel"))
        await desk.end(ticket)
        result = await desk.http.get(f"{PROXY}/", headers=to(url))
        body = {"tags": "x", "duration": 5, "seed": 8}
        run = await desk.http.post(PROXY, json=body, headers=to("https://fal.run/fal-ai/ace-step"))
    assert asked.json()["logs"]
    assert (cancelled.status_code, result.status_code) == (202, 499)
    assert run.json()["seed"] == 8


async def test_an_upload_goes_through_the_proxy_to_the_address_that_was_given(embedded, wav):
    async with embedded() as desk:
        start = "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3"
        begun = (await desk.http.post(PROXY, json={"file_name": "a.wav"}, headers=to(start))).json()
        put = await desk.http.put(PROXY, content=wav, headers=to(begun["upload_url"]))
        file = await desk.http.get(begun["file_url"])
    assert put.status_code == 200
    assert file.content == wav


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://evil.example/x",
        "https://queue.fal.run.evil.example/x",
        "https://x@queue.fal.run/x",
        "http://[",
        "/x",
    ],
)
async def test_any_other_destination_is_refused(embedded, url):
    async with embedded() as desk:
        assert (await desk.http.post(PROXY, json={}, headers=to(url))).status_code == 412


async def test_the_proxy_opens_nothing_that_needs_a_key(embedded):
    async with embedded(key="k") as desk:
        submit = await desk.http.post(PROXY, json={}, headers=to("https://queue.fal.run/fal-ai/ace-step"))
        rebound = await desk.http.get(PROXY, headers={**to("https://queue.fal.run/health"), "host": "evil.example"})
    assert (submit.status_code, rebound.status_code) == (401, 421)
