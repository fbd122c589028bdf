"""A host that answers rubbish: every job ends, with the right song or with an error that says what the host did."""

from __future__ import annotations

import json
import re

import anyio
import pytest

from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Outcome, Status
from acestep_mcp.settings import load
from tests.support.loopback import listening
from tests.support.odd_answers import CASES, Case, OddHost
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
AT_ONCE = 12


async def outcomes_of(cases: list[Case]) -> tuple[list[Outcome], OddHost]:
    """One job for each case, a dozen at a time."""
    host, outcomes = OddHost(cases), [None] * len(cases)
    left = iter(range(len(cases)))
    async with listening(host) as server, open_studio(load(engine_url=server.url)) as studio:
        host.base = server.url

        async def make() -> None:
            for number in left:
                job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 5, "seed": number}))
                async for _ in studio.watch(job.id, 60):
                    pass
                outcomes[number] = await studio.outcome(job.id)

        with anyio.fail_after(280):
            async with anyio.create_task_group() as tasks:
                for _ in range(min(AT_ONCE, len(cases))):
                    tasks.start_soon(make)
    return outcomes, host


def faults_of(case: Case, outcome: Outcome, downloads: int) -> list[str]:
    """What is wrong with the end of a case."""
    job, track = outcome.job, outcome.track
    shown = json.dumps([job.progress.describe(), job.logs, job.error and job.error.message], ensure_ascii=False)
    found = [
        "it has not ended" * (not job.status.is_terminal),
        "a bug in acestep-mcp" * ("bug in acestep-mcp" in shown),
        "control characters" * bool(CONTROLS.search(json.loads(shown)[2] or "") or CONTROLS.search(" ".join(job.logs))),
        f"{downloads} downloads" * (downloads > case.downloads),
    ]
    if case.says is None:
        found += [f"no song: {job.error}"] if track is None else faults_of_song(track.path)
    elif job.error is None or case.says not in job.error.message:
        found += [f"{job.status} {job.error}"]
    elif (
        job.request_id and job.error.code == "queue" and case.place in ("result", "file") and "failed" not in case.name
    ):
        found += ["the song is given up"] * (not job.error.collectable and "generation failed" not in job.error.message)
    return [fault for fault in found if fault]


def faults_of_song(path) -> list[str]:
    sidecar = path.with_name(f"{path.name}.json")
    text = (sidecar if sidecar.exists() else path.with_suffix(".json")).read_text(encoding="utf-8")
    stored = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in {path.name}"))
    texts = [
        stored["title"],
        stored["tags"],
        stored["lyrics"],
        *stored["notes"],
        str(stored["engine"]),
        str(stored["sections"]),
    ]
    return ["control characters in the sidecar"] * any(map(CONTROLS.search, texts)) + ["a huge sidecar"] * (
        len(text) > 2**20
    )


def check(cases: list[Case], outcomes: list[Outcome], host: OddHost) -> None:
    found = {
        f"{case.place}: {case.name}": faults
        for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=True))
        if (faults := faults_of(case, outcome, host.downloads[number]))
    }
    assert not found, "\n".join(f"{case}: {faults}" for case, faults in found.items())


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_of_many_odd_answers_ends_in_a_clear_error_or_the_right_song():
    assert len(CASES) >= 60
    outcomes, host = await outcomes_of(CASES)
    check(CASES, outcomes, host)


async def test_an_odd_answer_in_each_place_ends_in_a_clear_error_or_the_right_song():
    cases = [
        case
        for case in CASES
        if case.name in ("id null", "foreign addresses", "address 'file:///etc/passwd'", "to a private host")
    ]
    outcomes, host = await outcomes_of(cases)
    check(cases, outcomes, host)
    assert {outcome.job.status for outcome in outcomes} == {Status.UNKNOWN, Status.FAILED, Status.COMPLETED}
