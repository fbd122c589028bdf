"""A process that makes one song, and `then` as many more, and prints its progress as JSON lines; tests kill it."""

import json
import sys
from dataclasses import asdict

import anyio

from acestep_mcp.assembly import open_studio
from acestep_mcp.settings import load
from acestep_mcp.studio.studio import Studio
from tests.support.requests import request


def report(**facts):
    print(json.dumps(facts), flush=True)


async def main(arguments: dict) -> None:
    async with open_studio(load()) as studio:
        report(ready=True)
        if not arguments:
            await anyio.sleep_forever()
        more = arguments.pop("then", 0)
        for number in range(more + 1):
            await make(studio, arguments | ({"seed": number, "duration": 5} if number else {}), {"then": number})


async def make(studio: Studio, arguments: dict, facts: dict) -> None:
    job = await studio.start(request("text_to_audio", arguments))
    report(job=job.id, attached=job.attached, status=job.status, **facts)
    last = None
    async for progress in studio.watch(job.id, 50):
        status = (await studio.outcome(job.id)).job.status
        if (status, progress.stage) != last:
            last = (status, progress.stage)
            report(job=job.id, status=status, stage=progress.stage, **facts)
    outcome = await studio.outcome(job.id)
    report(
        job=job.id,
        status=outcome.job.status,
        track=outcome.track and outcome.track.id,
        error=outcome.job.error and asdict(outcome.job.error),
        **facts,
    )


anyio.run(main, json.loads(sys.argv[1]))
