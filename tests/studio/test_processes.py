"""Several processes on one music folder and one database, and recovery when one is killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Status
from acestep_mcp.settings import load
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.process]
MAKER = Path(__file__).with_name("maker.py")
DEAD_AFTER = 0.5
SONG = {"tags": "lofi, chill", "duration": 5, "seed": 7}


@pytest.fixture
def maker(environment):
    """Start a process that makes a song; `wait_for(process, ...)` reads its reports."""
    started = []

    def start(arguments):
        command = [sys.executable, str(MAKER), json.dumps(arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8")
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        process.stdout.close()


def wait_for(process, **wanted):
    """Read the process's reports until one has these values."""
    for line in process.stdout:
        report = json.loads(line)
        if wanted.items() <= report.items():
            return report
    raise AssertionError(f"the process ended without reporting {wanted}")


def songs(folder):
    return sorted(path for path in folder.iterdir() if path.suffix == ".wav" and not path.name.startswith("."))


async def ended(studio, job_id):
    with anyio.fail_after(40):
        async for _ in studio.watch(job_id, 40):
            pass
    return await studio.outcome(job_id)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param({"status": "NEW"}, marks=pytest.mark.slow),
        pytest.param({"status": "IN_PROGRESS"}, marks=pytest.mark.slow),
        pytest.param({"stage": "rendering"}, marks=pytest.mark.slow),
        {"stage": "saving the song"},
    ],
    ids=["new", "in-progress", "rendering", "saving"],
)
async def test_the_job_of_a_process_killed_at_any_moment_is_finished_by_the_next(maker, moment):
    process = maker(SONG | {"duration": 12})
    job_id = wait_for(process, **moment)["job"]
    process.kill()
    process.wait(10)
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        outcome = await ended(studio, job_id)
        assert outcome.job.status is Status.COMPLETED
        assert outcome.track.path.is_file()
        assert [track.id for track in (await studio.catalogue.page()).tracks] == [job_id]
    files = [path.name for path in load().music_dir.iterdir()]
    assert sorted(Path(name).suffix for name in files) == [".json", ".wav"], "no partial file is left"


@pytest.mark.slow
async def test_three_processes_share_a_folder_and_a_killed_owner_s_song_is_made_once(maker):
    owner, second, third = maker(SONG | {"duration": 30}), maker(SONG | {"seed": 8}), maker(SONG | {"seed": 9})
    job_id = wait_for(owner, status="IN_PROGRESS")["job"]
    owner.kill()
    owner.wait(10)
    for process in (second, third):
        assert wait_for(process, status="COMPLETED", error=None)["track"]
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        assert (await ended(studio, job_id)).job.status is Status.COMPLETED
        assert len((await studio.catalogue.page()).tracks) == 3
    assert len(songs(load().music_dir)) == 3


async def test_a_job_can_be_watched_and_cancelled_from_another_process(maker):
    owner = maker(SONG | {"duration": 240})
    job_id = wait_for(owner, status="IN_PROGRESS")["job"]
    async with open_studio(load()) as studio:
        with anyio.fail_after(5):
            outcome = await studio.cancel(job_id)
        assert outcome.job.status is Status.CANCELLED
    assert wait_for(owner, status="CANCELLED")["job"] == job_id
    assert songs(load().music_dir) == []


async def test_a_request_repeated_after_a_crash_is_made_once(maker):
    first = maker(SONG | {"duration": 30})
    job_id = wait_for(first, status="IN_PROGRESS")["job"]
    first.kill()
    first.wait(10)
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        with anyio.fail_after(20):
            while not (again := await studio.start(request("text_to_audio", SONG | {"duration": 30}))).attached:
                await studio.cancel(again.id)  # the lease of the dead process has not run out yet
                await anyio.sleep(0.5)
        assert again.id == job_id
        assert (await ended(studio, job_id)).job.status is Status.COMPLETED
    assert len(songs(load().music_dir)) == 1


def test_opening_and_closing_a_studio_leaves_the_music_folder_alone(maker):
    process = maker({})
    wait_for(process, ready=True)
    assert not load().music_dir.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes that simulates a full disk is POSIX")
def test_a_job_survives_a_disk_too_full_to_store_its_failure(environment):
    command = [sys.executable, str(MAKER.with_name("full_disk.py"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=55, check=False)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert reports, done.stderr
    said = reports[0].pop("said")
    assert reports[0] == {"full": True, "status": "IN_PROGRESS"}
    assert said.startswith("waiting. "), "a person who waits for the song learns why"
    assert "larger than is allowed here" in said or "disk" in said, said
    assert reports[1] == {"status": "COMPLETED", "track": True, "error": None}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
async def test_a_process_that_was_stopped_for_longer_than_a_lease_goes_on_making_songs(maker):
    """Another process takes over the job, and starts its own draft engine, which removes what dead processes left."""
    sleeper = maker(SONG | {"duration": 8, "then": 1})
    job_id = wait_for(sleeper, status="IN_PROGRESS")["job"]
    sleeper.send_signal(signal.SIGSTOP)
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        await anyio.sleep(2 * DEAD_AFTER)  # there is no event to wait for: the heartbeat grows old
        assert (await ended(studio, job_id)).job.status is Status.COMPLETED
        sleeper.send_signal(signal.SIGCONT)
        second = wait_for(sleeper, status="COMPLETED", then=1)
        assert (await studio.outcome(second["job"])).track
        assert len((await studio.catalogue.page()).tracks) == 2
    assert len(songs(load().music_dir)) == 2


@pytest.mark.slow
async def test_read_only_use_takes_no_job_over(maker):
    owner = maker(SONG | {"duration": 20})
    job_id = wait_for(owner, status="IN_PROGRESS")["job"]
    owner.kill()
    owner.wait(10)
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        await studio.status()
        await studio.catalogue.page()
        await studio.jobs()
        await anyio.sleep(2 * DEAD_AFTER + 1.5)  # there is no event to wait for: nothing must happen
        assert (await studio.outcome(job_id)).job.status is Status.IN_PROGRESS
        assert not studio._runs
        studio.adopt_jobs()
        assert (await ended(studio, job_id)).job.status is Status.COMPLETED


@pytest.mark.slow
async def test_a_draft_interrupted_by_repeated_orderly_shutdowns_is_finished():
    async with open_studio(load()) as studio:
        job = await studio.start(request("text_to_audio", SONG | {"duration": 60}))
    for _ in range(4):
        async with open_studio(load()) as studio:
            async for _ in studio.watch(job.id, 20):
                if (await studio.outcome(job.id)).job.status is Status.IN_PROGRESS:
                    break
    async with open_studio(load()) as studio:
        assert (await ended(studio, job.id)).job.status is Status.COMPLETED
