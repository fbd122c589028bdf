"""The example programs, as a user starts them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import scripted_model
from tests.support.needed import missing

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))
AGENTS = ("langchain_agent.py", "openai_agents.py")
CUES = 10
# Read now: tests run without the settings of the person who runs them.
_AGENTS_PYTHON = os.environ.get("ACESTEP_TESTS_AGENTS_PYTHON")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_an_example_compiles(program: Path) -> None:
    compile(program.read_text(encoding="utf-8"), str(program), "exec")


def cues(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXAMPLES / "ten_cues.py"), "a film", "5"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def times(environment: dict[str, str]) -> list[tuple[float, float]]:
    with sqlite3.connect(Path(environment["ACESTEP_DATA_DIR"]) / "acestep.sqlite3") as database:
        return database.execute("SELECT created_at, ended_at FROM jobs ORDER BY number").fetchall()


@pytest.mark.process
@pytest.mark.timeout(150)
def test_ten_cues_that_are_killed_and_started_again_are_ten_songs_of_ten_jobs_at_most_two_at_once(
    environment: dict[str, str],
) -> None:
    first = cues(environment)
    made = first.stdout.readline().strip()
    first.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    first.communicate(timeout=20)
    begun = len(times(environment))
    assert 1 <= begun < CUES
    second = cues(environment)
    lines = second.communicate(timeout=100)[0].splitlines()
    assert second.returncode == 0
    assert len(lines) == CUES, lines
    assert made in lines
    songs = {Path(line.split(": ", 1)[1]) for line in lines}
    assert len(songs) == CUES
    assert set(Path(environment["ACESTEP_MUSIC_DIR"]).glob("*.wav")) == songs
    jobs = times(environment)
    assert len(jobs) == CUES
    assert max(sum(start <= at < end for start, end in jobs) for at, _ in jobs) == 2


@pytest.fixture
def agents_python() -> str:
    if _AGENTS_PYTHON is None:
        missing(
            "ACESTEP_TESTS_AGENTS_PYTHON is not set. Run: python3 -m venv agents && agents/bin/pip install langchain "
            "langchain-openai langchain-mcp-adapters openai-agents, and set it to the full path of agents/bin/python"
        )
    return _AGENTS_PYTHON


@pytest.fixture
def model() -> Iterator[str]:
    server = scripted_model.serving()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(120)
@pytest.mark.parametrize("program", AGENTS)
def test_an_agent_makes_the_song_that_its_model_asks_for(
    agents_python: str, model: str, environment: dict[str, str], program: str
) -> None:
    server = f"{sys.executable} -m acestep_mcp"
    more = {"SERVER": server, "OPENAI_BASE_URL": model, "OPENAI_API_KEY": "none", "NO_PROXY": "127.0.0.1"}
    kept = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [agents_python, EXAMPLES / program, "something calm on the piano"],
        env=kept | more, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip().removeprefix("Here it is: ")).is_file(), done.stdout
