"""The Dockerfiles. Docker is not needed here: what they copy and run is compared with what there is.

`python -m tools.dockerfile FOLDER` runs their steps.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from pathlib import Path

import pytest
from tools import bundle, dockerfile
from tools.dockerfile import copied, of

from acestep_mcp.cli.app import commands
from acestep_mcp.settings import Settings

REPOSITORY = Path(__file__).parents[1]
FILES = ["Dockerfile", "Dockerfile.engine"]
WORDS = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME", "WORKDIR"}


@pytest.fixture(params=FILES)
def steps(request: pytest.FixtureRequest) -> list[tuple[str, str]]:
    return dockerfile.steps(request.param)


def test_every_instruction_is_one_that_docker_knows(steps: list[tuple[str, str]]) -> None:
    assert {word for word, _ in steps} <= WORDS
    assert steps[0][0] == "FROM"


def test_what_is_copied_is_there_and_all_that_the_package_is_built_from(steps: list[tuple[str, str]]) -> None:
    assert [name for name in copied(steps) if not (REPOSITORY / name).exists()] == []
    assert set(copied(steps)) == set(bundle.SOURCES)


@pytest.mark.parametrize("name", FILES)
def test_what_is_copied_is_sent_to_docker_and_little_else(name: str) -> None:
    lines = (REPOSITORY / "deploy" / f"{name}.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert lines[1] == "*"
    assert set(kept) == set(bundle.SOURCES)
    assert not any(fnmatch.fnmatch(".venv", pattern) for pattern in kept)


def test_stages_that_are_copied_from_exist_and_copy_what_they_made(steps: list[tuple[str, str]]) -> None:
    stages = [text.split(" AS ")[1] for text in of(steps, "FROM") if " AS " in text]
    made = re.findall(r"-m venv (\S+)", " ".join(of(steps, "RUN")))
    for text in of(steps, "COPY"):
        if text.startswith("--from="):
            stage, source, target = shlex.split(text)
            assert stage.removeprefix("--from=") in stages
            assert source in made
            assert source == target  # a virtual environment has its own path in its scripts


def test_extras_that_are_installed_exist(steps: list[tuple[str, str]]) -> None:
    for extra in re.findall(r"\.\[([\w,-]+)\]", " ".join(of(steps, "RUN"))):
        assert set(extra.split(",")) <= set(bundle.PROJECT["optional-dependencies"])


def test_the_command_and_each_of_its_options_exist(steps: list[tuple[str, str]]) -> None:
    [entry], [start] = of(steps, "ENTRYPOINT"), of(steps, "CMD")
    assert json.loads(entry) == list(bundle.PROJECT["scripts"])
    name, *options = json.loads(start)
    command = commands.commands[name]
    with command.make_context(name, options) as context:
        assert context.params["host"] == "0.0.0.0"
        [port] = of(steps, "EXPOSE")
        assert str(context.params["port"]) == port
        assert f"127.0.0.1:{port}/health" in of(steps, "HEALTHCHECK")[0]


def test_settings_that_are_set_exist(steps: list[tuple[str, str]]) -> None:
    names = re.findall(r"\b(?:ACESTEP|FAL)_\w+", " ".join(of(steps, "ENV")))
    known = {bundle.environment_name(name) for name in Settings.model_fields}
    assert names
    assert set(names) <= known
