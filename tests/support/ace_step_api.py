"""A stand-in for ACE-Step 1.5's own API on a loopback socket, with what that server does unexpectedly.

Answers are what the server of 2026-06 gave (v0.1.8), or what its source says.
"""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import soundfile

from tests.support.loopback import Reply, Seen

RATE = 48_000
PEAK = 10 ** (-1 / 20)
FOREIGN_LINE = "someone else's secret prompt"


@dataclass
class ApiJob:
    """`polls` counts looks; the job is queued, then runs for `steps` looks. `ends` says how it ends."""

    fields: dict[str, Any]
    files: dict[str, bytes]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    polls: int = 0
    ends: str = "done"
    held: bool = False
    cancelled: bool = False
    forgotten: bool = False


class AceStepApi:
    """`script` for `tests.support.loopback.listening`. Tags hold what shall happen: "fail", "no file", "hold", "old"."""

    name, submit_path, cancels = "ace-step-api", "/release_task", False

    def __init__(
        self, key: str | None = None, model: str = "acestep-v15-turbo", llm: bool = False, *, has_sample: bool = True
    ) -> None:
        """Without `has_sample` it is one from before v0.1.6, which writes a song's text only with the song."""
        self.key = key
        self.model = model
        self.llm = llm
        self.has_sample = has_sample
        self.jobs: dict[str, ApiJob] = {}
        self.files: dict[str, bytes] = {}
        self.total = 0
        self.steps = 2
        self.overrides: dict[str, Callable[[Seen], Reply | None]] = {}
        self.ignores_seed = False
        self.makes_seconds: float | None = None
        self.samples: list[dict[str, Any]] = []

    def __call__(self, seen: Seen) -> Reply:
        if (override := self.overrides.get(seen.path)) and (reply := override(seen)) is not None:
            return reply
        if seen.path == "/health":
            return _wrapped(
                {
                    "status": "ok", "service": "ACE-Step API", "version": "1.0", "models_initialized": True,
                    "loaded_model": self.model,
                }
            )  # fmt: skip
        if refusal := self._refusal(seen):
            return Reply(401, {"detail": refusal})
        routes = {
            "/v1/model_inventory": self._inventory, "/release_task": self._submit, "/query_result": self._query,
            "/v1/audio": self._audio, "/v1/stats": lambda _: _wrapped({"jobs": {"total": self.total}}),
        }  # fmt: skip
        if self.has_sample:
            routes["/v1/create_sample"] = self._sample
        return routes[seen.path](seen) if seen.path in routes else Reply(404, {"detail": "Not Found"})

    def restart(self) -> None:
        """Running jobs are reported as running from now on, queued ones vanish, finished ones stay."""
        self.total = 0
        for job in self.jobs.values():
            job.held = job.polls <= 1 + self.steps
            job.forgotten = job.polls <= 1

    @property
    def only(self) -> ApiJob:
        [job] = self.jobs.values()
        return job

    @property
    def last_song(self) -> bytes:
        return list(self.files.values())[-1]

    def _refusal(self, seen: Seen) -> str | None:
        if self.key is None:
            return None
        given = seen.headers.get("authorization")
        if given is None:
            return "Missing ai_token or Authorization header"
        return None if given in (f"Bearer {self.key}", self.key) else "Invalid API key"

    def _inventory(self, _: Seen) -> Reply:
        tasks = ["text2music", "cover", "cover-nofsq", "repaint"]
        other = {"name": "acestep-v15-base", "is_default": False, "is_loaded": False, "supported_task_types": ["lego"]}
        mine = {"name": self.model, "is_default": True, "is_loaded": True, "supported_task_types": tasks}
        return _wrapped({"models": [other, mine], "lm_models": [], "llm_initialized": self.llm})

    def _submit(self, seen: Seen) -> Reply:
        values, files = read_form(seen)
        if values.get("src_audio_path"):
            return Reply(400, {"detail": "absolute audio file paths are not allowed"})
        if float(values.get("repaint_strength", 0.5)) > 1:
            return Reply(500, b"Internal Server Error", {"content-type": "text/plain"})
        job = ApiJob(values, files)
        if query := values.get("sample_query"):
            self._write(values, str(query))
        tags = str(values.get("prompt", ""))
        job.ends = next((end for end in ("fail", "no file", "old", "hold") if end in tags), "done")
        if query and not self.llm:
            job.ends = "fail"
        self.jobs[job.id] = job
        self.total += 1
        return _wrapped({"task_id": job.id, "status": "queued", "queue_position": 1})

    def _query(self, seen: Seen) -> Reply:
        return _wrapped([self._state(job_id) for job_id in seen.json()["task_id_list"]])

    def _state(self, job_id: str) -> dict[str, Any]:
        job = self.jobs.get(job_id)
        if job is None or job.forgotten:
            return {"task_id": job_id, "status": 0, "result": "[]", "progress_text": ""}
        job.polls += 1
        status, entries = self._entries(job)
        return {"task_id": job_id, "status": status, "result": json.dumps(entries), "progress_text": FOREIGN_LINE}

    def _entries(self, job: ApiJob) -> tuple[int, list[dict[str, Any]]]:
        begun = job.polls - 1
        if begun < 1:
            return 0, [_entry("queued", 0.0)]
        if begun <= self.steps or job.held or job.ends == "hold":
            return 0, [_entry("Generating music (batch size: 1)...", min(0.52 + begun / 100, 0.79))]
        if job.ends == "old" and begun <= self.steps + 2:
            return 2, [_entry("Decoding audio...", 0.8)]
        if job.ends == "fail":
            return 2, [_entry("failed", 0.0)]
        if job.ends == "no file":
            return 1, [_entry("succeeded", 1.0) | {"file": ""}]
        seed = "4711" if self.ignores_seed else str(job.fields["seed"])
        made = {
            "file": f"/v1/audio?path={quote(self._made(job), safe='')}", "prompt": job.fields["prompt"],
            "lyrics": job.fields["lyrics"], "metas": job.fields.get("metas", {"bpm": "N/A", "duration": 5}), "seed_value": seed,
            "lm_model": None, "dit_model": self.model, "generation_info": "",
        }  # fmt: skip
        return 1, [made, made | {"file": made["file"] + "-second"}]

    def _made(self, job: ApiJob) -> str:
        form = str(job.fields.get("audio_format", "mp3"))
        path = f"/tmp/acestep/{job.id}.{form}"
        source = job.files.get("src_audio")
        if self.makes_seconds:
            source, job.fields["audio_duration"] = None, self.makes_seconds
        self.files.setdefault(path, song_of(job.fields, source, form))
        return path

    def _audio(self, seen: Seen) -> Reply:
        path = unquote(seen.target.partition("?path=")[2])
        if ".." in path:
            return Reply(403, {"detail": "Access denied"})
        content = self.files.get(path)
        return (
            Reply(404, {"detail": "File not found"})
            if content is None
            else Reply(200, content, {"content-type": "audio/mpeg"})
        )

    @staticmethod
    def _write(values: dict[str, Any], query: str) -> None:
        """The language model's text, length, tempo and key replace what was sent; that nobody sings it reads in the words."""
        lyrics = "[Instrumental]" if "instrumental" in query else "[verse]\nA lamp in the window"
        metas = {"bpm": 92, "keyscale": "D minor", "timesignature": "3", "duration": 5, "genres": "N/A"}
        values |= {"prompt": "slow waltz, accordion", "lyrics": lyrics, "audio_duration": 5, "metas": metas}

    def _sample(self, seen: Seen) -> Reply:
        if not self.llm:
            return Reply(503, {"detail": "LLM not initialized"})
        self.samples.append(seen.json())
        lyrics = "[Instrumental]" if seen.json()["instrumental"] else "[verse]\nA lamp in the window"
        song = {"caption": "slow waltz, accordion", "lyrics": lyrics, "bpm": 92, "keyscale": "D minor"}
        return _wrapped(song | {"duration": 143, "timesignature": "3", "vocal_language": "en"})


