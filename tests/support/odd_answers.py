"""A host that answers rubbish: what it sends in each place, and how the job has to end."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import soundfile

from tests.support.loopback import Reply, Seen

HTML = Reply(200, b"<!DOCTYPE html><html><title>Sign in</title></html>", {"content-type": "text/html"})
HUGE = 10**400
ESC = "\x1b[31mred\x1b]0;title\x07\x9b2J"
DEEP = "[" * 500 + "]" * 500
DEEPER = "[" * 100_000 + "]" * 100_000

Answer = Reply | Callable[[str, int], Reply]
"""A reply, or a function of the host's address and the number of the request that gives one."""


@dataclass(frozen=True)
class Case:
    """One odd answer at one place: `submit`, `status`, `stream`, `result` or `file`; all other answers are right.

    `says` stands in the job's error; None: the song is made. `downloads`: how often its file may be asked for.
    """

    name: str
    place: str
    answer: Answer
    says: str | None = None
    downloads: int = 1


@cache
def audio(kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, (np.sin(np.arange(4000) / 5) * 9000).astype(np.int16), 8000, format=kind)
    return file.getvalue()


def song(base: str, number: int, **more: Any) -> dict[str, Any]:
    name = {"url": f"{base}/file/{number}", "content_type": "audio/wav", "file_name": "a.wav"}
    audio_field = name | {"file_size": len(audio())}
    return {"audio": audio_field | more.pop("audio", {}), "seed": number, "tags": "lofi", "lyrics": "[inst]"} | more


def with_fields(**more: Any) -> Answer:
    return lambda base, number: Reply(200, song(base, number, **more))


def with_text(old: str, new: str | bytes, **headers: str) -> Answer:
    """The right result with a piece of its JSON replaced."""

    def answer(base: str, number: int) -> Reply:
        text = json.dumps(song(base, number)).encode()
        assert old.encode() in text
        body = text.replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1)
        return Reply(200, body, {"content-type": "application/json", **headers})

    return answer


def with_address(url: Any, says: str | None, downloads: int = 0) -> Case:
    return Case(f"address {str(url)[:40]!r}", "result", with_fields(audio={"url": url}), says, downloads)


def encoded(encoding: str) -> Answer:
    return lambda base, number: Reply(
        200, json.dumps(song(base, number, tags="lôfi"), ensure_ascii=False).encode(encoding)
    )


def zipped(base: str, number: int) -> Reply:
    return Reply(200, gzip.compress(json.dumps(song(base, number)).encode()), {"content-encoding": "gzip"})


def status(**fields: Any) -> Reply:
    return Reply(200, {"status": "COMPLETED", "logs": [], "metrics": {}} | fields)


def in_turn(*replies: Reply) -> Answer:
    """The replies one after the other, and after the last that the request has ended."""
    asked: dict[int, int] = {}

    def answer(base: str, number: int) -> Reply:
        turn = asked[number] = asked.get(number, -1) + 1
        return replies[turn] if turn < len(replies) else status()

    return answer


def accepted(number: int, **more: Any) -> dict[str, Any]:
    return {"request_id": f"case-{number}", "status": "IN_QUEUE"} | more


def with_handle(**more: Any) -> Answer:
    return lambda base, number: Reply(200, accepted(number, **more))


def events(*chunks: bytes) -> Reply:
    return Reply(200, headers={"content-type": "text/event-stream"}, stream=chunks)


def redirect(to: str) -> Reply:
    return Reply(302, b"", {"location": to})


def events_of(*states: dict[str, Any]) -> Reply:
    return events(*(b"data: " + json.dumps(state).encode() + b"\n\n" for state in states))


RUNNING = {"status": "IN_PROGRESS", "logs": [{"message": "1/2", "timestamp": "a"}]}
ENDED = {"status": "COMPLETED", "logs": []}
NO_ID, NOT_A_SONG, ODD_STATE = "holds no request id", "names no audio file", "unknown state"
NOT_AUDIO, NOT_USED, FOREVER = "not usable audio", "address that is not used", "another try would end the same way"

