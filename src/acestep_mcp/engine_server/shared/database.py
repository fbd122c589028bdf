"""PostgreSQL: a pool of connections, transactions, notifications, migrations."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

import anyio

from acestep_mcp.api.errors import ConfigurationError, QueueUnavailable
from acestep_mcp.engine_server.shared.schema import CHANGED, MIGRATIONS, VERSION_TABLE, WAITING

if TYPE_CHECKING:
    from psycopg import AsyncConnection, AsyncCursor

    Cursor = AsyncCursor[dict[str, Any]]

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
_CONNECTIONS = 8
_START_SECONDS = 60.0
_CALL_SECONDS = 10.0
_WAIT_SECONDS = 3.0
"""For a free connection, before a request is answered with 503."""
_MIGRATION_LOCK = 4_711_202_611
# Without them a connection whose other end has vanished would be waited for until the system gives up, after minutes.
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "application_name": "acestep-mcp",
}


class Postgres:
    """Every call raises QueueUnavailable while PostgreSQL does not answer. No message holds the password."""

    def __init__(self, address: str) -> None:
        """Raises ConfigurationError for an address that is none, and without psycopg."""
        try:
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict, make_conninfo
            from psycopg_pool import AsyncConnectionPool
        except ImportError as exc:
            raise ConfigurationError(
                "A queue in PostgreSQL needs psycopg, which is not installed. "
                "Install it (pip install 'acestep-mcp[fronts]'), or start the server without --jobs."
            ) from exc
        try:
            parts: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(address)}
        except ProgrammingError as exc:
            raise ConfigurationError(
                "The address of the job database cannot be read. Give one like postgresql://user@host/database."
            ) from exc
        self.password = str(parts.get("password") or "")
        self.shown = f"PostgreSQL at {parts.get('host') or 'the local socket'}, database {parts.get('dbname') or '?'}"
        self._conninfo = make_conninfo("", **parts)
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # this module logs lost connections itself
        self._pool = AsyncConnectionPool(
            self._conninfo,
            min_size=1,
            max_size=_CONNECTIONS,
            open=False,
            timeout=_WAIT_SECONDS,
            reconnect_timeout=3e8,  # it never gives up
            kwargs={"autocommit": True},
            name="acestep-mcp",
        )

    async def open(self) -> None:
        """Connect, which is tried for a minute, and bring the tables up to date. Raises ConfigurationError."""
        give_up = anyio.current_time() + _START_SECONDS
        while True:
            try:
                await self._migrate()
                break
            except QueueUnavailable as exc:
                if anyio.current_time() > give_up:
                    raise ConfigurationError(f"{exc.message} Check its address and that it runs.") from exc
                logger.warning("%s", exc.message)
            await anyio.sleep(RETRY_SECONDS)
        await self._pool.open()

    async def close(self) -> None:
        with anyio.move_on_after(_CALL_SECONDS, shield=True):
            await self._pool.close(timeout=1)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Cursor]:
        """A cursor for single statements, each a transaction of its own."""
        from psycopg.rows import dict_row

        # A statement is not interrupted: nobody would know whether it had its effect.
        with self._errors(), anyio.fail_after(_CALL_SECONDS, shield=True):
            async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
                yield cursor

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Cursor]:
        """A cursor in one transaction, which is committed when the block ends."""
        async with self.reading() as cursor, cursor.connection.transaction():
            yield cursor

    async def listen(self, heard: Callable[[str, str], None], began: Callable[[], Awaitable[None]]) -> None:
        """Call `heard` with the channel and text of every notification, until the connection is lost.

        `began` is called when listening has begun: what happened earlier was not heard.
        """
        with self._errors():
            async with self._connection() as connection:
                for channel in (CHANGED, WAITING):
                    await connection.execute(_LISTEN[channel])
                with anyio.fail_after(_CALL_SECONDS, shield=True):  # it would lose those that it looks at
                    await self._pool.check()  # after a restart of the server its connections are dead
                await began()
                async for notification in connection.notifies():
                    heard(notification.channel, notification.payload)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        from psycopg import AsyncConnection

        connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
        try:  # as a context of its own it would roll back first, and stay open where that is cancelled too
            yield connection
        finally:
            await connection.close()

    async def _migrate(self) -> None:
        with self._errors():
            async with self._connection() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
                await connection.execute(VERSION_TABLE)
                row = await (await connection.execute("SELECT max(version) FROM acestep_schema")).fetchone()
                found = (row and row[0]) or 0
                if found > len(MIGRATIONS):
                    raise ConfigurationError(
                        f"The tables in {self.shown} have version {found}, and this acestep-mcp knows "
                        f"{len(MIGRATIONS)}. Update acestep-mcp here, or give another database."
                    )
                for number, statements in enumerate(MIGRATIONS[found:], found + 1):
                    for statement in statements:
                        await connection.execute(statement.encode())
                    await connection.execute("INSERT INTO acestep_schema VALUES (%s)", [number])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from psycopg import InterfaceError, OperationalError
        from psycopg.errors import ReadOnlySqlTransaction

        try:
            yield
        except (OperationalError, InterfaceError, ReadOnlySqlTransaction, TimeoutError, OSError) as exc:
            said = " ".join(str(exc).split())[:300] or type(exc).__name__
            if self.password:
                said = said.replace(self.password, "***")
            raise QueueUnavailable(
                f"The job database ({self.shown}) does not answer: {said}. It is tried again; no job is lost."
            ) from exc


_LISTEN: dict[str, LiteralString] = {CHANGED: "LISTEN acestep_changed", WAITING: "LISTEN acestep_waiting"}
