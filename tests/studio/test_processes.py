"""Several processes on one music folder and one database, and what is left when one is killed."""

import json
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Status
from acestep_mcp.settings import load
from tests.support.requests import request

pytestmark = pytest.mark.anyio
MAKER = Path(__file__).with_name("maker.py")
DEAD_AFTER = 0.5
SONG = {"tags": "lofi, chill", "duration": 5, "seed": 7}


@pytest.fixture
def maker(environment):
    """Starts a process that makes a song; `said(process, ...)` reads its lines."""
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


def heard(process, **wanted):
    """Read the process's lines until one holds these words."""
    for line in process.stdout:
        words = json.loads(line)
        if wanted.items() <= words.items():
            return words
    raise AssertionError(f"the process ended without saying {wanted}")


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
        {"stage": "keeping the song"},
    ],
    ids=["new", "in-progress", "rendering", "keeping"],
)
async def test_a_process_killed_at_any_moment_leaves_a_job_that_the_next_one_finishes(maker, moment):
    process = maker(SONG | {"duration": 12})
    job_id = heard(process, **moment)["job"]
    process.kill()
    process.wait(10)
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        outcome = await ended(studio, job_id)
        assert outcome.job.status is Status.COMPLETED
        assert outcome.track.path.is_file()
        assert [track.id for track in (await studio.catalogue.page()).tracks] == [job_id]
    files = [path.name for path in load().music_dir.iterdir()]
    assert sorted(Path(name).suffix for name in files) == [".json", ".wav"], "no torn file is left"


@pytest.mark.slow
async def test_three_processes_share_a_folder_and_a_killed_owners_song_is_found_once(maker):
    owner, second, third = maker(SONG | {"duration": 30}), maker(SONG | {"seed": 8}), maker(SONG | {"seed": 9})
    job_id = heard(owner, status="IN_PROGRESS")["job"]
    owner.kill()
    owner.wait(10)
    for process in (second, third):
        assert heard(process, status="COMPLETED", error=None)["track"]
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        assert (await ended(studio, job_id)).job.status is Status.COMPLETED
        assert len((await studio.catalogue.page()).tracks) == 3
    assert len(songs(load().music_dir)) == 3


async def test_a_living_owners_job_can_be_watched_and_cancelled_from_another_process(maker):
    owner = maker(SONG | {"duration": 240})
    job_id = heard(owner, status="IN_PROGRESS")["job"]
    async with open_studio(load()) as studio:
        with anyio.fail_after(5):
            outcome = await studio.cancel(job_id)
        assert outcome.job.status is Status.CANCELLED
    assert heard(owner, status="CANCELLED")["job"] == job_id
    assert songs(load().music_dir) == []


async def test_a_job_that_is_asked_for_again_after_a_crash_is_made_once(maker):
    first = maker(SONG | {"duration": 30})
    job_id = heard(first, status="IN_PROGRESS")["job"]
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
    heard(process, ready=True)
    assert not load().music_dir.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes that stands for a full disk is POSIX")
def test_a_job_survives_a_disk_so_full_that_not_even_its_end_can_be_written(environment):
    command = [sys.executable, str(MAKER.with_name("full_disk.py"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=55, check=False)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said, done.stderr
    assert said[0] == {"full": True, "status": "IN_PROGRESS"}
    assert said[1] == {"status": "COMPLETED", "track": True, "error": None}


@pytest.mark.slow
async def test_looking_at_things_takes_no_job_over(maker):
    owner = maker(SONG | {"duration": 20})
    job_id = heard(owner, status="IN_PROGRESS")["job"]
    owner.kill()
    owner.wait(10)
    async with open_studio(load(), lease=DEAD_AFTER) as studio:
        await studio.status()
        await studio.catalogue.page()
        await studio.jobs()
        await anyio.sleep(2 * DEAD_AFTER + 1.5)  # nothing to wait for: this shows that nothing happens
        assert (await studio.outcome(job_id)).job.status is Status.IN_PROGRESS
        assert not studio._runs
        studio.work()
        assert (await ended(studio, job_id)).job.status is Status.COMPLETED


@pytest.mark.slow
async def test_a_draft_that_was_stopped_in_good_order_again_and_again_is_made_in_the_end():
    async with open_studio(load()) as studio:
        job = await studio.start(request("text_to_audio", SONG | {"duration": 60}))
    for _ in range(4):
        async with open_studio(load()) as studio:
            async for _ in studio.watch(job.id, 20):
                if (await studio.outcome(job.id)).job.status is Status.IN_PROGRESS:
                    break
    async with open_studio(load()) as studio:
        assert (await ended(studio, job.id)).job.status is Status.COMPLETED