MEASURED = {"lufs": -20.0, "peak_dbfs": -3.0, "clipped_samples": 0, "silent": False}
HEARD = {
    "loudness_range": 1.0, "true_peak_dbtp": -3.0, "silence_at_start": 0.0, "silence_at_end": 0.0, "gaps": [],
    "brightness": "warm", "brightness_hz": 900, "stereo": "mono", "stereo_width": 0.0, "balance_db": 0.0, "correlation": 1.0,
    "dc_offset": 0.0, "tempo": 90.0, "tempo_alternative": 180.0, "tempo_confidence": 1.0, "metre": "4/4",
    "metre_confidence": 1.0, "downbeat": 0.1, "downbeat_confidence": 1.0, "key": "C major", "key_alternative": "A minor",
    "key_confidence": 1.0,
}  # fmt: skip

SUBMITS = [
    Case("a web page", "submit", HTML, NO_ID, 0),
    Case("nothing", "submit", Reply(200), NO_ID, 0),
    Case("null", "submit", Reply(200, b"null"), NO_ID, 0),
    Case("id null", "submit", Reply(200, {"request_id": None}), NO_ID, 0),
    Case("id number", "submit", Reply(200, {"request_id": 5}), NO_ID, 0),
    Case("id list", "submit", Reply(200, {"request_id": ["a"]}), NO_ID, 0),
    Case("id path", "submit", Reply(200, {"request_id": "../../x"}), NO_ID, 0),
    Case("id endless", "submit", Reply(200, {"request_id": "a" * 65}), NO_ID, 0),
    Case("id with half a surrogate", "submit", Reply(200, b'{"request_id": "a\\ud800"}'), NO_ID, 0),
    Case("9 MB", "submit", Reply(200, b" " * 9_000_000), "larger than", 0),
    Case("gzip that is none", "submit", Reply(200, b"{}", {"content-encoding": "gzip"}), "could not be decoded", 0),
    Case("server error", "submit", Reply(500, {"detail": [[[1]]]}), "may have been accepted", 0),
    Case("redirect", "submit", redirect("https://else.example/"), "redirects to https://else.example/", 0),
    Case("redirect with controls", "submit", Reply(302, b"", {"location": "https://x/\x9b2J"}), "redirects", 0),
    Case("no key", "submit", Reply(401, b"\xff\xfe"), "a key is needed", 0),
    Case("forbidden", "submit", Reply(403, {"detail": {"a": "b"}}), "permissions", 0),
    Case("gone", "submit", Reply(404, HTML.body), "no such endpoint", 0),
    Case("no queue", "submit", Reply(405, DEEPER.encode()), "does not take this", 0),
    Case("a teapot", "submit", Reply(418, {"detail": ESC}), "418", 0),
    Case("odd fields", "submit", Reply(422, {"detail": [{"loc": [{}, HUGE], "msg": 5, "input": HUGE}]}), "refused", 0),
    Case("fields as text", "submit", Reply(422, {"detail": "\ud800" + ESC}), "refused", 0),
    Case("too often", "submit", Reply(429, b"", {"retry-after": "9" * 30}), "too many requests", 0),
    Case("until a date that is none", "submit", Reply(429, b"", {"retry-after": "Mon, 99 Foo 99999"}), "too many", 0),
    Case("informational", "submit", Reply(raw=b"HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n"), "999", 0),
    Case("no HTTP", "submit", Reply(raw=b"SSH-2.0-OpenSSH\r\n\r\n"), "not valid HTTP", 0),
    Case("two lengths", "submit", Reply(raw=b"HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"), "broke off", 0),
    Case("foreign addresses", "submit", with_handle(status_url="http://10.0.0.1/", response_url=5, cancel_url="file:/")),
    Case("nested", "submit", lambda _, n: Reply(200, f'{{"x": {DEEPER}, "request_id": "case-{n}"}}'.encode())),
    Case("UTF-16", "submit", lambda _, n: Reply(200, json.dumps(accepted(n)).encode("utf-16"))),
    Case("created", "submit", lambda _, n: Reply(201, accepted(n, queue_position=-HUGE, gateway_request_id=[]))),
]  # fmt: skip

