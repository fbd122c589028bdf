"""What comes of a stream of events, which has no end."""

from __future__ import annotations

import pytest

from acestep_mcp.api.errors import NoResponse
from acestep_mcp.net.chosen_server import ChosenServer
from tests.support.loopback import Reply, listening

pytestmark = pytest.mark.anyio
EVENTS = {"content-type": "text/event-stream"}


async def told(reply, **options):
    async with listening(lambda _: reply) as server:
        return await ChosenServer("ACESTEP_ENGINE", server.url).ask("GET", "/logs", **options)


async def test_a_stream_of_events_is_read_until_it_is_silent():
    answer = await told(Reply(headers=EVENTS, stream=[b"data: 1\n\n", b"data: 2\n\n"], hang=True))
    assert (answer.status, answer.body) == (200, b"data: 1\n\ndata: 2\n\n")


async def test_a_stream_of_events_that_is_never_silent_is_left():
    reply = Reply(headers=EVENTS, stream=[b"data: 1\n\n"] * 1000, pause=0.01)
    answer = await told(reply, total=0.4)
    assert 1 <= answer.body.count(b"data") < 100


async def test_a_stream_of_events_that_is_too_long_is_cut():
    assert (await told(Reply(headers=EVENTS, stream=[b"x" * 4000] * 9, hang=True), most=5000)).body == b"x" * 5000


async def test_another_answer_has_to_be_whole():
    with pytest.raises(NoResponse):
        await told(Reply(stream=[b"half"], hang=True), seconds=0.05)
