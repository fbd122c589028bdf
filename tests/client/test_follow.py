"""Following a request: every change once, whatever connection breaks."""

from __future__ import annotations

import json
import time
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise

import anyio
import pytest

from acestep_mcp.api.errors import ConfigurationError, QueueError, RequestUnknown
from acestep_mcp.api.updates import Completed, InProgress, Queued, Update
from acestep_mcp.client import Host, QueueClient, RequestHandle
from acestep_mcp.net.timeouts import Timeouts
from tests.support import fal_replies as fal
from tests.support.fal_replies import APP, ENDPOINT, ID
from tests.support.loopback import Reply, Script, Server, listening

pytestmark = pytest.mark.anyio

SHORT = Timeouts(connect=2, answer=0.5, silence=0.5, outage=0.5, first_wait=0.01, longest_wait=0.05)
BASE = "http://queue.example"


def event(reply: Reply) -> bytes:
    return b"data: " + json.dumps(reply.body).encode() + b"\n\n"


def stream(*chunks: bytes, clean: bool = True) -> Reply:
    return Reply(200, headers={"content-type": "text/event-stream"}, stream=chunks, clean=clean)


async def followed(script: Script, *, streams: bool, timeouts: Timeouts = SHORT) -> tuple[list[Update], Server]:
    async with listening(script) as server:
        host = Host(server.url, server.url, fal.KEY, "fal", (0.01, 0.02), streams, timeouts=timeouts)
        updates = []
        with anyio.fail_after(10):
            async with QueueClient(host) as client, aclosing(client.follow(ENDPOINT, RequestHandle(ID))) as news:
                async for update in news:
                    updates.append(update)
    return updates, server


def lines(updates: list[Update]) -> list[str]:
    return [log.message for update in updates if not isinstance(update, Queued) for log in update.logs]


