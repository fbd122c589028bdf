"""Turn a finished request into a track: check, tag and measure the download, and store it atomically."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio

from acestep_mcp import __version__
from acestep_mcp.api.errors import InvalidRequest, NotFound, QueueError
from acestep_mcp.api.responses import Response
from acestep_mcp.api.text import readable
from acestep_mcp.files import make_folder, open_resolved, storage_errors
from acestep_mcp.library.models import Job, Track
from acestep_mcp.library.names import file_stems, title_of
from acestep_mcp.library.sidecars import SIDECAR_VERSION
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.heard import remarks, summary
from acestep_mcp.studio.identity import Identity, edited, usable_sections
from acestep_mcp.studio.verify import comparison

if TYPE_CHECKING:
    from acestep_mcp.audio.tags.file_tags import FileTags
    from acestep_mcp.audio.write import Format
    from acestep_mcp.library.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Finishing:
    """What all runs share: how many songs are saved at once, and what adds the words that are heard in a saved one."""

    slots: anyio.CapacityLimiter
    with_words: Callable[[Track], Awaitable[Track]]


_LOSSY = ("mp3", "ogg")
_LONGEST = 240.0
_BYTES_PER_SECOND = 96_000 * 2 * 4
_MOST_BESIDE = 16 << 20


def ensure_writable(folder: Path) -> None:
    """Create the folder and test writing there, before anything is submitted or paid. Raises StorageError."""
    probe = folder / ".acestep-writable"
    advice = "set ACESTEP_MUSIC_DIR to another folder; nothing was submitted"
    with storage_errors("write in the music folder", folder, advice):
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)


def download_path(tracks: Tracks, job_id: str, process: str) -> Path:
    """A job's download until it becomes a track: in the music folder, so that a rename finishes it.

    It has the name of its process: one that was suspended may go on writing after another has taken the job over. The
    folder is created again where it is gone. Raises StorageError.
    """
    make_folder(tracks.folder)
    return tracks.folder / f".{job_id}.{process}.download.part"


def most_bytes(seconds: float) -> int:
    """The size of the largest file that can be a song of this length: stereo at 96 kHz in 32 bits, and its tags.

    A host may answer with a longer song than was asked for, up to the longest there is.
    """
    return _MOST_BESIDE + int(max(seconds, _LONGEST) * _BYTES_PER_SECOND)


def store_track(job: Job, response: Response, downloaded: Path, tracks: Tracks, jobs: Jobs) -> Track:
    """Turn a finished download into the job's track. Repeating it after a crash gives the same track.

    What hosts and files say in it loses its control characters.
    Raises StorageError (the host still has the song), QueueError when the file is not the audio it should be.
    """
    with storage_errors("save the song in", tracks.folder):  # it may disappear between any two steps
        return _stored(job, response, downloaded, tracks, jobs)


def _stored(job: Job, response: Response, downloaded: Path, tracks: Tracks, jobs: Jobs) -> Track:
    from acestep_mcp.audio.read import turned_down_note
    from acestep_mcp.audio.write import convert_and_remove

    song = _identity(job, response, tracks)
    song = replace(song, title=readable(song.title), tags=readable(song.tags), lyrics=readable(song.lyrics))
    name = _name(job, song.title, response.seed, tracks, jobs)
    finished = downloaded.with_name(downloaded.name.replace(".download.", ".finished."))
    with _audio_from_host(downloaded):
        gain = convert_and_remove(
            downloaded,
            finished,
            format=cast("Format", job.options.format),
            tags=_tags(job, response, song, _comment(downloaded)),
        )
        checks, heard = _facts(job, response, finished, gain)
    audio = _audio(finished)
    odd = remarks(heard, checks, seconds=audio["duration"], asked=getattr(job.request, "duration", None))
    notes = [*job.notes, *response.report.notes, *song.notes, *turned_down_note("The host's file", gain), *odd]
    facts = {
        "file_name": name,
        "notes": list(dict.fromkeys(notes)),
        "checks": checks,
        "heard": {"summary": summary(heard), **heard},
    }
    sidecar = _readable(_sidecar(job, response, song, audio) | facts)
    return tracks.add(job.id, finished, name, sidecar | {"request": job.request.wire()})


def _readable(value: Any) -> Any:
    match value:
        case str():
            return readable(value)
        case dict():
            return {readable(name): _readable(part) for name, part in value.items()}
        case list() | tuple():
            return [_readable(part) for part in value]
    return value


def clear_leftovers(job_id: str, downloaded: Path) -> None:
    """Remove what an earlier process left of this job's downloads. Lists the whole music folder."""
    with contextlib.suppress(OSError):
        with os.scandir(downloaded.parent) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(f".{job_id}.") and ".part" in entry.name]
        for name in names:
            if name != downloaded.name:
                downloaded.with_name(name).unlink(missing_ok=True)


def _identity(job: Job, response: Response, tracks: Tracks) -> Identity:
    title = title_of(response.tags, getattr(job.request, "prompt", ""))
    sections = usable_sections(response.report.sections)
    made = Identity(title, response.tags, response.lyrics, sections, job.options.edit)
    return edited(job, made, _source(job, tracks))