STATES = [
    Case("a web page", "status", HTML, ODD_STATE, 0),
    Case("nothing", "status", Reply(200), ODD_STATE, 0),
    Case("a list", "status", Reply(200, []), ODD_STATE, 0),
    Case("a text", "status", Reply(200, "COMPLETED"), ODD_STATE, 0),
    Case("a number", "status", Reply(200, {"status": HUGE}), ODD_STATE, 0),
    Case("lower case", "status", Reply(200, {"status": "completed"}), ODD_STATE, 0),
    Case("controls", "status", Reply(200, {"status": ESC}), ODD_STATE, 0),
    Case("a page not found", "status", Reply(404, HTML.body), "no such endpoint", 0),
    Case("gone", "status", Reply(410, {"detail": "gone"}), "410", 0),
    Case("moved", "status", redirect("/elsewhere"), "redirects", 0),
    Case("no content", "status", Reply(204), "204", 0),
    Case("not implemented", "status", Reply(501), "501", 0),
    Case("unknown", "status", Reply(404, {"status": "NOT_FOUND"}), "does not know this request", 0),
    Case("9 MB", "status", Reply(200, b" " * 9_000_000), "larger than", 0),
    Case("gzip that is none", "status", Reply(200, b"{}", {"content-encoding": "gzip"}), "could not be decoded", 0),
    Case("a page, then the state", "status", in_turn(HTML)),
    Case("a fault, then the state", "status", in_turn(Reply(502, HTML.body), Reply(529), Reply(408))),
    Case("position text", "status", in_turn(Reply(202, {"status": "IN_QUEUE", "queue_position": "3"}))),
    Case("position huge", "status", in_turn(Reply(202, {"status": "IN_QUEUE", "queue_position": HUGE}))),
    Case("position infinite", "status", in_turn(Reply(202, b'{"status": "IN_QUEUE", "queue_position": -Infinity}'))),
    Case("position list", "status", in_turn(Reply(202, {"status": "IN_QUEUE", "queue_position": [1]}))),
    Case("logs of numbers", "status", in_turn(Reply(202, {"status": "IN_PROGRESS", "logs": [1, None, [], HUGE]}))),
    Case("logs an object", "status", in_turn(Reply(202, {"status": "IN_PROGRESS", "logs": {"message": "1/2"}}))),
    Case("log half a surrogate", "status", in_turn(Reply(202, b'{"status":"IN_PROGRESS","logs":[{"message":"\\ud800 1/2"}]}'))),
    Case("log null byte", "status", in_turn(Reply(202, {"status": "IN_PROGRESS", "logs": [{"message": "a\0b"}]}))),
    Case("log controls", "status", status(logs=[{"message": ESC, "level": ESC, "timestamp": ESC}])),
    Case("log steps huge", "status", in_turn(Reply(202, {"status": "IN_PROGRESS", "logs": [{"message": "9" * 5000 + "/" + "9" * 5000}]}))),
    Case("log fields odd", "status", status(logs=[{"message": {"a": 1}, "level": HUGE, "timestamp": []}])),
    Case("nested logs", "status", in_turn(Reply(202, f'{{"status": "IN_PROGRESS", "logs": {DEEPER}}}'.encode()))),
    Case("seconds huge", "status", status(metrics={"inference_time": HUGE})),
    Case("seconds text", "status", status(metrics={"inference_time": "3"})),
    Case("metrics list", "status", status(metrics=[1])),
    Case("wrong bytes", "status", Reply(200, b'{"status": "COMPLETED", "logs": [{"message": "\xff\xfe"}]}')),
    Case("an error of another type", "status", status(error={"a": [DEEP]}, error_type=5)),
]  # fmt: skip

STREAMS = [
    Case("no stream", "stream", HTML),
    Case("no JSON", "stream", events(b"data: hello\n\n")),
    Case("null", "stream", events(b"data: null\n\n")),
    Case("half a surrogate", "stream", events(b'data: {"status": "IN_PROGRESS", "logs": [{"message": "\\udfff"}]}\n\n')),
    Case("wrong bytes", "stream", events(b'data: {"status": "COMPLETED", "error": null, "x": "\xc3"}\n\n')),
    Case("5 MB event", "stream", events(b"data: " + b" " * 5_000_000)),
    Case("5 MB of lines", "stream", events(b"data:\n" * 850_000)),
    Case("only comments", "stream", events(b": ping\n\n" * 1000)),
    Case("other fields", "stream", events(b"id: 1\r\nretry: x\r\nevent: \x1b\r\n\r\n", b'data:{"status":"COMPLETED"}\r\n\r\n')),
    Case("cut in an event", "stream", events(b'data: {"status": "COMPL')),
    Case("an unknown state", "stream", events_of({"status": "DANCING"})),
    Case("backwards", "stream", events_of(ENDED | {"status": "IN_PROGRESS"}, {"status": "IN_QUEUE", "queue_position": 9}, ENDED)),
    Case("10,000 lines", "stream", events_of(*[RUNNING] * 2, {"status": "IN_PROGRESS", "logs": [{"message": str(n)} for n in range(10_000)]}, ENDED)),
    Case("nested", "stream", events(f'data: {{"status": "COMPLETED", "logs": {DEEPER}}}\n\n'.encode())),
    Case("an error status", "stream", Reply(500)),
    Case("an odd content type", "stream", Reply(200, headers={"content-type": "text/event-stream;\xe9"}, stream=[b"data: {}\n\n"])),
]  # fmt: skip

