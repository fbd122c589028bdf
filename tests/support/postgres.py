"""A PostgreSQL server of one's own, on a socket in a folder, from the programs that Debian installs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

_CONFIGURATION = "listen_addresses = ''\nfsync = off\nmax_connections = 200\nautovacuum = off\nshared_buffers = 16MB\n"


def programs() -> Path | None:
    """The folder of initdb and postgres, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def _as_other_user(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    os.chown(folder, 65534, 65534)  # nobody
    return {"user": 65534, "group": 65534, "extra_groups": []}


class Postgres:
    """`url` is the address of a database; `stop` and `start` take the server away and bring it back."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._folder, self._bin = folder, bin_folder
        self._user = _as_other_user(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._call("initdb", "-D", str(folder / "data"), "-U", "tester", "-A", "trust", "--no-sync")
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)

    def start(self) -> None:
        self._call("pg_ctl", "-D", str(self._folder / "data"), "-o", f"-k {self._folder}", "-l", str(self._folder / "log"), "-w", "start")  # fmt: skip

    def stop(self) -> None:
        self._call("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")

    def database(self, name: str) -> str:
        """The address of a new, empty database."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://tester@/{name}?host={quote(str(self._folder), safe='')}"

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments], cwd=self._folder, stdout=subprocess.DEVNULL, check=False, **self._user
        )  # fmt: skip
        assert done.returncode == 0, (self._folder / "log").read_text() if (self._folder / "log").exists() else program


@contextmanager
def running(folder: Path, bin_folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder, bin_folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
