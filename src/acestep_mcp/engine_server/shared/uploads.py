"""Unfinished uploads that every front knows: their parts may come to any of them."""

from __future__ import annotations

from acestep_mcp.engine_server.shared.database import Postgres
from acestep_mcp.engine_server.uploads import MAX_OPEN, Upload, digest_of


class SharedUploads:
    """The secrets themselves are in no database."""

    def __init__(self, database: Postgres) -> None:
        self._database = database

    async def begin(self, upload: Upload) -> bool:
        async with self._database.reading() as cursor:
            await cursor.execute(
                "INSERT INTO acestep_upload (digest, name) SELECT %s, %s "
                "WHERE (SELECT count(*) FROM acestep_upload) < %s RETURNING name",
                [upload.digest, upload.name, MAX_OPEN],
            )
            return await cursor.fetchone() is not None

    async def find(self, secret: str) -> Upload | None:
        digest = digest_of(secret)
        async with self._database.reading() as cursor:
            await cursor.execute("UPDATE acestep_upload SET touched = now() WHERE digest = %s RETURNING name", [digest])
            row = await cursor.fetchone()
            if row is None:
                return None
            upload = Upload(row["name"], secret)
            await cursor.execute("SELECT number, etag, size FROM acestep_part WHERE digest = %s", [digest])
            upload.parts = {part["number"]: (part["etag"], part["size"]) for part in await cursor.fetchall()}
            return upload

    async def add_part(self, upload: Upload, number: int, etag: str, size: int) -> None:
        async with self._database.reading() as cursor:
            await cursor.execute(
                "INSERT INTO acestep_part (digest, number, etag, size) SELECT digest, %s, %s, %s FROM acestep_upload "
                "WHERE digest = %s ON CONFLICT (digest, number) DO UPDATE SET etag = excluded.etag, size = excluded.size",
                [number, etag, size, upload.digest],
            )
        upload.parts[number] = (etag, size)

    async def end(self, upload: Upload) -> None:
        async with self._database.reading() as cursor:
            await cursor.execute("DELETE FROM acestep_upload WHERE digest = %s", [upload.digest])

    async def forget(self, before: float) -> None:
        """Drop uploads that have received nothing since this time."""
        async with self._database.reading() as cursor:
            await cursor.execute("DELETE FROM acestep_upload WHERE touched < to_timestamp(%s)", [before])