def script_of(*replies: Reply) -> Script:
    """The replies in turn, the last one repeatedly."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def numbered(first: int, last: int) -> list:
    return [fal.log(number) for number in range(first, last + 1)]


async def test_polling_asks_the_short_address_for_logs():
    _, server = await followed(script_of(fal.completed(BASE)), streams=False)
    assert [seen.target for seen in server.seen] == [f"/{APP}/requests/{ID}/status?logs=1"]


async def test_polling_reports_each_change_and_each_line_once():
    updates, _ = await followed(
        script_of(
            fal.queued(BASE, 2),
            fal.queued(BASE, 2),
            fal.queued(BASE, 1),
            fal.running(BASE),
            fal.running(BASE, *numbered(1, 2)),
            fal.running(BASE, *numbered(1, 2)),
            fal.running(BASE, *numbered(1, 4)),
            fal.completed(BASE, *numbered(1, 5)),
        ),
        streams=False,
    )
    assert [type(update) for update in updates] == [
        Queued, Queued, InProgress, InProgress, InProgress, Completed,
    ]  # fmt: skip
    assert updates[:2] == [Queued(2), Queued(1)]
    assert lines(updates) == [f"{n}/27" for n in range(1, 6)]
    assert updates[-1].inference_time == 3.25


async def test_polls_come_less_and_less_often_while_nothing_changes():
    times = []

    def script(_):
        times.append(time.monotonic())
        return fal.queued(BASE) if len(times) < 8 else fal.completed(BASE)

    async with listening(script) as server:
        host = Host(server.url, server.url, None, "fal", (0.01, 0.05), streams=False, timeouts=SHORT)
        async with QueueClient(host) as client:
            [_, _] = [update async for update in client.follow(ENDPOINT, RequestHandle(ID))]
    gaps = [after - before for before, after in pairwise(times)]
    for gap, pause in zip(gaps, [0.01, 0.015, 0.0225, 0.03375, 0.05, 0.05, 0.05], strict=True):
        assert gap >= 0.9 * pause


async def test_a_repeated_message_at_another_time_is_another_line():
    same = [fal.log(1, "loading"), fal.log(2, "loading"), fal.log(2, "loading")]
    updates, _ = await followed(script_of(fal.running(BASE, *same), fal.completed(BASE, *same)), streams=False)
    assert lines(updates) == ["loading"] * 3


async def test_a_failed_request_is_completed_with_its_error():
    ended = fal.completed(BASE, error="Runner disconnected", error_type="runner_disconnected")
    updates, _ = await followed(script_of(ended), streams=False)
    assert updates == [Completed((), "Runner disconnected", "runner_disconnected", 3.25)]


async def test_an_error_type_alone_is_failure_too():
    updates, _ = await followed(script_of(fal.completed(BASE, error_type="internal_error")), streams=False)
    assert updates[-1].error == "internal_error"


async def test_the_stream_adds_up_to_every_line_once():
    whole = (
        event(fal.queued(BASE, 1)) + b": ping\n\n" + event(fal.queued(BASE, 0))
        + event(fal.running(BASE, *numbered(1, 2))) + event(fal.running(BASE, fal.log(3)))
        + event(fal.completed(BASE, fal.log(4)))
    )  # fmt: skip
    updates, server = await followed(lambda _: stream(whole), streams=True)
    assert [type(u).__name__ for u in updates] == ["Queued", "Queued", "InProgress", "InProgress", "Completed"]
    assert lines(updates) == ["1/27", "2/27", "3/27", "4/27"]
    assert [seen.target for seen in server.seen] == [f"/{APP}/requests/{ID}/status/stream?logs=1"]
    assert server.seen[0].headers["accept"] == "text/event-stream"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_events_cut_anywhere_on_the_wire_are_read_whole(size):
    text = (event(fal.running(BASE, fal.log(1, "début ♪")))
        + event(fal.completed(BASE, fal.log(2)))).replace(b"\n", b"\r\n")  # fmt: skip
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    updates, _ = await followed(lambda _: stream(*pieces), streams=True)
    assert lines(updates) == ["début ♪", "2/27"]


async def test_an_event_of_several_data_lines_and_other_fields_is_read():
    text = b'id: 1\nevent: status\ndata: {"status":\ndata: "IN_QUEUE", "queue_position": 3}\n\n'
    updates, _ = await followed(lambda _: stream(text + event(fal.completed(BASE))), streams=True)
    assert updates[0] == Queued(3)


BREAKS = {
    "reset": {"clean": False},
    "early end": {"clean": True},
    "half event": {"tail": b'data: {"status": "COMPL'},
    "not json": {"tail": b"data: {oops\n\n"},
    "unknown state": {"tail": b'data: {"status": "FAILED"}\n\n'},
    "a list": {"tail": b"data: []\n\n"},
}


@pytest.mark.parametrize("broken", BREAKS)
async def test_a_stream_that_breaks_is_gone_on_from_by_polls_without_loss_or_repeat(broken):
    tail = BREAKS[broken].get("tail", b"")
    first = event(fal.running(BASE, *numbered(1, 2))) + event(fal.running(BASE, fal.log(3))) + tail
    polls = iter([fal.running(BASE, *numbered(1, 5)), fal.completed(BASE, *numbered(1, 6))])

    def script(seen):
        return stream(first, clean=BREAKS[broken].get("clean", True)) if "/stream" in seen.target else next(polls)

    updates, server = await followed(script, streams=True)
    assert lines(updates) == [f"{n}/27" for n in range(1, 7)]
    assert len(server.seen) == 3 and isinstance(updates[-1], Completed)


@pytest.mark.parametrize("after", ["a reset", "silence", "not json"])
async def test_what_happens_to_a_stream_after_its_last_word_changes_nothing(after):
    last = event(fal.completed(BASE, fal.log(2))) + (b"data: {oops\n\n" if after == "not json" else b"")
    reply = stream(event(fal.running(BASE, fal.log(1))), last, clean=after != "a reset")
    updates, server = await followed(lambda _: replace(reply, hang=after == "silence"), streams=True)
    assert lines(updates) == ["1/27", "2/27"] and isinstance(updates[-1], Completed)
    assert len(server.seen) == 1


async def test_a_stream_that_falls_silent_is_left():
    first = event(fal.running(BASE, fal.log(1)))

    def script(seen):
        if "/stream" in seen.target:
            return Reply(200, headers={"content-type": "text/event-stream"}, stream=[first], hang=True)
        return fal.completed(BASE, *numbered(1, 2))

    updates, _ = await followed(script, streams=True, timeouts=replace(SHORT, silence=0.1))
    assert lines(updates) == ["1/27", "2/27"]


async def test_an_event_that_comes_twice_is_reported_once():
    twice = event(fal.running(BASE, *numbered(1, 2))) * 2 + event(fal.completed(BASE, fal.log(3))) * 2
    updates, _ = await followed(lambda _: stream(twice), streams=True)
    assert lines(updates) == ["1/27", "2/27", "3/27"]
    assert [type(u).__name__ for u in updates] == ["InProgress", "Completed"]


async def test_a_stream_that_repeats_the_whole_log_repeats_nothing_here():
    text = event(fal.running(BASE, fal.log(1))) + event(fal.running(BASE, *numbered(1, 3)))
    updates, _ = await followed(lambda _: stream(text + event(fal.completed(BASE, *numbered(1, 4)))), streams=True)
    assert lines(updates) == ["1/27", "2/27", "3/27", "4/27"]


@pytest.mark.parametrize(
    "reply", [fal.WRONG_METHOD, fal.INGRESS, Reply(200, {"status": "IN_QUEUE"}), Reply(reset=True)]
)
async def test_a_host_without_a_stream_is_polled(reply):
    script = lambda seen: reply if "/stream" in seen.target else fal.completed(BASE)  # noqa: E731
    updates, _ = await followed(script, streams=True)
    assert [type(update) for update in updates] == [Completed]


async def test_faults_of_a_poll_are_waited_through():
    faults = [
        Reply(reset=True), fal.INGRESS, Reply(500, {"detail": "x"}), Reply(503), Reply(504), fal.TOO_MANY,
        Reply(200, {"status": "IN_QUEUE", "queue_position": 1}, cut=9), fal.completed(BASE, fal.log(1)),
    ]  # fmt: skip
    updates, server = await followed(script_of(*faults), streams=False, timeouts=replace(SHORT, outage=30))
    assert lines(updates) == ["1/27"] and len(server.seen) == 8


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (fal.NOT_FOUND, RequestUnknown, "does not know this request"),
        (fal.UNKNOWN_KEY, ConfigurationError, "key was not accepted"),
        (fal.WRONG_METHOD, QueueError, "405"),
        (Reply(404, b"<html>nginx</html>"), QueueError, "web page"),
        (Reply(202, {"status": "FAILED"}), QueueError, "unknown state"),
        (Reply(200, b"hello"), QueueError, "unknown state"),
        (fal.INGRESS, QueueError, "502"),
    ],
)
async def test_a_refused_question_ends_the_watch_with_its_reason(reply, kind, words):
    with pytest.raises(kind) as error:
        await followed(lambda _: reply, streams=True, timeouts=replace(SHORT, outage=0.1))
    assert words in error.value.message
    assert type(error.value) is kind


async def test_an_answer_that_says_its_own_time_limit_passed_is_not_asked_again():
    seen = []

    def script(request):
        seen.append(request)
        return fal.USER_TIMEOUT

    with pytest.raises(QueueError):
        await followed(script, streams=False)
    assert len(seen) == 1


async def test_addresses_of_another_origin_are_never_asked():
    async with listening(lambda _: fal.completed(BASE)) as stranger:
        async with listening(lambda _: fal.completed(BASE)) as server:
            host = Host(server.url, server.url, fal.KEY, "fal", (0.01, 0.02), streams=False, timeouts=SHORT)
            elsewhere = [stranger.url, server.url.replace("127.0.0.1", "user:pw@127.0.0.1"), "file:///etc", "//x"]
            async with QueueClient(host) as client:
                for base in elsewhere:
                    handle = RequestHandle(ID, f"{base}/a/b/requests/{ID}/status")
                    assert [type(u) async for u in client.follow(ENDPOINT, handle)] == [Completed]
        assert stranger.seen == []
    assert {seen.path for seen in server.seen} == {f"/{APP}/requests/{ID}/status"}


async def test_an_address_of_the_hosts_own_is_used_as_given():
    async with listening(lambda _: fal.completed(BASE)) as server:
        host = Host(server.url, server.url, None, "fal", (0.01, 0.02), streams=False, timeouts=SHORT)
        handle = RequestHandle(ID, f"{server.url}/other/app/requests/{ID}/status")
        async with QueueClient(host) as client:
            assert [type(u) async for u in client.follow(ENDPOINT, handle)] == [Completed]
    assert server.seen[0].path == f"/other/app/requests/{ID}/status"


async def test_who_stops_watching_leaves_no_request_behind():
    async with listening(lambda _: stream(event(fal.running(BASE)), clean=False)) as server:
        host = Host(server.url, server.url, None, "fal", timeouts=SHORT)
        async with QueueClient(host) as client, aclosing(client.follow(ENDPOINT, RequestHandle(ID))) as updates:
            async for update in updates:
                assert update == InProgress()
                break
    assert len(server.seen) == 1
