"""A process that makes one song and prints its progress as JSON lines; tests kill it."""

import json
import sys
from dataclasses import asdict

import anyio

from acestep_mcp.assembly import open_studio
from acestep_mcp.settings import load
from tests.support.requests import request


def report(**facts):
    print(json.dumps(facts), flush=True)


async def main(arguments: dict) -> None:
    async with open_studio(load()) as studio:
        report(ready=True)
        if not arguments:
            await anyio.sleep_forever()
        job = await studio.start(request("text_to_audio", arguments))
        report(job=job.id, attached=job.attached, status=job.status)
        last = None
        async for progress in studio.watch(job.id, 50):
            status = (await studio.outcome(job.id)).job.status
            if (status, progress.stage) != last:
                last = (status, progress.stage)
                report(job=job.id, status=status, stage=progress.stage)
        outcome = await studio.outcome(job.id)
        report(
            job=job.id,
            status=outcome.job.status,
            track=outcome.track and outcome.track.id,
            error=outcome.job.error and asdict(outcome.job.error),
        )


anyio.run(main, json.loads(sys.argv[1]))
