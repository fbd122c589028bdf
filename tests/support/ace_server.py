"""A stand-in for acestep.cpp's `ace-server` on a loopback socket, with what that server does unexpectedly.

Answers are word for word those of the server of 2026-07-21.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.support.ace_step_api import FOREIGN_LINE, read_form, song_of
from tests.support.loopback import Reply, Seen

BOUNDARY = "ace-batch-boundary"
MOST_KEPT = 32
FORMATS = {"mp3": "mp3", "wav16": "wav", "wav24": "wav", "wav32": "wav"}
DEFAULT = {
    "caption": "", "lyrics": "", "duration": 0, "bpm": 0, "keyscale": "", "timesignature": "", "vocal_language": "",
    "seed": -1, "lm_seed": -1, "task_type": "text2music", "output_format": "mp3", "adapter": "", "adapter_scale": 1.0,
}  # fmt: skip


@dataclass
class ServerJob:
    """`polls` counts looks; the job runs for `steps` looks, queued or not. Cancelling shows only after a further look."""

    fields: dict[str, Any]
    files: dict[str, bytes]
    is_text: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    polls: int = 0
    ends: str = "done"
    cancelled: bool = False


class AceServer:
    """`script` for `tests.support.loopback.listening`. Captions hold what shall happen: "fail", "none", "three"."""

    name, submit_path, cancels = "acestep.cpp", "/synth", True
    model = "acestep-v15-turbo-Q8_0.gguf"

    def __init__(self, *, lm: bool = False, version: str = "fa33775 (2026-07-21)") -> None:
        self.lm = lm
        self.version = version
        self.jobs: dict[str, ServerJob] = {}
        self.steps = 2
        self.is_plain = False
        self.songs: list[bytes] = []
        self.log: list[str] = ["[Server] Listening on 127.0.0.1:8080"]
        self.overrides: dict[str, Callable[[Seen], Reply | None]] = {}
        self.models = {"embedding": ["Qwen3.gguf"], "dit": [self.model], "vae": ["vae.gguf"]}
        self.default = DEFAULT

    def __call__(self, seen: Seen) -> Reply:
        if (override := self.overrides.get(seen.path)) and (reply := override(seen)) is not None:
            return reply
        if len(seen.body) > 256 << 20:
            return Reply(413)
        match seen.method, seen.path:
            case "GET", "/health":
                return Reply(200, {"status": "ok"})
            case "GET", "/props":
                models = {"lm": ["lm.gguf"] if self.lm else [], **self.models}
                adapters = ["night-drive.safetensors"]
                told = {"version": self.version, "models": models, "adapters": adapters, "cli": {"max_batch": 1}}
                return Reply(200, told | {"default": self.default, "presets": {"turbo": {}, "sft": {}}})
            case _, "/job":
                return self._job(seen)
            case "GET", "/logs":
                return self._logged()
            case "POST", "/synth" | "/lm":
                return self._submit(seen, is_text=seen.path == "/lm")
        return Reply(404)

    def restart(self) -> None:
        """Everything is lost."""
        self.jobs.clear()
        self.log.clear()

    @property
    def only(self) -> ServerJob:
        [job] = [job for job in self.jobs.values() if not job.is_text]
        return job

    @property
    def last_song(self) -> bytes:
        return self.songs[-1]

    def _submit(self, seen: Seen, *, is_text: bool) -> Reply:
        try:
            values, files = read_form(seen)
            request = json.loads(values["request"]) if files else values
        except (ValueError, KeyError):
            request = None
        if not isinstance(request, dict):
            return Reply(400, {"error": "Invalid JSON"})
        if not request.get("caption"):
            return Reply(400, {"error": "Caption is required"})
        if request.get("output_format", "mp3") not in FORMATS:
            return Reply(400, {"error": "Invalid output_format (use: mp3, wav16, wav24, wav32)"})
        if files and not all(content.startswith((b"RIFF", b"ID3", b"\xff\xfb")) for content in files.values()):
            return Reply(400, {"error": "Failed to decode audio"})
        if is_text and not self.lm:
            return Reply(501, {"error": "No LM models in registry"})
        job = ServerJob(request, files, is_text)
        if not isinstance(request.get("seed", -1), int):
            request["seed"] = 999  # a text is ignored: the seed is random
        job.ends = next((end for end in ("fail", "none", "three", "nasty") if end in request["caption"]), "done")
        self.jobs[job.id] = job
        kind = "(LM, mode=1)" if is_text else "(1 requests)"
        self.log.append(f"[Server] Job {job.id} created {kind}")
        finished = [other for other in self.jobs.values() if other.polls > self.steps]
        for other in finished[: max(0, len(self.jobs) - MOST_KEPT)]:
            del self.jobs[other.id]
        return Reply(200, {"id": job.id})

    def _job(self, seen: Seen) -> Reply:
        query = parse_qs(seen.target.partition("?")[2])
        if "id" not in query:
            return Reply(400, {"error": "Missing id parameter"})
        job = self.jobs.get(query["id"][0])
        if job is None:
            return Reply(404, {"error": "Job not found"})
        if seen.method == "POST":
            if "cancel" not in query:
                return Reply(400, {"error": "Unknown action"})
            job.cancelled = self._state(job) == "running"
            return Reply(200, {"status": "cancelled" if job.cancelled else self._state(job)})
        if "result" in query:
            return self._result(job)
        job.polls += 1
        self._work_on(job)
        return Reply(200, {"status": self._state(job)})

    def _work_on(self, job: ServerJob) -> None:
        """What the server logs of a song by then, and whose prompt somebody else gave."""
        if job.is_text or job.polls > self.steps + 1:
            return
        if job.polls == 1:
            self.log.append(f"[Server] Loading synth: DiT={self.model} VAE=vae.gguf")
            self.log.append(f"[Prompt] {FOREIGN_LINE}")
        if job.polls <= self.steps:
            self.log.append(f"[DiT] Step {job.polls}/{self.steps} t=0.500")
        elif job.ends != "fail" and not job.cancelled:
            self.log += ["[VAE] Tiled decode: 4 tiles (chunk=256)", f"[Server] Job {job.id} done (1 tracks)"]

    def _logged(self) -> Reply:
        """A stream without end: the last 512 lines, and no more for now. What it is writing is cut."""
        lines = "".join(f"data: {line}\n\n" for line in self.log[-512:]) + "data: [DiT] Step 9"
        return Reply(200, headers={"content-type": "text/event-stream"}, stream=[lines.encode()], hang=True)

    def _state(self, job: ServerJob) -> str:
        if job.polls <= self.steps:
            return "running"
        if job.cancelled:
            return "cancelled"
        return "failed" if job.ends == "fail" else "done"

    def _result(self, job: ServerJob) -> Reply:
        if self._state(job) != "done":
            return Reply(404, {"error": "Result not ready"})
        if job.is_text:
            text = {"caption": "slow waltz, accordion", "lyrics": "[verse]\nA lamp in the window", "bpm": 92}
            lyrics = {"lyrics": "[Instrumental]"} if job.fields.get("lyrics") == "[Instrumental]" else {}
            return Reply(200, [text | lyrics | {"keyscale": "D minor", "timesignature": "3", "duration": 143}])
        form = FORMATS[job.fields["output_format"]]
        values = {"audio_duration": job.fields.get("duration", 30)} | job.fields
        if values["task_type"] == "repaint" and values["repainting_end"] < 0 and values["repainting_start"] < 0:
            values["repainting_end"] = 0.01
        self.songs.append(song_of(values, job.files.get("audio"), form))
        kind = "audio/mpeg" if form == "mp3" else "audio/wav"
        if self.is_plain:
            return Reply(200, self.songs[-1], {"content-type": kind})
        latents = b"\r\n--" + b"not-a-boundary\r\n\r\n" + bytes(64)
        count = {"none": 0, "three": 3}.get(job.ends, 1)
        parts = [(kind, self.songs[-1]), ("application/octet-stream", latents)] * count
        content = b"".join(
            f"--{BOUNDARY}\r\nContent-Type: {of}\r\n\r\n".encode() + body + b"\r\n" for of, body in parts
        )
        content += f"--{BOUNDARY}--\r\n".encode()
        return Reply(200, content, {"content-type": f"multipart/mixed; boundary={BOUNDARY}"})
