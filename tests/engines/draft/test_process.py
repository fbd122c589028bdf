"""The engine from outside: real worker processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest

from acestep_mcp.api.errors import GenerationFailed, InvalidRequest, RunInterrupted
from acestep_mcp.api.requests import AudioInpaint, TextToAudio
from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import measure
from acestep_mcp.engine_server.app import serving
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.draft import DraftEngine

pytestmark = pytest.mark.process

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


def request(seconds: float = 6, seed: int = 1, tags: str = "lofi, chill") -> TextToAudio:
    return TextToAudio(tags=tags, lyrics="[verse]\nHello world again", duration=seconds, seed=seed)


def finished(events: Iterator[Step | Audio]) -> Audio:
    *steps, last = events
    assert all(isinstance(step, Step) for step in steps)
    assert isinstance(last, Audio)
    return last


def children(parent: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                found.add(int(entry.name))
    return found


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] != "Z"
        )
    return False


def gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


def test_the_same_request_gives_identical_samples_in_two_processes_and_another_seed_does_not():
    first, again, other = (finished(DraftEngine().generate(request(seed=seed), None)) for seed in (1, 1, 2))
    assert np.array_equal(first.sound.pcm, again.sound.pcm)
    assert first.plan == again.plan
    assert not np.array_equal(first.sound.pcm, other.sound.pcm)


def test_a_song_has_the_exact_length_and_a_plan():
    audio = finished(DraftEngine().generate(request(seconds=5.12345), None))
    assert len(audio.sound.pcm) == round(5.12345 * 48_000)
    assert (audio.sound.sample_rate, audio.sound.channels, audio.sound.bits) == (48_000, 2, 16)
    assert audio.plan["seed"] == 1
    assert audio.sections[-1].end == pytest.approx(5.12345, abs=0.001)
    assert measure(audio.sound).clipped_samples == 0


def test_a_step_arrives_at_least_every_quarter_of_a_second():
    times = [time.monotonic()]
    for _ in DraftEngine().generate(request(seconds=8), None):
        times.append(time.monotonic())
    # The engine promises 0.25 s; the margin is for a machine with every core busy.
    assert max(later - sooner for sooner, later in pairwise(times)) < 1.0


@needs_proc
def test_closing_ends_the_worker_within_a_second_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = tmp_path / "files"
    files.mkdir()
    monkeypatch.setenv("TMPDIR", str(files))
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    before = children(os.getpid())
    events = DraftEngine().generate(request(seconds=240), None)
    wait_until_rendering(events)
    (worker,) = children(os.getpid()) - before
    start = time.monotonic()
    events.close()
    assert time.monotonic() - start < 1
    assert not alive(worker)
    assert list(files.iterdir()) == []


def wait_until_rendering(events: Iterator[Step | Audio]) -> None:
    for event in events:
        if isinstance(event, Step) and event.stage == "rendering":
            return


PARENT = """
import sys
from acestep_mcp.engines.draft import DraftEngine
from acestep_mcp.api.requests import TextToAudio
for step in DraftEngine().generate(TextToAudio(tags="pop", duration=240, seed=1), None):
    print(step.stage, flush=True)
