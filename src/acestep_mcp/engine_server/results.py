"""From an engine's audio to a stored file and the response that names it."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import acestep_mcp
from acestep_mcp.api.errors import StorageError
from acestep_mcp.api.requests import INSTRUMENTAL
from acestep_mcp.audio.hearing import Hearing, hear
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import copy_with_tags, write
from acestep_mcp.engine_server.file_store import FileStore, content_type_of, storage_errors
from acestep_mcp.engine_server.jobs import QueueJob, StoredResponse
from acestep_mcp.engines import Audio, Engine
from acestep_mcp.readers.no_vocals import is_instrumental
from acestep_mcp.songwriter.song_text import SongText

logger = logging.getLogger(__name__)
_RESPONSE = TypeAdapter(StoredResponse)


@dataclass(frozen=True, slots=True)
class GeneratedSong:
    """The outcome of a run. `words` were written for a prompt; `seconds` is the time taken."""

    audio: Audio
    seed: int
    words: SongText | None
    seconds: float


def store_result(job: QueueJob, song: GeneratedSong, engine: Engine, file_store: FileStore) -> StoredResponse:
    """Write the song to a file that is then served. Raises StorageError."""
    folder = file_store.job(job.id)
    with storage_errors(folder):  # it may disappear between any two steps
        return _stored(job, folder, song, engine, file_store)


def earlier_result(job: QueueJob, file_store: FileStore) -> StoredResponse | None:
    """The response of an attempt that stored its song, where the server ended before it recorded this. Else None.

    None too where the files cannot be read now: the song is made again, which is better than a job that fails.
    """
    try:
        response = _RESPONSE.validate_json(file_store.outcome(job.id) or b"")
        return response if response.file and file_store.find(response.file) else None
    except StorageError as error:
        logger.warning("it is not known whether job %s has a song already: %s", job.id, error.message)
    except ValueError:  # nothing, or half of it: the song was not published
        pass
    return None


def _stored(job: QueueJob, folder: Path, song: GeneratedSong, engine: Engine, file_store: FileStore) -> StoredResponse:
    # Heard here, where the samples are in memory, and while the file is written: no client needs to decode it.
    with ThreadPoolExecutor(1) as pool:
        hearing = pool.submit(hear, song.audio.sound)
        path = _written(folder, song.audio, _file_tags(song, engine))
    name = file_store.new_name(path.suffix, job.owner)
    file = {
        "url": f"/files/{name}",
        "content_type": content_type_of(name),
        "file_name": f"ace-step-{song.seed}{path.suffix}",
        "file_size": path.stat().st_size,
    }
    body = {"audio": file, **_body(song, engine, hearing.result())}
    response = StoredResponse(200, body, file=name, seconds=round(song.seconds, 3))
    file_store.keep_outcome(job.id, _RESPONSE.dump_json(response))
    file_store.publish(path, name)
    return response


def _written(folder: Path, audio: Audio, tags: FileTags) -> Path:
    """The song's file: the engine's own in its format, with our tags, or else a WAV file of the samples."""
    if audio.file and (copied := copy_with_tags(audio.file, folder / "result", tags)):
        return copied
    path = folder / "result.wav"
    write(path, audio.sound, format="wav", tags=tags)
    return path


def _body(song: GeneratedSong, engine: Engine, hearing: Hearing) -> dict[str, Any]:
    audio, words = song.audio, song.words
    notes = [*(words.notes if words else ()), *audio.notes]
    sections = [asdict(section) for section in audio.sections]
    heard = {"measured": hearing.levels.facts(), "heard": hearing.facts()}
    ours = _origin(engine) | {"notes": notes, "sections": sections} | heard
    return {
        "seed": song.seed,
        "tags": audio.tags,
        "lyrics": _lyrics(audio),
        "acestep": ours | ({"writer": words.writer} if words else {}),
    }


def _file_tags(song: GeneratedSong, engine: Engine) -> FileTags:
    audio = song.audio
    comment = json.dumps({"acestep": {**_origin(engine), "seed": song.seed, "plan": audio.plan}}, separators=(",", ":"))
    return FileTags(
        title=audio.tags[:80],
        tags=audio.tags,
        lyrics=_lyrics(audio),
        seed=song.seed,
        comment=comment,
        software=f"acestep-mcp {acestep_mcp.__version__}",
    )


def _origin(engine: Engine) -> dict[str, str]:
    return {"engine": engine.name, "model": engine.model, "version": engine.version}


def _lyrics(audio: Audio) -> str:
    return INSTRUMENTAL if is_instrumental(audio.lyrics) else audio.lyrics