RESULTS = [
    Case("a web page", "result", HTML, NOT_A_SONG, 0),
    Case("nothing", "result", Reply(200), NOT_A_SONG, 0),
    Case("a list", "result", Reply(200, [1]), NOT_A_SONG, 0),
    Case("empty", "result", Reply(200, {}), NOT_A_SONG, 0),
    Case("audio null", "result", Reply(200, {"audio": None, "seed": 1, "tags": "", "lyrics": ""}), NOT_A_SONG, 0),
    Case("audio text", "result", Reply(200, {"audio": "https://x.example/a.wav"}), NOT_A_SONG, 0),
    Case("audio list", "result", Reply(200, {"audio": [{"url": "https://x.example/a.wav"}]}), NOT_A_SONG, 0),
    Case("no address", "result", Reply(200, {"audio": {"file_name": "a.wav"}}), NOT_A_SONG, 0),
    Case("gone", "result", Reply(410), "410", 0),
    Case("404 of a web server", "result", Reply(404, HTML.body), "no such endpoint", 0),
    Case("moved", "result", redirect("https://x.example"), "redirects", 0),
    Case("9 MB", "result", Reply(200, b" " * 9_000_000), "larger than", 0),
    Case("fields odd", "result", Reply(422, {"detail": [{"loc": "x", "msg": [], "type": {}, "input": DEEP}, 5]}), "refused", 0),
    Case("failed", "result", Reply(500, {"detail": ESC, "error_type": "x\x1b"}), "generation failed", 0),
    with_address(5, NOT_A_SONG),
    with_address("", NOT_A_SONG),
    with_address(" ", NOT_USED),
    with_address("/file/1", NOT_USED),
    with_address("file:///etc/passwd", NOT_USED),
    with_address("javascript:alert(1)", NOT_USED),
    with_address("data:audio/wav;base64,AAAA", NOT_USED),
    with_address("https://127.0.0.1/a.wav", NOT_USED),
    with_address("https://[::ffff:10.0.0.1]/a.wav", NOT_USED),
    with_address("http://public.example/a.wav", NOT_USED),
    with_address("https://user:pass@public.example/a.wav", NOT_USED),
    with_address("https://xn--/a.wav", NOT_USED),
    with_address("https://a.example/" + "a" * 70_000, NOT_USED),
    Case("address half a surrogate", "result", with_text('"url": "', '"url": "\\ud800'), NOT_USED, 0),
    Case("address null byte", "result", with_text('"url": "', '"url": "\\u0000'), NOT_USED, 0),
    *(
        Case(f"size {ascii(size)[:20]}", "result", with_fields(audio={"file_size": size}), None, downloads)
        for size, downloads in [("12", 2), (-1, 1), (HUGE, 1), (3.7, 1), ([], 1), (1, 2), (10**12, 2), (None, 1)]
    ),
    Case("size infinite", "result", with_text(f'"file_size": {len(audio())}', '"file_size": Infinity')),
    Case("file fields odd", "result", with_fields(audio={"content_type": ["a"], "file_name": {"b": ESC}})),
    Case("file name", "result", with_fields(audio={"file_name": "../../../etc/passwd\0" + ESC})),
    *(
        Case(f"seed {ascii(seed)[:20]}", "result", with_fields(seed=seed))
        for seed in ["7", 7.0, 7.5, -1, None, HUGE, 2**64, [], True, "\u0663", "x"]
    ),
    Case("seed infinite", "result", with_text('"seed": ', '"seed": NaN, "x": ')),
    *(
        Case(f"{name} {ascii(value)[:20]}", "result", with_fields(**{name: value}))
        for name in ("tags", "lyrics")
        for value in [None, 5, ["lofi"], {"a": DEEP}, ESC, "a\0b", "x" * 2_000_000, "\u202egnihton", ""]
    ),
    Case("tags half a surrogate", "result", with_text('"tags": "', '"tags": "\\ud800')),
    Case("lyrics half a surrogate", "result", with_text('"lyrics": "', '"lyrics": "\\udc00')),
    Case("latin-1", "result", with_text('"tags": "', b'"tags": "\xe9')),
    Case("a raw line end", "result", with_text('"tags": "', '"tags": "a\nb')),
    Case("UTF-16", "result", encoded("utf-16")),
    Case("UTF-8 with a mark", "result", encoded("utf-8-sig")),
    Case("gzip", "result", zipped),
    Case("other types", "result", with_text('"seed"', '"seed"', **{"content-type": "image/png"})),
    *(
        Case(f"report {ascii(report)[:30]}", "result", with_fields(acestep=report))
        for report in [
            "text", 5, [], None, {"notes": 5}, {"notes": "one"}, {"notes": ["right", 5, None, ESC]}, {"notes": {"a": 1}},
            {"notes": ["n" * 10_000] * 500}, {"engine": 5, "model": [], "version": {}, "writer": True},
            {"engine": ESC, "model": "a\0b", "version": "\u202e1"}, {"sections": "verse"}, {"sections": [1, None, {}]},
            {"sections": [{"name": "verse", "start": HUGE, "end": -HUGE}]}, {"sections": [{"name": ESC, "start": 0, "end": 1}]},
            {"sections": [{"name": "a", "start": "0", "end": [1]}] * 5000}, {"measured": 5}, {"measured": {"lufs": ESC}},
            {"measured": {"lufs": HUGE, "peak_dbfs": None, "clipped_samples": True, "silent": 0}},
        ]
    ),
    *(
        Case(f"heard {ascii(odd)[:40]}", "result", with_fields(acestep={"measured": MEASURED, "heard": HEARD | odd}))
        for odd in [
            {}, {"tempo_alternative": None}, {"tempo": None}, {"key": None}, {"key_alternative": None, "metre": None},
            {"gaps": [[2, 1]] * 100_000}, {"gaps": [[1, None]]}, {"gaps": [[-(2**52), 2**52]]}, {"brightness": ESC},
            {"tempo": HUGE}, {"tempo_confidence": 2}, {"loudness_range": "1"}, {"balance_db": 2**52, "correlation": -9},
            {"words": {"share": "half"}}, {"true_peak_dbtp": None, "downbeat": None}, {"summary": ESC},
        ]
    ),
    Case("report half a surrogate", "result", with_text('"seed"', '"acestep": {"notes": ["\\ud800"], "engine": "\\udfff"}, "seed"')),
    Case("report infinite", "result", with_text('"seed"', '"acestep": {"measured": {"lufs": -Infinity}, "sections": [{"name": "a", "start": NaN, "end": 1e999}]}, "seed"')),
    Case("report nested", "result", with_text('"seed"', f'"acestep": {{"notes": {DEEP}, "sections": {DEEPER}}}, "seed"')),
    Case("more fields", "result", with_fields(**{"\0": ESC, "timings": {"x": HUGE}, "__class__": "os.system"})),
    Case("nested", "result", with_text('"seed"', f'"x": {DEEPER}, "seed"')),
    Case("a field twice", "result", with_text('"seed"', '"seed": "old", "seed"')),
]  # fmt: skip