def song_of(fields: dict[str, Any], source: bytes | None, form: str) -> bytes:
    """A tone by its seed; of an edit the source with such a tone in its new part, all of it at full level."""
    if source is None:
        return encoded(tone(int(fields["seed"]), float(fields["audio_duration"])), form)
    samples, rate = soundfile.read(io.BytesIO(source), always_2d=True)
    samples = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples
    if fields["task_type"] != "repaint":
        return encoded(samples[::-1] * 0.9, form, rate)
    start, end = float(fields["repainting_start"]), float(fields["repainting_end"])
    seconds = len(samples) / rate
    end = seconds if end <= 0 else end
    before, after = max(0.0, -start), max(0.0, end - seconds)
    silence = [np.zeros((round(part * rate), 2)) for part in (before, after)]
    samples = np.concatenate([silence[0], samples, silence[1]])
    first, last = round((start + before) * rate), round((end + before) * rate)
    if start < 0:  # a tiny end means the beginning of the source
        last = round(before * rate)
    samples[first:last] = (
        tone(int(fields["seed"]), (last - first) / rate + 0.1, rate)[: last - first] * np.abs(samples).max()
    )
    return encoded(samples * (PEAK / np.abs(samples).max()), form, rate)


def tone(seed: int, seconds: float, rate: int = RATE) -> np.ndarray:
    wave = np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * (200 + seed % 400) / rate) * 0.5
    return np.stack([wave, wave], axis=1)


def encoded(samples: np.ndarray, form: str, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form.upper(), subtype={"wav": "PCM_16", "flac": "PCM_16"}.get(form))
    return file.getvalue()


def read_form(seen: Seen) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The fields and the files of a JSON or multipart body."""
    content_type = seen.headers.get("content-type", "")
    if not content_type.startswith("multipart/"):
        return seen.json(), {}
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + seen.body)
    values: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in message.get_payload():
        name = re.search(r' name="([^"]+)"', part["Content-Disposition"])[1]
        content = part.get_payload(decode=True)
        if part.get_filename():
            files[name] = content
        else:
            values[name] = content.decode()
    return values, files


def _entry(stage: str, progress: float) -> dict[str, Any]:
    return {"file": "", "status": 0, "progress": progress, "stage": stage, "create_time": 1_795_874_727, "error": None}


def _wrapped(data: Any) -> Reply:
    return Reply(200, {"data": data, "code": 200, "error": None, "timestamp": 1_795_874_655_666, "extra": None})