"""


@needs_proc
@pytest.mark.parametrize("stage", ["starting", "rendering"])
def test_the_worker_ends_when_its_parent_is_killed(stage: str, tmp_path: Path):
    files = tmp_path / "files"
    files.mkdir()
    environment = {**os.environ, "TMPDIR": str(files), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        for line in parent.stdout:
            if line.strip() == stage.encode():
                break
        (worker,) = children(parent.pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait(5)
        assert gone_within(worker, 5), "the worker outlived its parent"
    assert list(files.iterdir()) == []


def test_a_worker_ends_when_its_stdin_ends_even_if_its_stdout_is_read():
    job = {
        "endpoint": "TextToAudio",
        "request": {"tags": "metal", "duration": 240},
        "renderer": "numpy",
        "voice": "auto",
        "trace": {},
        "source": None,
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-P", "-m", "acestep_mcp.engines.draft.worker_main"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(job).encode() + b"\n")
        worker.stdin.flush()
        assert b"composing" in worker.stdout.readline()
        worker.stdin.close()
        output = worker.stdout.read()
    assert worker.returncode == 1
    assert b'"song"' not in output


@needs_proc
@pytest.mark.parametrize(
    ("sent", "raised", "said"),
    [
        (signal.SIGKILL, RunInterrupted, "was killed before the song was done"),
        (signal.SIGABRT, GenerationFailed, "worker stopped before the song was done"),
    ],
)
def test_a_killed_worker_is_an_interrupted_run_and_one_that_crashes_a_failed_one(sent, raised, said):
    before = children(os.getpid())
    events = DraftEngine().generate(request(seconds=240), None)
    wait_until_rendering(events)
    (worker,) = children(os.getpid()) - before
    os.kill(worker, sent)
    with pytest.raises(GenerationFailed, match=said) as caught:
        list(events)
    assert type(caught.value) is raised


@needs_proc
@pytest.mark.anyio
@pytest.mark.parametrize(("kills", "status"), [(1, 200), (3, 500)])
async def test_a_song_whose_worker_is_killed_is_made_again_and_the_third_time_given_up(tmp_path, kills, status):
    before = children(os.getpid())
    killed: set[int] = set()
    async with serving(DraftEngine(), folder=tmp_path) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            body = {"tags": "lofi", "lyrics": "[inst]", "duration": 5}
            job = (await http.post("/fal-ai/ace-step", json=body)).json()["request_id"]
            with anyio.fail_after(30):
                while (await http.get(f"/fal-ai/ace-step/requests/{job}/status")).json()["status"] != "COMPLETED":
                    for worker in children(os.getpid()) - before - killed:
                        if len(killed) < kills:
                            os.kill(worker, signal.SIGKILL)
                            killed.add(worker)
                    await anyio.sleep(0.01)
            reply = await http.get(f"/fal-ai/ace-step/requests/{job}")
    assert (len(killed), reply.status_code) == (kills, status)
    assert ("It was attempted 3 times" in reply.text) == (status == 500)


@needs_proc
def test_a_worker_that_sigterm_ended_is_replaced_but_not_for_ever():
    """A service manager sends it to every process; what becomes of the song is decided by the parent."""
    known = children(os.getpid())
    events = DraftEngine().generate(request(), None)
    next(events)
    for _ in range(2):
        [worker] = children(os.getpid()) - known
        os.kill(worker, signal.SIGTERM)
        assert gone_within(worker, 5)
        next(step for step in events if children(os.getpid()) - known - {worker})
    finished(events)
    events = DraftEngine().generate(request(), None)
    with pytest.raises(GenerationFailed):
        for _ in events:
            for worker in children(os.getpid()) - known:
                os.kill(worker, signal.SIGTERM)


def test_the_error_holds_the_last_log_line_of_a_crashed_worker(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(GenerationFailed) as caught:
        list(DraftEngine().generate(request(), None))
    assert len(caught.value.message) > len("The draft engine's worker stopped before the song was done: ") + 5


def test_an_invalid_request_in_the_worker_arrives_with_its_fields():
    source = Sound(np.zeros((48_000 * 6, 2), np.int32), 48_000)
    edit = AudioInpaint(audio_url="song.wav", tags="pop", start_time=30, end_time=40, seed=1)
    with pytest.raises(InvalidRequest) as caught:
        list(DraftEngine().generate(edit, Source(source)))
    assert [(field.field, field.value) for field in caught.value.fields] == [("start_time", 30.0)]


def test_importing_the_engine_loads_nothing_heavy():
    code = (
        "import sys, acestep_mcp.engines.draft; print([m for m in ('numpy','scipy','pretty_midi') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_makes_a_new_song_without_the_classes_of_requests_and_readers_of_files():
    code = """
import sys
from acestep_mcp.engines.draft.job import DraftJob, run_job
*_, audio = run_job(DraftJob("TextToAudio", {"tags": "lofi", "duration": 5, "seed": 1}, "soundfont"))
print(len(audio.sound.pcm), *({"pydantic", "soundfile", "acestep_mcp.audio.decoder"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["240000"]


@pytest.fixture
def keeping_engine():
    engine = DraftEngine(keep_worker=True)
    yield engine
    engine.close()


@pytest.mark.slow
@needs_proc
def test_an_idle_worker_renders_the_next_song_like_a_new_one(keeping_engine):
    before = children(os.getpid())
    finished(keeping_engine.generate(request(seed=2), None))
    [kept] = children(os.getpid()) - before
    second = finished(keeping_engine.generate(request(seed=1), None))
    assert children(os.getpid()) - before == {kept}
    assert np.array_equal(second.sound.pcm, finished(DraftEngine().generate(request(seed=1), None)).sound.pcm)
    keeping_engine.close()
    assert not alive(kept)


@needs_proc
def test_an_idle_worker_that_was_killed_or_stopped_is_replaced(keeping_engine):
    before = children(os.getpid())
    finished(keeping_engine.generate(request(), None))
    [kept] = children(os.getpid()) - before
    os.kill(kept, signal.SIGKILL)
    assert gone_within(kept, 5)
    finished(keeping_engine.generate(request(), None))
    [second] = children(os.getpid()) - before
    events = keeping_engine.generate(request(seconds=60), None)
    next(events)
    events.close()
    assert not alive(second), "an abandoned song ends its worker"
    assert finished(keeping_engine.generate(request(), None))


@needs_proc
def test_an_invalid_request_does_not_end_the_worker(keeping_engine):
    before = children(os.getpid())
    finished(keeping_engine.generate(request(), None))
    [kept] = children(os.getpid()) - before
    short = Source(Sound(np.zeros((8000, 1), np.int32), 8000))
    with pytest.raises(InvalidRequest, match="start_time"):
        list(keeping_engine.generate(AudioInpaint(audio_url="x", tags="y", start_time=30, end_time=40, seed=1), short))
    assert children(os.getpid()) - before == {kept}
