"""A PostgreSQL server for all tests here, and a new database for each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

psycopg = pytest.importorskip("psycopg", reason="the extra fronts is not installed")
pytest.importorskip("psycopg_pool", reason="the extra fronts is not installed")

from tests.support.postgres import Postgres, programs, running  # noqa: E402


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # Not in pytest's own folder: its parents are closed to other users, and the path of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="acestep-pg-"))
    folder.chmod(0o755)
    try:
        with running(folder, bin_folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def jobs(postgres: Postgres) -> str:
    """The address of an empty database."""
    return postgres.database(f"jobs_{uuid4().hex}")
