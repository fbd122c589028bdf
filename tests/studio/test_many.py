"""Many songs at once through one studio."""

import anyio
import pytest

from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Status
from acestep_mcp.settings import load
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def make_all(studio, requests):
    """Run all requests at once; returns the outcomes in their order."""
    outcomes = {}

    async def make(number, arguments):
        job = await studio.start(request("text_to_audio", arguments))
        async for _ in studio.watch(job.id, 300):
            pass
        outcomes[number] = await studio.outcome(job.id)

    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            for number, arguments in enumerate(requests):
                tasks.start_soon(make, number, arguments)
    return [outcomes[number] for number in range(len(requests))]


@pytest.mark.parametrize("count", [4, pytest.param(24, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
async def test_concurrent_songs_all_finish_and_are_not_mixed_up(count):
    genres = ["lofi", "rock", "jazz", "techno"]
    requests = [{"tags": genres[n % 4], "duration": 5, "seed": n} for n in range(count)]
    async with open_studio(load()) as studio:
        outcomes = await make_all(studio, requests)
        again = await make_all(studio, [requests[0], requests[-1]])
    assert [outcome.job.status for outcome in outcomes] == [Status.COMPLETED] * count
    assert [outcome.track.sidecar["request"]["seed"] for outcome in outcomes] == list(range(count))
    assert [outcome.track.sidecar["tags"] for outcome in outcomes] == [request["tags"] for request in requests]
    digests = [outcome.track.sidecar["audio"]["sha256"] for outcome in outcomes]
    assert len({outcome.track.path for outcome in outcomes}) == count
    assert len(set(digests)) == count
    assert [outcome.track.sidecar["audio"]["sha256"] for outcome in again] == [digests[0], digests[-1]]
