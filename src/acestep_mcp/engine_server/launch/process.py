"""An engine server as a detached process: how it is started, and the error when that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from acestep_mcp.api.environment import MODEL_KEYS, MODELS, TRACING, inherited
from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.files import DATA_ADVICE, storage_errors

LOG = "engine.log"
_LOG_SIZE = 1 << 20
_LAST_LINES = 5
_LAST_CHARACTERS = 4000


class EngineProcess:
    """A process that outlives this one: it shares no pipes, process group or folder with it, and writes to a log."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        """Raises StorageError when the log cannot be written."""
        self._log = folder / LOG
        environment = inherited(
            f"{MODELS}|{TRACING}", keys=("ACESTEP_LLM_KEY", *MODEL_KEYS)
        )  # the songwriter runs in the engine
        # -P: a module in the working folder must not shadow one of this package.
        command = [sys.executable, "-P", "-m", "acestep_mcp", *arguments]
        with storage_errors("start the engine server in", folder, DATA_ADVICE):
            if self._log.exists() and self._log.stat().st_size > _LOG_SIZE:
                self._log.replace(self._log.with_name(f"{LOG}.1"))
            with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
                self._begin = log.seek(0, os.SEEK_END)
                self._process = _spawn(command, log.fileno(), folder, {**environment, "PYTHONUTF8": "1"})

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.poll()

    def detach(self) -> None:
        """Let it run on; a thread waits for its end, so that it leaves no zombie."""
        threading.Thread(target=self._process.wait, daemon=True).start()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def failure(self, what: str) -> ConfigurationError:
        """The last lines of its log, as an error."""
        with self._log.open("rb") as file:
            file.seek(self._begin)
            output = file.read()[-_LAST_CHARACTERS:].decode("utf-8", "replace")
        lines = [line.strip() for line in output.splitlines() if line.strip()][-_LAST_LINES:]
        return ConfigurationError(
            f"The engine server {what}. Its log, {self._log}, ends with: {' / '.join(lines) or '(nothing)'}"
        )


def _spawn(command: list[str], log: int, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    def spawn(*, flags: int = 0) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            start_new_session=True,
            creationflags=flags,
        )

    if sys.platform != "win32":
        return spawn()
    flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        # Hosts end their servers with a job object; a process that breaks away from it survives.
        return spawn(flags=flags | subprocess.CREATE_BREAKAWAY_FROM_JOB)
    except PermissionError:
        return spawn(flags=flags)
