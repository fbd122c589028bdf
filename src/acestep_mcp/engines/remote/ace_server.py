"""acestep.cpp's server: `ace-server`, https://github.com/ServeurpersoCom/acestep.cpp."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.errors import ConfigurationError, GenerationFailed, QueueError, SubmissionUnknown
from acestep_mcp.api.text import encodable, one_line
from acestep_mcp.engines.remote import JSON, MAX_SONG, ODD, Answer, Call, Facts, JobState, MadeSong, Task, fields
from acestep_mcp.engines.remote.loop import wait
from acestep_mcp.engines.remote.multipart import form, parts
from acestep_mcp.engines.remote.server_log import progress

NAME = "acestep.cpp"
_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")
_MOST_NAMES = 500
_FORMS = {"mp3": "mp3", "wav": "wav16", "flac": "wav16", "exact": "wav32"}
_TASKS = {"text": "text2music", "remix": "cover", "lyrics": "cover-nofsq", "repaint": "repaint"}
_WRITING_PAUSE = 0.5
_MOST_LOG = 256 << 10
_LOG_SECONDS = 2.0
_REFUSED = frozenset({400, 401, 403, 404, 405, 413, 422, 429, 501})


class AceServerWire:
    """Takes jobs as `ace-server` wants them. It keeps results in memory: each is fetched as soon as it is done."""

    name = NAME
    cancels = True

    def facts(self, call: Call) -> Facts:
        props = _mapping(call("GET", "/props"), "its models")
        models = props.get("models")
        lists = (
            {kind: _names(models.get(kind)) for kind in ("lm", "embedding", "dit", "vae")}
            if isinstance(models, Mapping)
            else {}
        )
        if missing := [kind for kind in ("dit", "embedding", "vae") if not lists.get(kind)]:
            raise ConfigurationError(
                f"acestep.cpp has no model for {' and '.join(missing)}, so it can make no song. Put the files into the folder "
                "that its --models names, and start it again."
            )
        turbo = {"turbo" in name.lower() for name in lists["dit"]}
        return Facts(
            lists["dit"][0] if len(lists["dit"]) == 1 else "ACE-Step 1.5",
            _text(props.get("version"))[:40] or "unknown",
            turbo.pop() if len(turbo) == 1 else None,
            bool(lists["lm"]),
            loras=_names(props.get("adapters")),
        )

    def notes(self, task: Task, facts: Facts) -> tuple[str, ...]:
        found = fields.notes(task.request, {"variance", "guidance_interval"}, is_turbo=facts.is_turbo, sent_steps=None)
        if task.kind == "lyrics":
            found += ("acestep.cpp cannot change words alone: the song was made again close to the old one.",)
        return found

    def submit(self, call: Call, task: Task, facts: Facts) -> str:
        content = json.dumps(_values(task, facts)).encode()
        body = content, JSON
        if task.source:
            files = {"audio": task.source} | ({"ref_audio": task.source} if task.kind == "lyrics" else {})
            body = form({"request": content.decode()}, files)
        return _accepted(call("POST", "/synth", body, total=3600))

    def poll(self, call: Call, job: str) -> JobState:
        answer = call("GET", f"/job?id={job}")
        if answer.status == 404 and isinstance(answer.json(), Mapping):
            return JobState("gone")
        match _mapping(answer, "the state of a job").get("status"):
            case "running":
                fraction, stage = self._progress(call, job) or (None, "generating")
                return JobState("running", fraction, stage)
            case "done":
                return JobState("done", result=job)
            case "failed":
                return JobState("failed")
            case "cancelled":
                return JobState("failed", reason="it was cancelled there")
        raise _odd("the state of a job")

    def _progress(self, call: Call, job: str) -> tuple[float, str] | None:
        """By the server's log, which is a stream without end, of whose lines it keeps the last 512."""
        try:
            answer = call("GET", "/logs", most=_MOST_LOG, seconds=_LOG_SECONDS, total=2 * _LOG_SECONDS)
        except QueueError:
            return None
        return progress(answer.body, job) if answer.status == 200 else None

    def is_restarted(self, call: Call) -> bool:  # noqa: ARG002 - it forgets every job, and says so
        return False

    def fetch(self, call: Call, state: JobState, task: Task) -> MadeSong:  # noqa: ARG002 - seeds are used as they are sent
        answer = call("GET", f"/job?id={state.result}&result=1", most=MAX_SONG, total=3600)
        if answer.status == 404:
            raise GenerationFailed(
                "The server no longer has the song: it was restarted, or has forgotten it. Make it again."
            )
        if answer.status != 200:
            raise _refused(answer)
        kind = answer.headers.get("content-type", "")
        if not kind.lower().startswith("multipart/"):  # before 2026-04-24
            return MadeSong(answer.body)
        try:
            songs = [content for part, content in parts(kind, answer.body) if part.startswith("audio/")]
        except ValueError as exc:
            raise _odd("a song") from exc
        if not songs:
            raise GenerationFailed(
                "The server reports the song as made, but sent none: look at its log, then make it again."
            )
        return MadeSong(songs[0])

    def cancel(self, call: Call, job: str) -> None:
        answer = call("POST", f"/job?id={job}&cancel=1")
        if answer.status >= 500:
            raise _refused(answer)

    def write(self, call: Call, prompt: str, *, instrumental: bool, seed: int) -> tuple[str, str]:
        wish = {"caption": prompt, "lm_mode": "inspire", "lm_seed": seed, "lm_batch_size": 1}
        wish |= {"lyrics": fields.INSTRUMENTAL} if instrumental else {}
        job = _accepted(call("POST", "/lm", (json.dumps(wish).encode(), JSON)))
        while (state := self.poll(call, job)).name == "running":
            wait(_WRITING_PAUSE)
        answer = call("GET", f"/job?id={job}&result=1", most=1 << 20) if state.name == "done" else None
        found = answer.json() if answer and answer.status == 200 else None
        first = found[0] if isinstance(found, list) and found else None
        if not isinstance(first, Mapping) or (text := fields.song_text(first)) is None:
            raise _odd("a song's text")
        return text


