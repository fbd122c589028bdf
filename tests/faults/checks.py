"""What must hold in the folders of a user after kills at any moment. Reads files and databases without this package."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import soundfile

TRASH = ".trash"
NO_SONG = "has no song"
OPEN = ("NEW", "IN_QUEUE", "IN_PROGRESS")
AUDIO = (".wav", ".flac", ".mp3", ".ogg")


def problems(music: Path, data: Path, submitted: Collection[str] = ()) -> list[str]:
    """A sentence for each thing that is lost, torn, doubled or left behind. All jobs have had time to end."""
    database = data / "acestep.sqlite3"
    if not database.is_file():
        return [f"{len(submitted)} jobs, but no database"] if submitted else []
    with closing(sqlite3.connect(database)) as db:
        db.row_factory = sqlite3.Row
        whole = db.execute("PRAGMA integrity_check").fetchone()[0]
        jobs = {row["id"]: dict(row) for row in db.execute("SELECT * FROM jobs")}
        tracks = [dict(row) for row in db.execute("SELECT * FROM tracks")]
    songs, torn = _songs(music)
    return [
        *([] if whole == "ok" else [f"the database is damaged: {whole}"]),
        *(f"job {job} is not recorded" for job in submitted if job not in jobs),
        *torn,
        *_of_jobs(jobs, songs),
        *_of_index(tracks, songs),
    ]


def _of_jobs(jobs: dict[str, Any], songs: dict[str, Any]) -> Iterator[str]:
    for name, job in jobs.items():
        if job["status"] in OPEN:
            yield f"job {name} never ended: {job['status']} {job['progress']}"
        elif job["status"] == "COMPLETED" and name not in songs:
            yield f"job {name} is COMPLETED, and its song {job['file_name']} is gone"
        elif job["status"] != "COMPLETED" and not json.loads(job["error"] or "{}").get("message"):
            yield f"job {name} is {job['status']} and does not say why"
        elif job["status"] != "COMPLETED" and name in songs:
            yield f"job {name} is {job['status']}, and its song is kept: {job['error']}"
    for name in songs:
        if name not in jobs:
            yield f"the song {name} belongs to no job"


def _of_index(tracks: list[dict[str, Any]], songs: dict[str, Any]) -> Iterator[str]:
    indexed = {track["id"]: track for track in tracks}
    if len(indexed) != len(tracks):
        yield "a track is indexed twice"
    for name in indexed.keys() ^ songs.keys():
        yield f"track {name} is {'indexed and has no files' if name in indexed else 'not indexed'}"
    for name in indexed.keys() & songs.keys():
        row, (path, sidecar, deleted) = indexed[name], songs[name]
        if (row["file_name"], bool(row["deleted"])) != (path.name, deleted) or json.loads(row["sidecar"]) != sidecar:
            yield f"track {name} is indexed as {row['file_name']} in another state than its files"


def _songs(music: Path) -> tuple[dict[str, tuple[Path, Any, bool]], list[str]]:
    """(file, sidecar, whether it is in the trash) by id, and what is wrong with files."""
    songs: dict[str, tuple[Path, Any, bool]] = {}
    wrong, seen = [], Counter[str]()
    for folder in (music, music / TRASH):
        files = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
        for name, path in sorted(files.items()):
            if path.suffix in AUDIO and not name.startswith(".") and path.with_suffix(".json").name not in files:
                wrong.append(f"{path} has no sidecar")
            if path.suffix != ".json":
                continue
            try:
                sidecar = json.loads(path.read_bytes())
            except ValueError:
                wrong.append(f"{path} is torn")
                continue
            audio = next((path.with_suffix(end) for end in AUDIO if path.with_suffix(end).name in files), None)
            if audio is None:
                wrong.append(f"{path} {NO_SONG}")
                continue
            seen[sidecar["id"]] += 1
            songs[sidecar["id"]] = (audio, sidecar, folder.name == TRASH)
            wrong += _torn(audio, sidecar["audio"])
    return songs, [*wrong, *(f"the song {name} is there {count} times" for name, count in seen.items() if count > 1)]


def _torn(path: Path, facts: dict[str, Any]) -> list[str]:
    content = path.read_bytes()
    if len(content) != facts["size"] or hashlib.sha256(content).hexdigest() != facts["sha256"]:
        return [f"{path} is not the file of its sidecar"]
    with soundfile.SoundFile(path) as file:
        frames = sum(len(block) for block in file.blocks(blocksize=1 << 16))
        if abs(frames / file.samplerate - facts["duration"]) > 0.1:
            return [f"{path} holds {frames / file.samplerate} s instead of {facts['duration']}"]
    return []


def temporary(*folders: Path) -> list[Path]:
    """Files that nobody would miss."""
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and ".part" in path.name)


def make_old(paths: Collection[Path], seconds: float) -> None:
    """As if they had been there for so long."""
    then = time.time() - seconds
    for path in paths:
        os.utime(path, (then, then))
