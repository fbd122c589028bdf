"""Replies as fal gives them, written from what was captured of it: status, body, headers.

`REAL` ones were seen in public captures, `E2E` ones are what fal's own live tests assert, the rest is documented only.
"""

from __future__ import annotations

from typing import Any

from tests.support.loopback import Reply

ID = "019e1951-7c5a-7b41-9d0a-5f2f8a6f0c11"
APP = "fal-ai/ace-step"
ENDPOINT = "fal-ai/ace-step/audio-inpaint"
KEY = "4be1a7de-key-id:5c0ffee5c0ffee5c0ffee5c0ffee"


def addresses(base: str) -> dict[str, str]:
    own = f"{base}/{APP}/requests/{ID}"
    return {"response_url": own, "status_url": f"{own}/status", "cancel_url": f"{own}/cancel"}


def submitted(base: str) -> Reply:  # REAL
    body = {"status": "IN_QUEUE", "request_id": ID, **addresses(base), "logs": None, "metrics": {}, "queue_position": 0}
    return Reply(200, body, {"x-fal-request-id": ID})


def log(number: int, message: str | None = None) -> dict[str, Any]:
    return {
        "timestamp": f"2024-12-20T15:37:17.{number:06}",
        "message": message or f"{number}/27",
        "labels": {},
        "level": "INFO",
        "source": "USER",
    }


def queued(base: str, position: int = 0) -> Reply:  # REAL
    return Reply(202, {"status": "IN_QUEUE", "request_id": ID, **addresses(base), "queue_position": position})


def running(base: str, *logs: dict[str, Any]) -> Reply:  # E2E
    return Reply(202, {"status": "IN_PROGRESS", "request_id": ID, **addresses(base), "logs": list(logs)})


def completed(base: str, *logs: dict[str, Any], **more: Any) -> Reply:  # REAL
    body = {"status": "COMPLETED", "request_id": ID, **addresses(base), "logs": list(logs)}
    return Reply(200, body | {"metrics": {"inference_time": 3.25}} | more)


def song(url: str = "https://v3.fal.media/files/b/penguin/x.wav", **more: Any) -> Reply:
    body = {
        "audio": {"url": url, "content_type": "audio/wav", "file_name": "x.wav", "file_size": 12},
        "seed": 42,
        "tags": "lofi, hiphop",
        "lyrics": "[inst]",
    }
    return Reply(200, body | more, {"x-fal-request-id": ID, "x-fal-billable-units": "30"})


UNKNOWN_KEY = Reply(401, {"detail": "No user found for Key ID and Secret"})  # REAL
NO_KEY = Reply(401, {"detail": "Authorization header is required"})  # REAL
ODD_KEY = Reply(  # REAL
    401, {"detail": "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."}
)
NO_ACCESS = Reply(401, {"detail": 'Cannot access application "fal-ai/ace-step". Authentication is required.'})  # REAL
NO_BALANCE = Reply(  # REAL
    403,
    {"detail": "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing"},
)
NOT_FOUND = Reply(404, {"status": "NOT_FOUND"}, {"x-fal-billable-units": "0"})  # E2E
NO_APP = Reply(404, {"detail": "Application 'ace-stp' not found"}, {"x-fal-request-id": ID})
WRONG_METHOD = Reply(405, {"detail": "Method Not Allowed"})  # REAL: the full path in a status address
TOO_EARLY = Reply(400, {"detail": "Request is still in progress"}, {"x-fal-request-id": ID})  # E2E, text REAL
INGRESS = Reply(  # REAL
    502,
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr>"
    b"<center>nginx</center></body></html>",
    {"content-type": "text/html"},
)
CANCELLED = Reply(
    499,
    {"detail": "Request cancelled by the client.", "error_type": "client_cancelled"},
    {"x-fal-error-type": "client_cancelled", "x-fal-request-id": ID},
)
WRONG_INPUT = Reply(
    422,
    {
        "detail": [
            {
                "loc": ["body", "duration"],
                "msg": "Input should be less than or equal to 240",
                "type": "less_than_equal",
                "url": "https://docs.fal.ai/errors/#less_than_equal",
                "ctx": {"le": 240},
                "input": 300,
            },
            {"loc": ["body", "tags"], "msg": "Field required", "type": "missing", "input": {"duration": 300}},
        ]
    },
    {"x-fal-request-id": ID, "x-fal-billable-units": "0"},
)
NO_MEDIA = Reply(
    422,
    {"detail": [{"loc": ["body"], "msg": "No media was generated.", "type": "no_media_generated"}]},
    {"x-fal-request-id": ID},
)
RUNNER_LOST = Reply(
    503,
    {"detail": "Runner disconnected", "error_type": "runner_disconnected"},
    {"x-fal-error-type": "runner_disconnected", "x-fal-request-id": ID},
)
USER_TIMEOUT = Reply(
    504,
    {"detail": "Request timed out", "error_type": "request_timeout"},
    {"x-fal-request-timeout-type": "user", "x-fal-error-type": "request_timeout", "x-fal-request-id": ID},
)
APP_CRASHED = Reply(500, {"detail": "Internal Server Error"}, {"x-fal-request-id": ID})
MODEL_CRASHED = Reply(
    500,
    {"detail": [{"loc": ["body"], "msg": "CUDA out of memory", "type": "internal_server_error"}]},
    {"x-fal-request-id": ID, "x-fal-needs-retry": "1"},
)
TOO_MANY = Reply(
    429,
    {"detail": "Too many concurrent requests", "error_type": "concurrent_requests_limit"},
    {"x-fal-error-type": "concurrent_requests_limit", "x-fal-needs-retry": "1"},
)
CANCELLING = Reply(202, {"status": "CANCELLATION_REQUESTED"})  # E2E
ALREADY = Reply(400, {"status": "ALREADY_COMPLETED"})  # E2E
