"""What a parent and the process that makes its songs say to each other: JSON lines, some followed by samples.

To the process, per job: one line, then the source's samples if there is a source. From it: a line for each step, and at
last one line with the song, followed by its samples, or with the error.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from acestep_mcp.api import tracing
from acestep_mcp.api.errors import AceStepError, FieldError, GenerationFailed, InvalidRequest
from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.engines.processes.samples import read_samples, samples_of, shape_of, sound_of

if TYPE_CHECKING:
    from acestep_mcp.api.requests import EngineRequest, Request
    from acestep_mcp.engines.processes.samples import Buffer

_BLOCK = 1 << 20


def claim_stdout() -> IO[bytes]:
    """The original stdout; file descriptor 1 is redirected to stderr so that no library can write into the stream."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def job_of(request: Request, source: Source | None, **more: Any) -> dict[str, Any]:
    """The line of a job. `write_job` writes it, and the source's samples."""
    shape = {**shape_of(source.sound), "comment": source.comment} if source else None
    trace = tracing.handed_on({})
    return {"endpoint": type(request).__name__, "request": request.wire(), **more, "trace": trace, "source": shape}


def write_job(pipe: IO[bytes], job: dict[str, Any], source: Source | None) -> None:
    """Write the job and the source, and leave the pipe open. The reader of its answers notices a process that has ended."""
    with contextlib.suppress(OSError, ValueError):
        pipe.write(_line(job))
        if source is not None:
            pcm = samples_of(source.sound)
            for start in range(0, len(pcm), _BLOCK):
                pipe.write(pcm[start : start + _BLOCK])
        pipe.flush()


def read_line(pipe: IO[bytes]) -> dict[str, Any]:
    """Raises EOFError when the pipe ends first."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    message: dict[str, Any] = json.loads(line)
    return message


@dataclass(frozen=True, slots=True)
class NumberedJob:
    """A job as the process gets it."""

    number: int
    request: EngineRequest
    source: Source | None
    trace: dict[str, str]


def numbered_job(line: dict[str, Any], source: Source | None) -> NumberedJob:
    """The job of a line."""
    from acestep_mcp.api import requests

    request = getattr(requests, line["endpoint"]).parse(line["request"])
    return NumberedJob(line["number"], request, source, line["trace"])


def read_source(pipe: IO[bytes], shape: dict[str, Any] | None) -> Source | None:
    """The source that follows a job's line. Raises EOFError when the pipe ends first."""
    return source_of(shape, read_samples(pipe, shape)) if shape else None


def source_of(shape: dict[str, Any], samples: Buffer) -> Source:
    return Source(sound_of(shape, samples), shape["comment"])


def send_event(out: IO[bytes], event: Step | Audio, **more: Any) -> bool:
    """A step, or the song and its samples; whether it was the song."""
    message, samples = message_of(event)
    send(out, {**message, **more}, samples)
    return samples is not None


def message_of(event: Step | Audio) -> tuple[dict[str, Any], memoryview | None]:
    """What is said about a step; or about the song, and its samples."""
    if isinstance(event, Step):
        return {"step": [event.stage, event.number, event.total]}, None
    return {"song": _description(event)}, samples_of(event.sound)


def send(out: IO[bytes], message: dict[str, Any], samples: memoryview | None = None) -> None:
    out.write(_line(message))
    if samples is not None:
        out.write(samples)
    out.flush()


def refusal(error: AceStepError) -> dict[str, Any]:
    """An error as a message."""
    if isinstance(error, InvalidRequest):
        fields = [{"field": f.field, "message": f.message, "type": f.type, "value": f.value} for f in error.fields]
        return {"invalid": {"message": error.message, "fields": fields}}
    return {"failed": error.message}


def event_in(message: dict[str, Any]) -> Step | Audio | AceStepError:
    """What a message of the process says; a "song" has its "samples"."""
    match message:
        case {"step": [stage, number, total]}:
            return Step(stage, number, total)
        case {"song": song, "samples": samples}:
            return _audio(song, samples)
        case {"invalid": invalid}:
            return InvalidRequest(invalid["message"], tuple(FieldError(**field) for field in invalid["fields"]))
    return GenerationFailed(message["failed"])


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


def _description(audio: Audio) -> dict[str, Any]:
    return {
        **shape_of(audio.sound),
        "tags": audio.tags,
        "lyrics": audio.lyrics,
        "notes": audio.notes,
        "sections": [[section.name, section.start, section.end] for section in audio.sections],
        "plan": audio.plan,
    }


def _audio(song: dict[str, Any], samples: Buffer) -> Audio:
    return Audio(
        sound=sound_of(song, samples),
        tags=song["tags"],
        lyrics=song["lyrics"],
        notes=tuple(song["notes"]),
        sections=tuple(Section(*section) for section in song["sections"]),
        plan=song["plan"],
    )
