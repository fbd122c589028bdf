"""`acestep-mcp engine --tls-dir` and fal's clients, told nothing but the lines that it prints for them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

KEY = "kid:s3cr3t"
SONG = {"tags": "piano, calm", "lyrics": "[inst]", "duration": 5, "seed": 7}
PYTHON = """
import fal_client, json
lines
song = fal_client.subscribe("fal-ai/ace-step", SONG, with_logs=True, on_queue_update=lambda status: None)
ran = fal_client.run("fal-ai/ace-step", arguments=SONG)
streamed = list(fal_client.stream("fal-ai/ace-step", SONG))
url = fal_client.upload(b"RIFF", "audio/wav", "x.wav")
print(json.dumps([song, ran, streamed[-1], url]))
"""
JAVASCRIPT = """
import { fal } from "@fal-ai/client";
lines
const input = SONG;
const { data: song } = await fal.subscribe("fal-ai/ace-step", { input, pollInterval: 100 });
const { data: ran } = await fal.run("fal-ai/ace-step", { input });
const streamed = await (await fal.stream("fal-ai/ace-step", { input })).done();
const url = await fal.storage.upload(new File(["RIFF"], "x.wav", { type: "audio/wav" }));
process.stdout.write(JSON.stringify([song, ran, streamed, url]));
"""
_SET = re.compile(r"""(?:export |\$env:)(\w+)(?:=| = )["']?([^"']+)["']?""")


@pytest.fixture
def told(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """What the command says on stderr at its start, while it runs."""
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    command = [sys.executable, "-m", "acestep_mcp", "engine", "--port", "0", "--tls-dir", str(tmp_path / "tls")]
    with subprocess.Popen(
        [*command, "--key-file", str(tmp_path / "key")], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            said = ""
            for line in process.stderr:
                said += line
                if "proxyUrl" in line:
                    threading.Thread(target=process.stderr.read, daemon=True).start()
                    break
            yield said
        finally:
            process.terminate()


def block(told: str, title: str) -> tuple[dict[str, str], str]:
    """The variables and the lines of program under a title."""
    variables, program = {}, []
    for line in told.split(f"{title}:\n")[1].split("\n\n", maxsplit=1)[0].splitlines():
        if found := _SET.fullmatch(line.strip()):
            variables[found[1]] = found[2]
        elif "in the program" not in line:
            program.append(line.strip())
    return variables, "\n".join(program)


def check(command: list[str], environment: dict[str, str], cwd: Path) -> None:
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    *songs, url = json.loads(done.stdout)
    assert [(song["seed"], song["tags"]) for song in songs] == [(7, "piano, calm")] * 3
    assert all(address.startswith("https://127.0.0.1:") for address in (url, *(song["audio"]["url"] for song in songs)))


@pytest.mark.slow
def test_the_printed_lines_are_all_that_python_needs(told: str, environment: dict[str, str], tmp_path: Path) -> None:
    variables, program = block(told, "fal's Python client")
    assert {"FAL_QUEUE_RUN_HOST", "FAL_RUN_HOST", "SSL_CERT_FILE"} == set(variables)
    script = PYTHON.replace("SONG", repr(SONG)).replace("\nlines\n", f"\n{program}\n")
    more = {"FAL_KEY": KEY, "NO_PROXY": "127.0.0.1"}
    check([sys.executable, "-c", script], environment | variables | more, tmp_path)


@pytest.mark.slow
def test_the_printed_lines_are_all_that_javascript_needs(node: str, told: str, environment: dict[str, str]) -> None:
    variables, program = block(told, "fal's JavaScript client")
    script = JAVASCRIPT.replace("SONG", json.dumps(SONG)).replace("\nlines\n", f"\n{program}\n")
    check(
        [node, "--input-type=module", "-e", script], environment | variables | {"FAL_KEY": KEY}, Path(__file__).parent
    )