def _values(task: Task, facts: Facts) -> dict[str, Any]:
    """The request object; what nobody set is left to the server. A number that is sent as text is ignored there."""
    request, lyrics = task.request, fields.lyrics_of(task.request)
    bpm, key, metre = fields.attributes(request)
    values: dict[str, Any] = {
        "caption": request.tags,
        "lyrics": lyrics,
        "task_type": _TASKS[task.kind],
        "seed": task.seed,
        "lm_seed": task.seed,
        "synth_batch_size": 1,
        "output_format": _FORMS[task.form],
        "vocal_language": fields.language(lyrics),
        "inference_steps": fields.given(request, "number_of_steps"),
        "bpm": bpm,
        "keyscale": key or None,
        "timesignature": metre or None,
        "duration": fields.duration(request),
    }
    if facts.is_turbo is False:
        values["guidance_scale"] = fields.given(request, "guidance_scale")
    if task.kind == "repaint":
        values |= {"repainting_start": task.start, "repainting_end": task.end if task.end > 0 else -1}
    if task.lora:
        values |= {"adapter": task.lora[0], "adapter_scale": task.lora[1]}
    return {name: value for name, value in values.items() if value is not None}


def _accepted(answer: Answer) -> str:
    """The id of the new job. Raises SubmissionUnknown, or QueueError for a refusal."""
    if answer.status in _REFUSED:
        raise _refused(answer)
    body = answer.json()
    if answer.status == 503 and isinstance(body, Mapping):
        raise QueueError(
            "acestep.cpp is busy and has no queue: update it to one of 2026-04-12 or later.", is_permanent=True
        )
    job = body.get("id") if answer.status == 200 and isinstance(body, Mapping) else None
    if isinstance(job, str) and _ID.fullmatch(job):
        return job
    said = "its answer names no job" if answer.status == 200 else f"it answered {answer.status}"
    raise SubmissionUnknown(
        f"The request was sent to acestep.cpp, and {said}: it may be making the song. It is not sent again automatically. "
        "Look at the server, then make the song again.",
        status=answer.status,
    )


def _mapping(answer: Answer, what: str) -> Mapping[str, Any]:
    if answer.status != 200:
        raise _refused(answer)
    body = answer.json()
    if not isinstance(body, Mapping):
        raise _odd(what)
    return body


def _refused(answer: Answer) -> QueueError:
    body = answer.json()
    said = body.get("error") if isinstance(body, Mapping) else None
    words = f": {one_line(said, 300).rstrip('.')}" if isinstance(said, str) and said.strip() else ""
    is_permanent = answer.status < 500 or answer.status == 501
    then = "Look at its log for the reason." if is_permanent else "Try again later."
    return QueueError(
        f"acestep.cpp refused the request ({answer.status}){words}. {then}",
        status=answer.status,
        is_permanent=is_permanent,
    )


def _odd(what: str) -> QueueError:
    message = f"acestep.cpp answered with something other than {what}. Is ACESTEP_ENGINE_URL its address?"
    return QueueError(message, error_type=ODD)


def _text(value: Any) -> str:
    return encodable(value) if isinstance(value, str) and len(value) <= 100_000 else ""


def _names(value: Any) -> tuple[str, ...]:
    names = value[:_MOST_NAMES] if isinstance(value, list) else ()
    return tuple(text for name in names if (text := _text(name)) and len(text) <= 300)
