"""The engine server against its own OpenAPI document, by schemathesis: every answer is one that the document states."""

from __future__ import annotations

import os
import subprocess

import anyio
import anyio.to_thread
import pytest

from tests.support.engine import Tone, behind_a_port

PYTHON = os.environ.get("ACESTEP_TESTS_SCHEMATHESIS", "")
MOST = os.environ.get("ACESTEP_TESTS_SCHEMATHESIS_CASES", "3")
"""Cases for each operation; docs/contributing.md has the long form."""
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "ignored_auth",
)  # fmt: skip
"""Left out are those that expect less than fal accepts, such as numbers as text and a submit by GET."""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.process,
    pytest.mark.skipif(not PYTHON, reason="ACESTEP_TESTS_SCHEMATHESIS names no Python with schemathesis"),
]


async def test_every_answer_is_one_that_the_document_states(tmp_path):
    async with behind_a_port(tmp_path, Tone(), key="k") as url:
        command = [
            PYTHON, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "-H", "Authorization: Key k", "--seed", "1",
            "--max-examples", MOST, "--phases", "fuzzing,stateful",
            "--checks", ",".join(CHECKS), "--request-timeout", "20", "--suppress-health-check", "all", "--no-color",
        ]  # fmt: skip
        run = lambda: subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)  # noqa: E731
        done = await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
