"""The tables of the database of a user."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from acestep_mcp.library.models import Status
from acestep_mcp.sqlite import Row, Schema

PARENT = "CASE WHEN json_valid(sidecar) THEN coalesce(json_extract(sidecar, '$.parent.id'), json_extract(sidecar, '$.parent')) END"
"""The id of the track that a track was made from. An index needs the same words as the query."""

_TABLES = f"""
CREATE TABLE IF NOT EXISTS processes (id TEXT PRIMARY KEY, heartbeat REAL NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    endpoint TEXT NOT NULL,
    request TEXT NOT NULL,
    status TEXT NOT NULL,
    backend TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    queue_url TEXT NOT NULL DEFAULT '',
    ticket TEXT,
    request_id TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    progress TEXT NOT NULL DEFAULT '{{}}',
    logs TEXT NOT NULL DEFAULT '[]',
    result TEXT,
    track_id TEXT,
    file_name TEXT,
    file_stem TEXT,
    parent TEXT,
    error TEXT,
    estimated_cost REAL NOT NULL DEFAULT 0,
    cost REAL,
    notes TEXT NOT NULL DEFAULT '[]',
    options TEXT NOT NULL DEFAULT '{{}}',
    fingerprint TEXT NOT NULL,
    idempotency_key TEXT UNIQUE,
    answer TEXT NOT NULL DEFAULT 'open',
    cut_at REAL,
    caller TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    owner TEXT
);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (status, owner);
CREATE INDEX IF NOT EXISTS jobs_fingerprint ON jobs (fingerprint);
CREATE TABLE IF NOT EXISTS tracks (
    change INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    folder TEXT NOT NULL,
    file_name TEXT NOT NULL,
    sidecar_name TEXT NOT NULL,
    stamp TEXT NOT NULL,
    created_at TEXT NOT NULL,
    search TEXT NOT NULL,
    sidecar TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (folder, id)
);
CREATE TABLE IF NOT EXISTS uploads (
    host TEXT NOT NULL, digest TEXT NOT NULL, url TEXT NOT NULL, uploaded_at REAL NOT NULL, PRIMARY KEY (host, digest)
);
CREATE TABLE IF NOT EXISTS notices (number INTEGER PRIMARY KEY, text TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS tracks_newest ON tracks (folder, deleted, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS tracks_sidecars ON tracks (folder, sidecar_name, deleted, file_name, stamp, id);
CREATE INDEX IF NOT EXISTS tracks_files ON tracks (folder, file_name);
CREATE INDEX IF NOT EXISTS tracks_parents ON tracks ({PARENT});
CREATE INDEX IF NOT EXISTS jobs_stem ON jobs (file_stem);
CREATE INDEX IF NOT EXISTS jobs_created ON jobs (created_at);
CREATE INDEX IF NOT EXISTS jobs_rates ON jobs (backend, endpoint, status, number);
"""

_FROM_1 = """
ALTER TABLE jobs ADD COLUMN request_id TEXT;
UPDATE jobs SET request_id = json_extract(ticket, '$.request_id') WHERE ticket IS NOT NULL
"""

# A request whose row was lost after it was sent must not be sent, and paid, again.
_REPAIRED = """
UPDATE jobs SET attempts = max(attempts, 1) WHERE status = 'NEW' AND backend <> 'draft';
UPDATE jobs SET request_id = json_extract(ticket, '$.request_id') WHERE request_id IS NULL AND json_valid(ticket)
"""

SCHEMA = Schema(2, _TABLES, {1: _FROM_1}, {"jobs": "rowid", "uploads": "rowid"}, _REPAIRED)
"""The index of tracks is not saved by a repair: it is rebuilt from the sidecars."""


def is_sound(table: str, row: Row) -> bool:
    """Whether a row that was read from a damaged file can be one of ours."""
    if table == "uploads":
        return all(isinstance(row[name], str) for name in ("host", "digest", "url"))
    texts = all(isinstance(row[name], str) for name in ("id", "endpoint", "backend", "queue_url", "fingerprint"))
    return texts and row["status"] in Status.__members__ and isinstance(_json(row["request"]), dict)


def _json(text: Any) -> Any:
    with suppress(ValueError, TypeError):
        return json.loads(text)
    return None
