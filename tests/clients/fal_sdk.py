"""Three scenes with the queue client of fal's SDK, unmodified; what it saw goes to stdout as one JSON object.

It runs in an environment of its own, which holds the SDK and nothing of ours. It is told where to go by the environment
alone: FAL_QUEUE_RUN_HOST, FAL_RUN_HOST, FAL_KEY, and SSL_CERT_FILE, since it always speaks TLS.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from tests.clients.strangers import strangers

MET = strangers()

import httpx  # noqa: E402
from fal import apps as fal  # noqa: E402

APP = "fal-ai/ace-step"
SONG = {"tags": "lofi", "duration": 5, "seed": 7}


def said(status: Any) -> dict[str, Any]:
    return {"state": type(status).__name__, **vars(status)}


def refused(call: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """The error that a call ends in."""
    try:
        answer = call(*arguments)
    except httpx.HTTPStatusError as error:
        return {"status": error.response.status_code, "body": error.response.json(), "text": str(error)}
    return {"answer": answer}


def life() -> dict[str, Any]:
    """Two jobs behind one that holds the engine, from the line to the song."""
    holding = fal.submit(APP, {"tags": "hold", "duration": 5})
    held = next(status for status in holding.iter_events(logs=True) if isinstance(status, fal.InProgress))
    waiting = fal.submit(APP, {"tags": "first", "duration": 5})
    handle = fal.submit(APP, {**SONG, "tags": "slow"})
    queued = [said(one.status(logs=True)) for one in (waiting, handle)]
    early = refused(handle.fetch_result)
    bare = said(holding.status())
    holding.cancel()
    events = [said(one) for one in handle.iter_events(logs=True)]
    return {
        "held": said(held),
        "bare": bare,
        "queued": queued,
        "early": early,
        "events": events,
        "last": said(handle.status(logs=True)),
        "song": handle.get(),
        "same": fal.RequestHandle(f"{APP}/prompt-to-audio", handle.request_id).fetch_result(),
        "cancelled": refused(holding.get),
        "cancelled_status": said(holding.status(logs=True)),
    }


def calls() -> dict[str, Any]:
    lines = [line.removeprefix("data: ") for line in fal.stream(APP, {**SONG, "tags": "slow"}, path="/stream")]
    return {
        "ran": fal.run(APP, SONG),
        "by path": fal.run(APP, {"prompt": "a calm lofi evening", "duration": 5}, path="/prompt-to-audio"),
        "streamed": [json.loads(line) for line in lines if not line.startswith(":")],
        "direct": json.loads(b"".join(fal.stream(APP, SONG))),
    }


def ends() -> dict[str, Any]:
    done = fal.submit(APP, SONG)
    done.get()
    failed, late = (fal.submit(APP, {**SONG, "tags": tags}) for tags in ("fail", "refuse"))
    unknown = fal.RequestHandle(APP, "00000000-0000-4000-8000-000000000000")
    told = {
        "cancel of a finished job": refused(done.cancel),
        "bad field": refused(fal.submit, APP, {"tags": "x", "duration": 9999}),
        "late": refused(late.get),
        "failed": refused(failed.get),
        "failed status": said(failed.status(logs=True)),
        "unknown": [refused(call) for call in (unknown.status, unknown.fetch_result, unknown.cancel)],
        "no such endpoint": refused(fal.submit, "fal-ai/other", {}),
    }
    os.environ["FAL_KEY"] = "kid:wrong"
    return {**told, "wrong key": refused(fal.submit, APP, SONG)}


sys.stdout.write(json.dumps({**{scene.__name__: scene() for scene in (life, calls, ends)}, "strangers": sorted(MET)}))
