"""A process whose disk is full for a while: every write over a few bytes fails, including the database's."""

import json
import resource
import sys

import anyio

from acestep_mcp.assembly import open_studio
from acestep_mcp.settings import load
from acestep_mcp.studio import run, submitter
from tests.support.requests import request


def report(**facts):
    print(json.dumps(facts), flush=True)


async def main() -> None:
    run.FIRST_PAUSE = submitter.RECORD_PAUSE = 0.2
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_studio(load()) as studio:
        job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 60}))
        async for progress in studio.watch(job.id, 50):
            if progress.stage == "saving the song":
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
        said = ""
        with anyio.fail_after(40):
            async for progress in studio.watch(job.id, 40):
                said = progress.describe()
                if said.startswith("waiting"):
                    break
        with anyio.fail_after(40):
            while job.id in studio._runs:
                await anyio.sleep(0.05)
        report(full=True, status=(await studio.outcome(job.id)).job.status, said=said)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        async for _ in studio.watch(job.id, 40):
            pass
        outcome = await studio.outcome(job.id)
        report(status=outcome.job.status, track=outcome.track is not None, error=outcome.job.error)


sys.exit(anyio.run(main))