FILES = [
    Case("gone", "file", Reply(404), "404 instead of the file"),
    Case("forbidden", "file", Reply(403, b"<Error>AccessDenied</Error>"), "403 instead of the file"),
    Case("removed", "file", Reply(410), "410 instead of the file"),
    Case("no content", "file", Reply(204), "204 instead of the file"),
    Case("a part", "file", Reply(206, audio()), "206 instead of the file"),
    Case("a choice", "file", Reply(300, audio()), "300 instead of the file"),
    Case("unchanged", "file", Reply(304), "304 instead of the file"),
    Case("not implemented", "file", Reply(501), "501 instead of the file"),
    Case("a web page", "file", HTML, "a web page, not audio", 2),
    Case("nothing", "file", Reply(200), NOT_AUDIO, 2),
    Case("a text", "file", Reply(200, b"this is no song"), NOT_AUDIO, 2),
    Case("JSON", "file", Reply(200, {"detail": "later"}), NOT_AUDIO, 2),
    Case("an image", "file", Reply(200, b"\x89PNG\r\n\x1a\n" + bytes(999)), NOT_AUDIO, 2),
    Case("zeros", "file", Reply(200, bytes(100_000)), NOT_AUDIO, 2),
    Case("cut", "file", Reply(200, audio()[:500]), NOT_AUDIO, 2),
    Case("cut before its length", "file", Reply(200, audio(), cut=500), "after 500 bytes at each of 6 tries", 6),
    Case("a header only", "file", Reply(200, audio()[:44]), NOT_AUDIO, 2),
    Case("a compressed file", "file", Reply(200, gzip.compress(audio()), {"content-encoding": "gzip"}), "encoding"),
    Case("10 TB", "file", Reply(raw=b"HTTP/1.1 200 X\r\ncontent-length: 9999999999999\r\n\r\nRIFF"), "at most"),
    Case("an odd length", "file", Reply(raw=b"HTTP/1.1 200 X\r\ncontent-length: -5\r\n\r\nRIFF"), "not valid HTTP"),
    Case("a loop", "file", lambda _, n: redirect(f"/file/{n}"), "redirects more than", 6),
    Case("to a file", "file", redirect("file:///etc/passwd"), NOT_USED),
    Case("to a private host", "file", redirect("https://192.168.1.1/a"), NOT_USED),
    Case("to plain http", "file", redirect("http://public.example/a"), NOT_USED),
    Case("to no name", "file", redirect("https://xn--/a"), "an address that is not valid"),
    Case("to a name and password", "file", redirect("https://a:b@public.example/a"), NOT_USED),
    Case("to bytes", "file", Reply(raw=b"HTTP/1.1 302 X\r\nlocation: https://a..\xff/\r\ncontent-length: 0\r\n\r\n"), "not valid HTTP"),
    Case("in chunks", "file", Reply(200, stream=[audio()[:99], audio()[99:]])),
    Case("of a wrong type", "file", Reply(200, audio(), {"content-type": "text/html; charset=klingon"})),
    Case("FLAC", "file", Reply(200, audio("FLAC")), None, 2),
    Case("Ogg", "file", Reply(200, audio("OGG")), None, 2),
    Case("with odd headers", "file", Reply(200, audio(), {"content-disposition": "attachment; filename=\x9b", "x": "\u202e"})),
]  # fmt: skip

