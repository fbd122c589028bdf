"""The tables, as numbered migrations. A migration that has been released is never changed."""

from __future__ import annotations

CHANGED = "acestep_changed"
"""Notified with a front's id and a job's id, when that front has changed the job or its log."""
WAITING = "acestep_waiting"
"""Notified when a job waits."""

VERSION_TABLE = "CREATE TABLE IF NOT EXISTS acestep_schema (version integer NOT NULL)"

# `runner` is the front that has taken the job, `entry` the one that accepted it: its caller may wait there, and it
# delivers the webhook. `owner` is the name of the key that the job was submitted with, and `number` in acestep_turn counts
# the beginnings of jobs: that of the last one of each owner.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE acestep_job (
            id text PRIMARY KEY,
            endpoint text NOT NULL,
            request text NOT NULL,
            terms text NOT NULL,
            created_at double precision NOT NULL,
            sequence bigint GENERATED ALWAYS AS IDENTITY,
            state text NOT NULL,
            attempts integer NOT NULL,
            cancelled boolean NOT NULL,
            told boolean NOT NULL,
            ended_at double precision,
            answer text,
            priority integer NOT NULL,
            start_by double precision,
            synchronous boolean NOT NULL,
            has_webhook boolean NOT NULL,
            file text,
            size bigint NOT NULL,
            runner text,
            entry text NOT NULL,
            revision bigint NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX acestep_job_waiting ON acestep_job (priority, sequence) WHERE state = 'IN_QUEUE'",
        "CREATE INDEX acestep_job_open ON acestep_job (runner) WHERE state <> 'COMPLETED'",
        "CREATE INDEX acestep_job_ended ON acestep_job (ended_at) WHERE state = 'COMPLETED'",
        "CREATE INDEX acestep_job_untold ON acestep_job (entry) WHERE has_webhook AND NOT told",
        """CREATE TABLE acestep_log (
            job_id text NOT NULL REFERENCES acestep_job ON DELETE CASCADE,
            number integer NOT NULL,
            line text NOT NULL,
            PRIMARY KEY (job_id, number)
        )""",
        "CREATE TABLE acestep_front (id text PRIMARY KEY, seen_until timestamptz NOT NULL)",
        """CREATE TABLE acestep_upload (
            digest bytea PRIMARY KEY, name text NOT NULL, touched timestamptz NOT NULL DEFAULT now()
        )""",
        """CREATE TABLE acestep_part (
            digest bytea NOT NULL REFERENCES acestep_upload ON DELETE CASCADE,
            number integer NOT NULL,
            etag text NOT NULL,
            size bigint NOT NULL,
            PRIMARY KEY (digest, number)
        )""",
        "CREATE TABLE acestep_secret (name text PRIMARY KEY, value bytea NOT NULL)",
    ),
    (
        "ALTER TABLE acestep_job ADD COLUMN owner text NOT NULL DEFAULT ''",
        "CREATE TABLE acestep_turn (name text PRIMARY KEY, number bigint NOT NULL)",
    ),
    (
        "ALTER TABLE acestep_job ADD COLUMN fetched double precision",
        "CREATE INDEX acestep_job_file ON acestep_job (file) WHERE file IS NOT NULL",
    ),
)
