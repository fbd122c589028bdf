"""A damaged database: a copy of it is kept beside it, and what can be read goes into a new one."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from acestep_mcp.files import publish, storage_errors, temporary
from acestep_mcp.sqlite.failures import FAILURES, DamagedSchema, is_damage
from acestep_mcp.sqlite.update import Schema, check, columns_of, connect, create, execute_all, version_of

Row = Mapping[str, Any]
IsSound = Callable[[str, Row], bool]
"""Whether a row of this table makes sense: a damaged page may hold rows that nobody wrote."""

_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.05
_BESIDE = ("-wal", "-shm", "-journal")
_PAGE = 4096
_ROWS_PER_RANGE = 8
_MOST_RANGES = 100_000
_LETTERS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Repair:
    """`aside` is the copy of the damaged file, `rows` how many rows were read from it, by table."""

    aside: Path
    rows: Mapping[str, int]

    @property
    def summary(self) -> str:
        """What happened, as a sentence."""
        read = ", ".join(f"{count} of the table {table}" for table, count in self.rows.items())
        return f"The database was damaged and has been replaced by a new one. A copy of the damaged file is {self.aside}. Rows read from it: {read}."


def repair(path: Path, schema: Schema, is_sound: IsSound, advice: str) -> Repair | None:
    """Replace a damaged database; None when it is sound, perhaps because another process has just replaced it.

    The caller has closed its connection. Other processes that have the old file open still write to it, so they must
    notice that the name leads to another file. Raises StorageError; the damaged file is then still in place.
    """
    with storage_errors("repair", path, advice), _alone(path):
        if damage_in(path, schema) is None:
            return None
        aside = _copy_aside(path)
        with temporary(path, advice, private=True) as part:
            rows = _salvage(aside, part, schema, is_sound)
            # First: a new file with the old write-ahead log would be damaged again.
            for suffix in _BESIDE:
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            publish(part, path, advice)
    return Repair(aside, rows)


def damage_in(path: Path, schema: Schema) -> str | None:
    """What is wrong with the content of a database, found by reading all of it; None for a sound one.

    Raises sqlite3.Error when it cannot be read for another reason.
    """
    try:
        with closing(connect(path, timeout=20)) as db:
            return damage_of(db, schema)
    except FAILURES as exc:
        if not is_damage(exc):
            raise
        return str(exc)


def damage_in_copy(path: Path, schema: Schema) -> str | None:
    """As `damage_in`, but without a trace, from a copy; from a second one too, since the first may have met a writer."""
    damage = None
    for _ in range(2):
        with tempfile.TemporaryDirectory(prefix="acestep-") as folder, suppress(OSError, *FAILURES):
            copy = Path(folder) / path.name
            for suffix in ("-wal", ""):
                if (source := Path(f"{path}{suffix}")).is_file():
                    shutil.copyfile(source, f"{copy}{suffix}")
            damage = damage_in(copy, schema)
        if damage is None:
            return None
    return damage


def damage_of(db: sqlite3.Connection, schema: Schema) -> str | None:
    """As `damage_in`, for an open connection. Raises sqlite3.Error."""
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchone()
        if found and found[0] != "ok":
            return " ".join(str(found[0]).split())
        if version_of(db) == schema.version:
            check(db, schema)
    except DamagedSchema as exc:
        return str(exc)
    return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One repair at a time; without the lock where the folder's file system has none. Raises TimeoutError."""
    file = os.open(path.with_name(f".{path.name}.repair.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for_lock(file)
        yield
    finally:
        os.close(file)


def _wait_for_lock(file: int) -> None:
    from filelock import lock_descriptor

    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            if lock_descriptor(file, blocking=False):
                return
        except OSError:  # there are none here
            return
        if time.monotonic() > give_up:
            raise TimeoutError(errno.ETIMEDOUT, "another process has been repairing it for two minutes")
        time.sleep(_POLL_SECONDS)


def _copy_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-journal", ""):  # the file itself last: with it the copy is whole
        if (source := Path(f"{path}{suffix}")).exists():
            shutil.copyfile(source, f"{aside}{suffix}")
            Path(f"{aside}{suffix}").chmod(0o600)
    return aside


def _salvage(aside: Path, target: Path, schema: Schema, is_sound: IsSound) -> dict[str, int]:
    with closing(sqlite3.connect(target, isolation_level=None)) as new:
        new.execute("BEGIN")
        create(new, schema)
        new.execute("COMMIT")
        rows = dict.fromkeys(schema.kept, 0)
        # A damaged first page hides all tables, but those of a new database lie in the same places.
        for prepared in (_as_it_is, _with_first_page_of):
            if any(rows.values()):
                break
            with temporary(aside, private=True) as copy:
                prepared(aside, copy, target)
                for table in schema.kept:
                    new.execute("BEGIN")
                    rows[table] = _insert(new, table, _read(copy, table, schema), is_sound)
                    new.execute("COMMIT")
                for suffix in _BESIDE:
                    Path(f"{copy}{suffix}").unlink(missing_ok=True)
        execute_all(new, schema.repaired)
    return rows


def _as_it_is(aside: Path, copy: Path, _: Path) -> None:
    shutil.copyfile(aside, copy)
    if Path(f"{aside}-wal").exists():
        shutil.copyfile(f"{aside}-wal", f"{copy}-wal")


def _with_first_page_of(aside: Path, copy: Path, new: Path) -> None:
    """The file's pages after the first page of a new database, and without the log, which may hold the damaged page."""
    content = bytearray(new.read_bytes()[:_PAGE])
    size = aside.stat().st_size
    content[28:32] = (size // _PAGE).to_bytes(4, "big")  # the number of pages
    content[32:40] = bytes(8)  # no free pages
    with aside.open("rb") as source, copy.open("wb") as target:
        source.seek(_PAGE)
        target.write(content)
        shutil.copyfileobj(source, target)


def _read(path: Path, table: str, schema: Schema) -> list[dict[str, Any]]:
    """Every row that can be read, in the order of the key."""
    key, columns = schema.kept[table], columns_of(schema)[table]
    found: dict[Any, dict[str, Any]] = {}
    with suppress(*FAILURES), closing(connect(path, timeout=20)) as db:
        db.row_factory = sqlite3.Row
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        names = ", ".join([name for name in columns if name in there])
        if _collect(db, f"SELECT {key} AS row_key, {names} FROM {table} ORDER BY {key}", (), found):
            return [*found.values()]
        for low, high in _ranges(db, table, key):
            for order in ("ASC", "DESC"):
                query = f"SELECT {key} AS row_key, {names} FROM {table} WHERE {key} >= ? AND {key} < ? ORDER BY {key} {order}"
                if _collect(db, query, (low, high), found):
                    break
    return [found[at] for at in sorted(found, key=lambda value: (str(type(value)), value))]


def _collect(db: sqlite3.Connection, query: str, values: tuple[Any, ...], found: dict[Any, dict[str, Any]]) -> bool:
    """Add rows to `found` up to the first that cannot be read; whether all could."""
    try:
        for row in db.execute(query, values):
            read = dict(row)
            found.setdefault(read.pop("row_key"), read)
    except (*FAILURES, OverflowError):
        return False
    return True


def _ranges(db: sqlite3.Connection, table: str, key: str) -> list[tuple[Any, Any]]:
    """The key's values in small ranges, so that an unreadable page hides only its own rows."""
    if key != "rowid":
        starts = ["", *(first + second for first in _LETTERS for second in _LETTERS), "\U0010ffff"]
        return [*pairwise(starts)]
    highest = 0
    for query in (f"SELECT max(rowid) FROM {table}", f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'"):
        with suppress(*FAILURES):
            for (value,) in db.execute(query):
                highest = max(highest, value or 0)
    step = max(_ROWS_PER_RANGE, highest // _MOST_RANGES)
    return [*pairwise(range(0, (highest or _MOST_RANGES) + 2 * step, step))]


def _insert(new: sqlite3.Connection, table: str, rows: list[dict[str, Any]], is_sound: IsSound) -> int:
    """Only rows that fit: those that repeat a unique value or lack one are left out."""
    count = 0
    for row in rows:
        if is_sound(table, row):
            marks = ", ".join("?" * len(row))
            query = f"INSERT OR IGNORE INTO {table} ({', '.join(row)}) VALUES ({marks})"
            count += new.execute(query, [*row.values()]).rowcount
    return count
