"""The parent's side of a process that makes songs: start it, send jobs, receive messages, end it."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Any, ClassVar, Protocol

from acestep_mcp.engines import Source
from acestep_mcp.engines.processes.messages import write_job
from acestep_mcp.engines.processes.samples import read_samples

_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
# A terminal sends Ctrl-C to a whole process group; this process alone decides what becomes of the job.
_NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_LINES_KEPT = 20
_LOG_SECONDS = 1.0
"""How long the end of a log is waited for: a process that the child started may hold it open."""


class SongProcess(Protocol):
    """The parent's side of a process that makes songs, on this machine or another."""

    @property
    def pid(self) -> int: ...
    def send(self, job: dict[str, Any], source: Source | None) -> None: ...
    def tell(self, message: dict[str, Any]) -> None: ...
    def receive(self, seconds: float) -> dict[str, Any] | None: ...
    def how_it_ended(self) -> str: ...
    def end(self) -> None: ...


class WorkerProcess:
    """One worker process with its pipes and the end of its log."""

    EXITED: ClassVar[dict[str, Any]] = {}
    """The last message: the process has exited."""

    def __init__(
        self,
        module: str,
        environment: dict[str, str],
        *,
        first: dict[str, Any] | None = None,
        on_log_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Run a module of this package, which gets `first` as its first line.

        Each line of its stderr is passed to `on_log_line`, in a thread. Raises OSError when no process can be started.
        """
        self.jobs_sent = 0
        self._process = subprocess.Popen(
            # -P: a module in the working directory must not shadow one of this package.
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            creationflags=_NO_WINDOW | _NEW_GROUP,
            process_group=None if sys.platform == "win32" else 0,
        )
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._reader = threading.Thread(target=self._read_messages, daemon=True)
        self._log_reader = threading.Thread(target=self._read_log, args=(on_log_line,), daemon=True)
        self._writer: threading.Thread | None = None
        self._writing = threading.Lock()
        self._reader.start()
        self._log_reader.start()
        if first is not None:  # short, and the pipe is empty: it is written at once
            self._write(first, None)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it runs and has said nothing that was not received."""
        return self._process.poll() is None and self._messages.empty()

    def send(self, job: dict[str, Any], source: Source | None) -> None:
        """Send a job, in a thread: a large source fills the pipe before the worker has finished its imports."""
        self.jobs_sent += 1
        self._writer = threading.Thread(target=self._write, args=(job, source), daemon=True)
        self._writer.start()

    def tell(self, message: dict[str, Any]) -> None:
        """Send a line that is no job, in a thread; nothing happens where the process has ended."""
        threading.Thread(target=self._write, args=(message, None), daemon=True).start()

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message, EXITED at the end, or None if none arrived within `seconds`."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def was_terminated(self) -> bool:
        """Whether the process, which has exited, was ended by SIGTERM."""
        return self.exit_code() == -signal.SIGTERM

    def was_killed(self) -> bool:
        """Whether the process, which has exited, was ended by SIGKILL, as the kernel does when memory runs out."""
        return self.exit_code() == -9  # Windows has no such signal

    def exit_code(self) -> int | None:
        """The exit code of a process that has closed its pipes; None where it does not end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(5)
        return None

    def how_it_ended(self) -> str:
        """For a process that has exited: its exit code, and the last that it said."""
        return f"exit code {self.exit_code()}: {self.last_log_line()}"

    def last_log_line(self) -> str:
        self._log_reader.join(_LOG_SECONDS)
        return self._lines[-1] if self._lines else "it gave no reason; try again"

    def end(self) -> None:
        """Kill the process and close everything that belongs to it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        for thread in (self._reader, self._writer):
            if thread is not None:
                thread.join()
        self._log_reader.join(_LOG_SECONDS)
        with contextlib.suppress(OSError):  # unwritten data has no reader
            self._process.stdin.close()
        self._process.stdout.close()

    def _write(self, job: dict[str, Any], source: Source | None) -> None:
        assert self._process.stdin is not None
        with self._writing:
            write_job(self._process.stdin, job, source)

    def _read_messages(self) -> None:
        """Queue each message with its samples, and EXITED at the end of the stream."""
        stdout = self._process.stdout
        assert stdout is not None
        with contextlib.suppress(EOFError):
            for line in stdout:
                if not line.endswith(b"\n"):
                    break
                message = json.loads(line)
                if "song" in message:
                    message["samples"] = read_samples(stdout, message["song"])
                self._messages.put(message)
        self._messages.put(self.EXITED)

    def _read_log(self, on_log_line: Callable[[str], None]) -> None:
        log: IO[bytes] | None = self._process.stderr
        assert log is not None
        with log:
            for line in log:
                if text := line.decode("utf-8", "replace").strip():
                    self._lines.append(text)
                    on_log_line(text)
