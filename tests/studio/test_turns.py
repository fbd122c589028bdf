"""Two takes of a song are made at a time; the others wait and say so."""

import anyio
import pytest

from acestep_mcp.api.endpoints import BY_REQUEST
from acestep_mcp.library.models import Job, JobOptions, Status
from acestep_mcp.studio.turns import Turns
from tests.support.requests import request

pytestmark = pytest.mark.anyio


def take(name, queue_url="local:draft", **more):
    asked = request("text_to_audio", {"tags": "lofi"})
    job = Job(
        name, BY_REQUEST[type(asked)].id, asked, Status.NEW, "draft", 0.0, options=JobOptions(remade="song"), **more
    )
    return job.changed(queue_url=queue_url)


class Waiting:
    """Takes in a task group, each of which keeps its turn until it is told to end."""

    def __init__(self, tasks):
        self._tasks, self._turns = tasks, Turns()
        self.shown, self.running = {}, set()
        self.changed = anyio.Event()

    def start(self, job):
        end, cancel = anyio.Event(), anyio.Event()

        async def show(progress):
            self.shown.setdefault(job.id, []).append(progress.describe())
            self._tell()

        async def run():
            async with self._turns.of(job, cancel, show):
                self.running.add(job.id)
                self._tell()
                await end.wait()

        self._tasks.start_soon(run)
        return end, cancel

    def _tell(self):
        self.changed.set()
        self.changed = anyio.Event()

    async def until(self, holds):
        with anyio.fail_after(20):
            while not holds():
                await self.changed.wait()


async def test_a_take_that_waits_says_so_until_its_turn_comes_or_it_is_cancelled():
    async with anyio.create_task_group() as tasks:
        takes = Waiting(tasks)
        first, second = takes.start(take("1")), takes.start(take("2"))
        await takes.until(lambda: takes.running == {"1", "2"})
        third, fourth = takes.start(take("3")), takes.start(take("4"))
        told = "waiting for its turn (2 takes are made at a time)"
        await takes.until(lambda: takes.shown == {"3": [told], "4": [told]})
        other = takes.start(take("5", queue_url="https://elsewhere.example"))
        await takes.until(lambda: "5" in takes.running)
        first[0].set()
        await takes.until(lambda: "3" in takes.running)
        assert takes.shown == {"3": [told, "preparing"], "4": [told]}
        fourth[1].set()  # it runs at once, to end as a cancelled job does
        await takes.until(lambda: "4" in takes.running)
        for end, _ in (second, third, fourth, other):
            end.set()


async def test_what_has_been_submitted_or_is_no_take_waits_for_no_turn():
    async with anyio.create_task_group() as tasks:
        takes = Waiting(tasks)
        plain = take("4")
        started = [
            *(takes.start(take(name)) for name in ("1", "2")),
            takes.start(take("3", request_id="r")),
            takes.start(plain.changed(options=JobOptions())),
        ]
        await takes.until(lambda: takes.running == {"1", "2", "3", "4"})
        assert takes.shown == {}
        for end, _ in started:
            end.set()
