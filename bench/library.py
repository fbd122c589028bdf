"""What a call costs in a music folder with many songs, and many jobs in the database, as a ratio to one with few.

    python -m bench.library [SONGS] [FEW] [ROUNDS]        20000 and 100 songs, 15 rounds

Both folders are filled with tiny files, their sidecars and a row for each job, and are then used in turns by two open
studios, so that the load of the machine is the same for both. Prints one JSON object: medians in milliseconds, and ratios.
The processor time is that of this process, in which the draft engine's worker, which composes, is not.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

from bench.load import environment

CREATED = 1_790_000_000.0
SONG = bytes(64)


def fill(folder: Path, count: int) -> None:
    """So many songs with sidecars, the same number of jobs that ended, and an index of all."""
    from acestep_mcp.api.requests import TextToAudio
    from acestep_mcp.assembly import tracks_of
    from acestep_mcp.library.database import Database
    from acestep_mcp.library.job_rows import columns_of, fingerprint_of
    from acestep_mcp.library.models import Job, Status
    from acestep_mcp.settings import load

    music = folder / "music"
    music.mkdir(parents=True)
    os.environ.update(environment(folder))
    with closing(Database(folder / "data" / "acestep.sqlite3")) as database:
        for start in range(0, count, 500):
            with database.writing() as db:
                for number in range(start, min(count, start + 500)):
                    name = _song(music, number)
                    request = TextToAudio(tags="lofi, piano", duration=5, seed=number)
                    job = Job(
                        f"id{number:014d}", "fal-ai/ace-step", request, Status.COMPLETED, "draft", CREATED + number,
                        started_at=CREATED + number, ended_at=CREATED + number + 1, track_id=f"id{number:014d}",
                        logs=tuple(f"{step}%" for step in range(50)),
                    )  # fmt: skip
                    names = ("id", "endpoint", "request", "status", "backend", "created_at", "started_at", "ended_at")
                    columns = columns_of({field: getattr(job, field) for field in (*names, "track_id", "logs")})
                    columns |= {
                        "fingerprint": fingerprint_of(job),
                        "file_name": name,
                        "file_stem": name[:-4].casefold(),
                    }
                    columns |= {"answer": "delivered"}
                    marks = ", ".join("?" * len(columns))
                    db.execute(f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({marks})", [*columns.values()])
        tracks_of(load(), database).refresh()


def _song(music: Path, number: int) -> str:
    name = f"2026-11-22 lofi piano ({number}).wav"
    day = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(CREATED + number))
    facts = {"duration": 5.0, "size": len(SONG), "content_type": "audio/wav", "sample_rate": 48_000, "channels": 2}
    sidecar = {
        "schema": 1, "id": f"id{number:014d}", "title": "lofi piano", "file_name": name, "seed": number, "engine": "draft",
        "tags": "lofi, piano", "lyrics": "[verse]\n" + "a line of a verse\n" * 20, "endpoint": "fal-ai/ace-step",
        "request": {"tags": "lofi, piano", "duration": 5, "seed": number}, "created_at": day, "audio": facts,
    }  # fmt: skip
    (music / name).write_bytes(SONG)
    (music / name).with_suffix(".json").write_text(json.dumps(sidecar, indent=2))
    return name


async def _job(studio: Any, seed: int) -> None:
    from acestep_mcp.api.requests import TextToAudio

    job = await studio.start(TextToAudio(tags="lofi, piano", duration=5, seed=10**6 + seed))
    async for _ in studio.watch(job.id, 120):
        pass
    outcome = await studio.outcome(job.id)
    assert outcome.track is not None, outcome.job.error
    await studio.delivered(job.id)


async def _missing(studio: Any) -> None:
    from acestep_mcp.api.errors import NotFound

    try:
        await studio.catalogue.get("no such song.wav")
    except NotFound:
        return
    raise AssertionError("it is there")


CALLS: dict[str, Callable[[Any, int], Awaitable[Any]]] = {
    "a job": _job,
    "a track by its id": lambda studio, number: studio.catalogue.get(f"id{number:014d}"),
    "a track by its file name": lambda studio, number: studio.catalogue.get(f"2026-11-22 lofi piano ({number}).wav"),
    "a name that no track has": lambda studio, _: _missing(studio),
    "a page": lambda studio, _: studio.catalogue.page(),
    "a page of a search": lambda studio, _: studio.catalogue.page("piano 000007"),
    "tracks made from one": lambda studio, number: studio.catalogue.made_from(f"id{number:014d}"),
    "20 jobs": lambda studio, _: studio.jobs(20),
    "the status": lambda studio, _: studio.status(),
}


async def _measure(folders: dict[str, Path], rounds: int) -> dict[str, Any]:
    from acestep_mcp.assembly import open_studio
    from acestep_mcp.settings import load

    taken: dict[str, dict[str, list[tuple[float, float]]]] = {call: {size: [] for size in folders} for call in CALLS}
    async with AsyncExitStack() as opened:
        studios = {}
        for size, folder in folders.items():
            os.environ.update(environment(folder))
            studios[size] = await opened.enter_async_context(open_studio(load()))
        for studio in studios.values():
            await _job(studio, 0)  # which also cleans up once
        for number in range(1, rounds + 1):
            for call, run in CALLS.items():
                for size, studio in studios.items():
                    began = time.perf_counter(), time.process_time()
                    await run(studio, number)
                    taken[call][size].append((time.perf_counter() - began[0], time.process_time() - began[1]))
        once = {}
        for size, studio in studios.items():
            began = time.perf_counter()
            await studio.catalogue.rebuild()
            once[size] = round(time.perf_counter() - began, 2)
    facts: dict[str, Any] = {}
    for call, sizes in taken.items():
        for place, clock in enumerate(("wall clock", "processor")):
            medians = {
                size: round(1000 * statistics.median(value[place] for value in values), 1)
                for size, values in sizes.items()
            }
            few, many = medians.values()
            facts[f"{call}, {clock}"] = medians | {"ratio": round(many / few, 2) if few else None}
    return facts | {"rebuilding the index, s": once}


def main() -> None:
    import anyio

    given = [int(number) for number in sys.argv[1:]]
    songs, few, rounds = (*given, *(20_000, 100, 15)[len(given) :])
    with tempfile.TemporaryDirectory() as folder:
        folders = {f"{count} songs": Path(folder) / str(count) for count in (few, songs)}
        for path, count in zip(folders.values(), (few, songs), strict=True):
            fill(path, count)
        print(json.dumps(anyio.run(_measure, folders, rounds), indent=2))


if __name__ == "__main__":
    main()
