"""ACE-Step 1.5's own API: `acestep-api`, https://github.com/ace-step/ACE-Step-1.5."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.errors import GenerationFailed, SubmissionUnknown
from acestep_mcp.engines.remote import JSON, MAX_SONG, Answer, Call, Facts, JobState, MadeSong, Task, fields
from acestep_mcp.engines.remote.loop import wait
from acestep_mcp.engines.remote.multipart import form
from acestep_mcp.engines.remote.rest_answers import check, envelope, list_of, mapping, odd, refused, text_of, unclear

NAME = "ace-step-api"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FILE = re.compile(r"/v1/audio\?path=[!-~]{1,4000}")
_MOST_RESULT = 4 << 20
_WRITING_PAUSE = 0.5
_FORMS = {"exact": "flac"}
_STAGES = (
    ("queued", "waiting in the server's queue"), ("phase 1", "planning the song"), ("phase 2", "preparing"),
    ("preparing", "preparing"), ("generating", "generating"), ("decoding", "decoding"), ("loading", "loading the model"),
)  # fmt: skip
_UNCLEAR_STATUS = frozenset({408, 502, 504})
_NOISE = (
    "The model {model} is no turbo model: with such models ACE-Step's API makes noise from v0.1.7 until its fix of August "
    "2026. If this song is noise, update the server or give it a turbo model."
)


class RestWire:
    """Takes jobs as `acestep-api` wants them. It cannot cancel: the server finishes what it has begun."""

    name = NAME
    cancels = False

    def facts(self, call: Call) -> Facts:
        """Also says whether the server answers at all: while it loads a model it answers nobody."""
        health = mapping(call("GET", "/health", most=1 << 16), "its state")
        features = {"v0.1.5"} if "models_initialized" in health else set()
        answer = call("GET", "/v1/model_inventory")
        if answer.status == 404:  # before v0.1.3
            return Facts(text_of(health.get("loaded_model")) or "ACE-Step 1.5", text_of(health.get("version")) or "1.0")
        inventory = mapping(answer, "its models")
        models = [model for model in list_of(inventory.get("models")) if isinstance(model, Mapping)]
        model = next((model for model in models if model.get("is_default") is True), models[0] if models else {})
        name = text_of(model.get("name"))
        features |= {text for task in list_of(model.get("supported_task_types")) if (text := text_of(task))}
        return Facts(
            name or "ACE-Step 1.5",
            text_of(health.get("version")) or "1.0",
            "turbo" in name.lower() if name else None,
            inventory.get("llm_initialized") is True,
            frozenset(features),
        )

    def notes(self, task: Task, facts: Facts) -> tuple[str, ...]:
        unused = set() if "v0.1.5" in facts.features else {"variance"}
        found = fields.notes(
            task.request,
            unused,
            is_turbo=facts.is_turbo,
            sent_steps=fields.steps(task.request, is_turbo=facts.is_turbo),
        )
        if task.kind == "lyrics":
            found += ("ACE-Step's API cannot change words alone: the song was made again close to the old one.",)
        return found

    def submit(self, call: Call, task: Task, facts: Facts) -> str:
        values = _values(task, facts)
        if task.source:
            written = {name: _written(value) for name, value in values.items()}
            body = form(written, {"src_audio": task.source})
        else:
            body = json.dumps(values).encode(), JSON
        return _accepted(call("POST", "/release_task", body, total=3600))

    def poll(self, call: Call, job: str) -> JobState:
        body = json.dumps({"task_id_list": [job]}).encode()
        items = envelope(call("POST", "/query_result", (body, JSON)), "the state of a job")
        item = next((item for item in list_of(items) if isinstance(item, Mapping) and item.get("task_id") == job), None)
        if item is None:
            raise odd("the state of a job")
        entries = _entries(item.get("result"))
        match item.get("status"):
            case 1:
                return JobState("done", result=entries)
            case 0 if not entries:
                return JobState("gone")
            case 0:
                return _running(entries[0])
            # Also a job that is older than an hour, which may yet be finished.
            case 2 if entries and entries[0].get("stage") not in (None, "", "failed"):
                return _running(entries[0])
            case 2:
                said = text_of(entries[0].get("error")) if entries else ""
                return JobState("failed", reason=said.strip().splitlines()[-1] if said.strip() else "")
        raise odd("the state of a job")

    def is_restarted(self, call: Call) -> bool:
        """Its counter of jobs begins at 0 with each start; a job that ran then is reported as running for an hour."""
        answer = call("GET", "/v1/stats")
        if answer.status != 200:
            return False
        stats = envelope(answer, "its counters")
        jobs = stats.get("jobs") if isinstance(stats, Mapping) else None
        return isinstance(jobs, Mapping) and jobs.get("total") == 0

    def fetch(self, call: Call, state: JobState, task: Task) -> MadeSong:
        found = [entry for entry in state.result if isinstance(entry.get("file"), str) and entry["file"]]
        if not found:
            raise GenerationFailed(
                "The server reports the song as made, but names no file: saving it has failed there. Look at the server's "
                "log, then make the song again."
            )
        entry, address = found[0], found[0]["file"]
        if not _FILE.fullmatch(address):
            raise odd("the address of the song")
        answer = call("GET", address, most=MAX_SONG, total=3600)
        if answer.status == 404:
            raise GenerationFailed("The server no longer has the song's file. Make the song again.")
        if answer.status != 200 or not answer.body:
            raise refused("the song's file", answer.status, None)
        model = text_of(entry.get("dit_model")) or None
        return MadeSong(answer.body, model, (*_seed_notes(entry, task.seed), *_model_notes(model)))

    def cancel(self, call: Call, job: str) -> None:
        """The server has nothing for it."""

    def write(self, call: Call, prompt: str, *, instrumental: bool, seed: int) -> tuple[str, str]:
        wish = json.dumps({"query": prompt, "instrumental": instrumental}).encode()
        answer = call("POST", "/v1/create_sample", (wish, JSON), total=600, seconds=300)
        found = (
            self._sampled(call, prompt, instrumental=instrumental, seed=seed)
            if answer.status in (404, 405)
            else mapping(answer, "a song's text")
        )
        text = fields.song_text(found)
        if text is None:
            raise odd("a song's text")
        return text

    def _sampled(self, call: Call, prompt: str, *, instrumental: bool, seed: int) -> Mapping[str, Any]:
        """What a server before v0.1.6 writes, which it does only for a song: for one of a single step that nobody hears.

        That song could not be kept: it has the length that the language model has chosen.
        """
        # It reads from the description alone that nobody sings.
        wish = f"{prompt}, instrumental" if instrumental else prompt
        values = {"sample_query": wish, "inference_steps": 1, "seed": seed, "use_random_seed": False, "batch_size": 1}
        job = _accepted(call("POST", "/release_task", (json.dumps(values).encode(), JSON)))
        while (state := self.poll(call, job)).name in ("waiting", "running"):
            wait(_WRITING_PAUSE)
        if state.name != "done" or not state.result:
            raise GenerationFailed("The server's language model has not finished: look at the server's log.")
        entry = state.result[0]
        metas = entry.get("metas")
        lyrics = fields.INSTRUMENTAL if instrumental else entry.get("lyrics")
        return {**(metas if isinstance(metas, Mapping) else {}), "caption": entry.get("prompt"), "lyrics": lyrics}


def _accepted(answer: Answer) -> str:
    """The id of the new job. Raises SubmissionUnknown, or QueueError for a refusal."""
    if answer.status in _UNCLEAR_STATUS:
        raise SubmissionUnknown(unclear(f"something in between answered {answer.status}"), status=answer.status)
    check(answer, "the request")
    body = answer.json()
    data = body.get("data") if isinstance(body, Mapping) else None
    job = data.get("task_id") if isinstance(data, Mapping) else ""
    if isinstance(job, str) and _ID.fullmatch(job):
        return job
    if isinstance(body, Mapping) and body.get("code") not in (None, 200):
        raise refused("the request", answer.status, body.get("error"))
    raise SubmissionUnknown(unclear("its answer names no job"), status=answer.status)


def _values(task: Task, facts: Facts) -> dict[str, Any]:
    """The fields of `/release_task`; what nobody set is left to the server."""
    request, turbo, lyrics = task.request, facts.is_turbo, fields.lyrics_of(task.request)
    bpm, key, metre = fields.attributes(request)
    values: dict[str, Any] = {
        "prompt": request.tags,
        "lyrics": lyrics,
        "task_type": _task_type(task, facts),
        "use_random_seed": False,
        "seed": task.seed,
        "batch_size": 1,
        "audio_format": _FORMS.get(task.form, task.form),
        "thinking": False,
        "use_cot_caption": False,
        "use_cot_language": False,
        "vocal_language": fields.language(lyrics),
        "inference_steps": fields.steps(request, is_turbo=turbo),
        "bpm": bpm,
        "key_scale": key or None,
        "time_signature": metre or None,
    }
    if task.kind == "text":
        values["audio_duration"] = fields.duration(request)
    if task.kind == "repaint":
        # 0, none and every negative end mean the end of the song.
        values |= {"repainting_start": task.start, "repainting_end": task.end if task.end > 0 else 0.01}
        values["repaint_strength"] = fields.given(request, "variance")
    if turbo is False:
        values["guidance_scale"] = fields.given(request, "guidance_scale")
        if (share := fields.given(request, "guidance_interval")) is not None:
            values |= {"cfg_interval_start": (1 - share) / 2, "cfg_interval_end": (1 + share) / 2}
    return {name: value for name, value in values.items() if value is not None}


def _task_type(task: Task, facts: Facts) -> str:
    if task.kind == "lyrics":
        return "cover-nofsq" if "cover-nofsq" in facts.features else "cover"
    return {"text": "text2music", "remix": "cover", "repaint": "repaint"}[task.kind]


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _running(entry: Mapping[str, Any]) -> JobState:
    said, done = text_of(entry.get("stage")).lower(), entry.get("progress")
    stage = next((ours for begin, ours in _STAGES if said.startswith(begin)), "working")
    known = isinstance(done, int | float) and not isinstance(done, bool) and math.isfinite(done)
    fraction = min(max(float(done), 0.0), 1.0) if known and done is not None else None
    return JobState("waiting" if said == "queued" else "running", fraction, stage)


def _entries(result: Any) -> list[Mapping[str, Any]]:
    """The list inside the text of a result."""
    if not isinstance(result, str) or len(result) > _MOST_RESULT:
        raise odd("the state of a job")
    try:
        found = json.loads(result, parse_int=lambda digits: int(digits) if len(digits) < 20 else None)
    except (ValueError, RecursionError) as exc:
        raise odd("the state of a job") from exc
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise odd("the state of a job")
    return found


def _seed_notes(entry: Mapping[str, Any], sent: int) -> tuple[str, ...]:
    used = text_of(entry.get("seed_value")).partition(",")[0].strip()
    if used == str(sent):
        return ()
    said = f"reports the seed {used[:20]}" if re.fullmatch(r"-?\d+", used) else "reports no seed"
    return (f"The seed of this song is not known: {sent} was sent, and the server {said}. It may not make it again.",)


def _model_notes(model: str | None) -> tuple[str, ...]:
    return (_NOISE.format(model=model[:60]),) if model and "turbo" not in model.lower() else ()
