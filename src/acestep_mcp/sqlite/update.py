"""The schema of a database: created, or updated from an older version after a backup."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from acestep_mcp.files import publish, temporary
from acestep_mcp.sqlite.failures import DamagedSchema, is_locked

_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class Schema:
    """`tables` are CREATE statements, `steps` the statements from each version to the next.

    Columns and tables are only added: an older program may have the file open. A repair saves the tables in `kept`,
    which names the key of each, and then runs the statements in `repaired`.
    """

    version: int
    tables: str
    steps: Mapping[int, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    repaired: str = ""


def version_of(connection: sqlite3.Connection) -> int:
    """0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def create(connection: sqlite3.Connection, schema: Schema) -> None:
    """Create the tables, or update older ones, within the open transaction.

    Raises DamagedSchema where a table lacks columns of its version.
    """
    version = version_of(connection)
    for step in range(version, schema.version) if version else ():
        execute_all(connection, schema.steps[step])
    execute_all(connection, schema.tables)
    connection.execute(f"PRAGMA user_version = {schema.version}")
    check(connection, schema)


def check(connection: sqlite3.Connection, schema: Schema) -> None:
    """Raises DamagedSchema where a table or a column is missing."""
    for table, columns in columns_of(schema).items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if missing := [name for name in columns if name not in found]:
            raise DamagedSchema(f"the table {table} lacks the columns {', '.join(missing)}")


def columns_of(schema: Schema) -> dict[str, list[str]]:
    """The columns of each table, in order."""
    with closing(sqlite3.connect(":memory:")) as empty:
        execute_all(empty, schema.tables)
        names = [name for (name,) in empty.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        plain = [name for name in names if not name.startswith("sqlite_")]
        return {name: [row[1] for row in empty.execute(f"PRAGMA table_info({name})")] for name in plain}


def back_up(connection: sqlite3.Connection, path: Path, version: int, advice: str) -> Path:
    """Copy a database of an older version to a file beside it, once, before it is changed. Raises StorageError.

    `connection` has no transaction of its own: one with an open transaction cannot be copied from.
    """
    backup = path.with_name(f"{path.name}.v{version}.backup")
    if not backup.exists():
        with temporary(backup, advice, private=True) as part:
            with closing(sqlite3.connect(part)) as target:
                connection.backup(target)
            publish(part, backup, advice)
    return backup


def connect(path: Path | str, *, timeout: float) -> sqlite3.Connection:
    """A connection without implicit transactions. One text that is not UTF-8 must not hide the rows around it."""
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    return connection


def use_write_ahead_log(connection: sqlite3.Connection, seconds: float) -> None:
    """Switch the journal to WAL, outside a transaction; the file remembers it. Another's lock is waited for.

    SQLite itself refuses at once while another connection is about to write. Raises sqlite3.OperationalError.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not is_locked(exc) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def create_private(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists. SQLite gives the files beside it the same mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def execute_all(connection: sqlite3.Connection, statements: str) -> None:
    """One by one: `executescript` would commit the open transaction."""
    for statement in statements.split(";"):
        connection.execute(statement)
