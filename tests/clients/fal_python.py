"""One scene with fal's own Python client, unmodified; what it saw goes to stdout as one JSON object.

The plan comes as JSON in the first argument: {url, key, kind: "sync" | "async", scene, file}. Only the module's own
names for fal's hosts are set, before any client is made; the package's files are as they were installed. Where the
environment names the hosts, only the two are set that have no variable: those of uploads.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fal_client import client as fal

from tests.clients.strangers import strangers

APP = "fal-ai/ace-step"
SONG = {"tags": "lofi", "duration": 5, "seed": 7}


def said(status: Any) -> dict[str, Any]:
    return {"state": type(status).__name__, **vars(status)}


async def value(given: Any) -> Any:
    """What a method of either client gives."""
    return await given if inspect.isawaitable(given) else given


async def each(given: Any) -> AsyncIterator[Any]:
    if hasattr(given, "__aiter__"):
        async for one in given:
            yield one
    else:
        for one in given:
            yield one


async def refused(call: Any, *arguments: Any) -> dict[str, Any]:
    """The error that a call ends in."""
    try:
        answer = await value(call(*arguments))
    except fal.FalClientHTTPError as error:
        return {"status": error.status_code, "message": error.message, "type": error.error_type, "text": str(error)}
    return {"answer": answer}


async def until_running(handle: Any) -> Any:
    async for status in each(handle.iter_events(with_logs=True, interval=0.02)):
        if not isinstance(status, fal.Queued):
            return status
    raise AssertionError("it never ran")


async def life(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    """Two jobs behind one that holds the engine, from the line to the song."""
    holding = await value(client.submit(APP, {"tags": "hold", "duration": 5}))
    held = await until_running(holding)
    waiting = await value(client.submit(APP, {"tags": "first", "duration": 5}, path="", priority="normal", hint="h"))
    handle = await value(client.submit(APP, {**SONG, "tags": "slow", "seed": None}, start_timeout=30))
    queued = [said(await value(one.status(with_logs=True))) for one in (waiting, handle)]
    again = await value(client.get_handle(APP, handle.request_id))
    await value(holding.cancel())
    events = [said(one) async for one in each(handle.iter_events(with_logs=True, interval=0.02))]
    return {
        "held": said(held),
        "queued": queued,
        "rebuilt": [
            getattr(again, name) == getattr(handle, name) for name in ("response_url", "status_url", "cancel_url")
        ],
        "events": events,
        "bare": said(await value(client.status(APP, handle.request_id))),
        "song": await value(handle.get()),
        "same": await value(client.result(APP, handle.request_id)),
        "cancelled": await refused(holding.get),
        "cancelled_status": said(await value(holding.status(with_logs=True))),
    }


async def calls(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    ids: list[str] = []
    updates: list[dict[str, Any]] = []
    subscribed = await value(
        client.subscribe(
            APP, {**SONG, "tags": "slow"}, with_logs=True, interval=0.02,
            on_enqueue=ids.append, on_queue_update=lambda status: updates.append(said(status)), client_timeout=20,
        )
    )  # fmt: skip
    return {
        "ids": ids,
        "updates": updates,
        "subscribed": subscribed,
        "ran": await value(
            client.run(f"{APP}/prompt-to-audio", {"prompt": "a calm lofi evening", "duration": 5, "seed": None})
        ),
        "streamed": [event async for event in each(client.stream(APP, {**SONG, "tags": "slow"}))],
    }


async def ends(client: Any, _: dict[str, Any]) -> dict[str, Any]:
    done = await value(client.submit(APP, SONG))
    await value(done.get())
    failed = await value(client.submit(APP, {**SONG, "tags": "fail"}))
    late = await value(client.submit(APP, {**SONG, "tags": "refuse"}))
    unknown = "00000000-0000-4000-8000-000000000000"
    return {
        "cancel of a finished job": await refused(done.cancel),
        "bad field": await refused(client.submit, APP, {"tags": "x", "duration": 9999}),
        "bad field direct": await refused(client.run, APP, {"tags": "x", "duration": 9999}),
        "late": await refused(late.get),
        "failed": await refused(failed.get),
        "failed status": said(await value(failed.status(with_logs=True))),
        "unknown": [await refused(call, APP, unknown) for call in (client.status, client.result, client.cancel)],
        "no such endpoint": await refused(client.submit, "fal-ai/other", {}),
        "wrong key": await refused(type(client)(key="kid:wrong").submit, APP, SONG),
    }


async def uploads(client: Any, plan: dict[str, Any]) -> dict[str, Any]:
    with open(plan["file"], "rb") as file:
        data = file.read()
    urls = [await value(client.upload(data, "audio/wav", "song.wav")), await value(client.upload_file(plan["file"]))]
    edit = {"audio_url": urls[0], "tags": "strings", "start_time": 1, "end_time": 2, "seed": 3}
    return {
        "same": [httpx.get(url).content == data for url in urls],
        "urls": urls,
        "edited": await value(client.subscribe(f"{APP}/audio-inpaint", edit)),
    }


async def multipart(client: Any, plan: dict[str, Any]) -> dict[str, Any]:
    url = await value(client.upload_file(plan["file"]))
    digest, size = hashlib.sha256(), 0
    with httpx.stream("GET", url) as reply:
        for piece in reply.iter_bytes():
            digest.update(piece)
            size += len(piece)
    return {"url": url, "size": size, "sha256": digest.hexdigest()}


async def main(plan: dict[str, Any]) -> None:
    url, met = plan["url"], strangers()
    if "FAL_QUEUE_RUN_HOST" not in os.environ:
        fal.QUEUE_URL_FORMAT, fal.RUN_URL_FORMAT = f"{url}/", f"{url}/run/"
    fal.REST_URL = fal.CDN_URL = url
    client = (fal.SyncClient if plan["kind"] == "sync" else fal.AsyncClient)(key=plan["key"])
    scenes = {scene.__name__: scene for scene in (life, calls, ends, uploads, multipart)}
    saw = await scenes[plan["scene"]](client, plan)
    sys.stdout.write(json.dumps({**saw, "strangers": sorted(met)}))


asyncio.run(main(json.loads(sys.argv[1])))