def _source(job: Job, tracks: Tracks) -> Identity:
    """The source's identity, from its sidecar or else its file's own tags; empty where neither is known."""
    with contextlib.suppress(NotFound):
        if job.parent is not None:
            sidecar = tracks.get(job.parent).sidecar
            title, tags, lyrics = (str(sidecar.get(name) or "") for name in ("title", "tags", "lyrics"))
            sections = usable_sections(sidecar.get("sections"))
            is_marked = sidecar.get("sections_marked") is True
            return Identity(title, tags, lyrics, sections, sections_marked=is_marked)
    if job.options.source is None:
        return Identity()
    from acestep_mcp.audio.tags.file_tags import read_tags

    try:
        with open_resolved(Path(job.options.source)) as file:
            own = read_tags(file)
    except OSError:  # it is gone
        return Identity()
    # A genre that somebody else wrote describes the song less well than the tags of the request.
    return Identity(own.title, own.tags if own.software.startswith("acestep-mcp") else "", own.lyrics)


def _name(job: Job, title: str, seed: int, tracks: Tracks, jobs: Jobs) -> str:
    date = _created(job).strftime("%Y-%m-%d")
    candidates = (f"{stem}.{job.options.format}" for stem in file_stems(date, title, seed))
    return jobs.reserve_name(job.id, (candidate for candidate in candidates if tracks.is_free(candidate)))


def _comment(path: Path) -> str:
    from acestep_mcp.audio.tags.file_tags import read_tags

    return readable(read_tags(path).comment)


def _tags(job: Job, response: Response, song: Identity, comment: str) -> FileTags:
    """The file's own tags. `comment` is the one of the host."""
    from acestep_mcp.audio.tags.file_tags import FileTags

    ours = json.dumps({"acestep": {**_engine(job, response), "seed": response.seed}})
    return FileTags(
        title=song.title,
        tags=song.tags,
        lyrics=song.lyrics,
        seed=response.seed,
        comment=_with_edit(comment or ours, song.edit),
        software=f"acestep-mcp {__version__}",
    )


def _with_edit(comment: str, edit: dict[str, Any] | None) -> str:
    """An engine's comment (its plan, for later edits), with the edit that made the song. Another one stays as it is."""
    try:
        facts = json.loads(comment)
        facts["acestep"] |= {"edit": edit} if edit else {}
    except (ValueError, TypeError, KeyError, RecursionError):
        return comment
    return json.dumps(facts, separators=(",", ":"))


def _sidecar(job: Job, response: Response, song: Identity, audio: dict[str, Any]) -> dict[str, Any]:
    made_by = response.report
    return {
        "schema": SIDECAR_VERSION,
        "id": job.id,
        "title": song.title,
        "endpoint": job.endpoint,
        "request": job.request.wire(),
        "seed": response.seed,
        "tags": song.tags,
        "lyrics": song.lyrics,
        **_engine(job, response),
        "sections": list(song.sections),
        "sections_marked": song.sections_marked or None,
        "writer": made_by.writer,
        "queue": job.queue_url,
        "request_id": job.request_id,
        "parent": job.parent,
        "remade": job.options.remade,
        "edit": song.edit,
        "audio": audio,
        "cost": cost_of(job, audio["duration"]),
        "elapsed": job.elapsed,
        "created_at": _created(job).isoformat(timespec="milliseconds"),
    }


def _audio(finished: Path) -> dict[str, Any]:
    from acestep_mcp.audio.read import probe

    properties = probe(finished)
    return {
        "duration": round(properties.seconds, 6),
        "sample_rate": properties.sample_rate,
        "channels": properties.channels,
        "bits": properties.bits,
        "format": properties.format,
        "content_type": properties.content_type,
        "size": finished.stat().st_size,
        "sha256": _sha256(finished),
    }


def _facts(job: Job, response: Response, finished: Path, gain: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The checks (loudness, peak, clipping and, for an edit, how far the rest is unchanged), and what is heard.

    A file is not decoded where our own engine sent what it heard in the same samples.
    """
    from acestep_mcp.audio.hearing import hear
    from acestep_mcp.audio.read import read

    reported = _reported(job, response)
    if reported and job.options.source is None:
        return reported
    sound = read(finished)
    if not reported:
        hearing = hear(sound)
        reported = hearing.levels.facts(), hearing.facts()
    measured, heard = reported
    return measured | comparison(job, sound, gain), heard


def _reported(job: Job, response: Response) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What our own engine measured and heard in the samples of the finished file."""
    from acestep_mcp.audio.measure import facts_in

    measured, heard = facts_in(response.report.measured), response.report.heard
    if measured is None or heard is None or job.backend == "fal" or job.options.format in _LOSSY:
        return None
    return dict(measured), heard.model_dump()


def _created(job: Job) -> dt.datetime:
    return dt.datetime.fromtimestamp(job.created_at).astimezone()


def cost_of(job: Job, seconds: float) -> float:
    """Dollars for the seconds that were made, at the price the job was estimated with."""
    return round(job.options.price * seconds, 6)


def _engine(job: Job, response: Response) -> dict[str, Any]:
    made_by, sent_as = response.report, job.options.sent_as
    hosted = sent_as.model if sent_as else "ACE-Step"
    return {
        "engine": made_by.engine or job.backend,
        "model": made_by.model or (hosted if job.backend == "fal" else None),
        "version": made_by.version,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _audio_from_host(downloaded: Path) -> Iterator[None]:
    """Bad audio from a host is the host's error, not the caller's. The file is removed: its host still has it."""
    try:
        yield
    except InvalidRequest as exc:
        what = "a web page, not audio." if _is_web_page(downloaded) else f"not usable audio: {exc.message}"
        downloaded.unlink(missing_ok=True)
        raise QueueError(
            f"The host's file is {what} Make the song again, perhaps with another seed, or report it to the host.",
            is_permanent=True,
        ) from exc


def _is_web_page(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml"))
    return False
