"""Runs the steps of the Dockerfiles where Docker is not to be had: `python -m tools.dockerfile FOLDER`.

FOLDER, which must not exist, stands for the container's file system. What needs root is named and left out.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

DEPLOY = Path(__file__).parents[1] / "deploy"
_NEEDS_ROOT = ("apt-get", "rm", "useradd", "install")
_SECONDS = 30
"""For a server to answer, and to end."""
Steps = list[tuple[str, str]]


def steps(name: str) -> Steps:
    """Each instruction of a Dockerfile with its text, in order."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def of(found: Steps, word: str) -> list[str]:
    return [text for given, text in found if given == word]


def copied(found: Steps) -> list[str]:
    """What is copied from this repository."""
    return [name for text in of(found, "COPY") if not text.startswith("--from=") for name in shlex.split(text)[:-1]]


def build(name: str, folder: Path) -> None:
    """Copy what the file copies, and run what it runs, below `folder`."""
    found, place = steps(name), folder / "build"
    place.mkdir(parents=True)
    for source in map(Path, copied(found)):
        if source.is_dir():
            shutil.copytree(source, place / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place)
    for command in (part.strip() for text in of(found, "RUN") for part in text.split("&&")):
        if command.startswith(_NEEDS_ROOT):
            _say(f"not run: {command}")
            continue
        _say(f"run: {command}")
        program, *arguments = shlex.split(command.replace("/opt/", f"{folder}/opt/"))
        subprocess.run([sys.executable if program == "python" else program, *arguments], cwd=place, check=True)


def serve(name: str, folder: Path, *options: str) -> None:
    """Start the file's command with its settings on a free port, and wait until its health check passes."""
    found = steps(name)
    port = _free_port()
    environment = os.environ | dict(_settings(found, folder)) | {"ACESTEP_TOKEN": secrets.token_hex()}
    environment["ACESTEP_ENGINE_KEY"] = environment["ACESTEP_TOKEN"]
    command = [*json.loads(of(found, "ENTRYPOINT")[0]), *json.loads(of(found, "CMD")[0]), *options]
    _say(f"run: {shlex.join(command)}")
    program = shutil.which(command[0], path=environment["PATH"])
    server = subprocess.Popen([str(program), *command[1:], "--port", str(port)], env=environment)
    check = json.loads(of(found, "HEALTHCHECK")[0].removeprefix("CMD "))
    check = [re.sub(r"(127\.0\.0\.1:)\d+", rf"\g<1>{port}", part) for part in check]
    try:
        end = time.monotonic() + _SECONDS
        while subprocess.run(check, env=environment, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            if server.poll() is not None or time.monotonic() > end:
                sys.exit(f"{name}: the health check does not pass")
            time.sleep(0.2)
        _say("passed: its health check")
    finally:
        server.terminate()
        server.wait(_SECONDS)


def _settings(found: Steps, folder: Path) -> Iterator[tuple[str, str]]:
    for name, value in re.findall(r"(\w+)=(\S+)", " ".join(of(found, "ENV"))):
        yield name, re.sub(r"^/(opt|data)/", f"{folder}/\\1/", value).replace("$PATH", os.environ["PATH"])


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    _say("deploy/Dockerfile")
    build("Dockerfile", folder)
    serve("Dockerfile", folder)
    _say("deploy/Dockerfile.engine, without its installation, which brings CUDA")
    serve("Dockerfile.engine", folder, "--engine", "draft")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