CASES = [*SUBMITS, *STATES, *STREAMS, *RESULTS, *FILES]


class OddHost:
    """Answers each job as the case of its seed says. `downloads` counts the requests for the file of each case."""

    def __init__(self, cases: list[Case]) -> None:
        self.cases = cases
        self.base = ""
        self.downloads = dict.fromkeys(range(len(cases)), 0)

    def __call__(self, seen: Seen) -> Reply:
        place, number = self._asked(seen)
        case = self.cases[number]
        if place == "file":
            self.downloads[number] += 1
        answer = case.answer if case.place == place else self._right(place, case)
        return answer(self.base, number) if callable(answer) else answer

    @staticmethod
    def _asked(seen: Seen) -> tuple[str, int]:
        *_, last = parts = seen.path.split("/")
        if seen.method == "POST":
            return "submit", seen.json()["seed"]
        if "file" in parts:
            return "file", int(last)
        if "requests" not in parts:  # a look for a server of another kind, after a submit that was answered 404
            return "received", 0
        name = parts[parts.index("requests") + 1]
        if not name.startswith("case-"):
            return "received", 0
        number = int(name.removeprefix("case-"))
        return (last if last in ("status", "stream") else "result"), number

    @staticmethod
    def _right(place: str, case: Case) -> Answer:
        """A case of the status is polled; a case of the stream that breaks is polled too."""
        match place:
            case "submit":
                return with_handle()
            case "received":  # it knows no keys of requests
                return Reply(404)
            case "stream":
                return Reply(404) if case.place == "status" else events_of(RUNNING, ENDED)
            case "status":
                return status()
            case "file":
                return Reply(200, audio())
        return with_fields()
