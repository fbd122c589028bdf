"""The engine of a server that other people wrote: one job after the other is sent there, followed, and fetched."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from acestep_mcp.api.errors import (
    AceStepError,
    FieldError,
    GenerationFailed,
    InvalidRequest,
    NoResponse,
    QueueError,
    SubmissionUnknown,
)
from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.read import read
from acestep_mcp.engines import Audio, JobRun, Source, Step
from acestep_mcp.engines.remote import ODD, Ask, Facts, Form, JobState, Task, Wire
from acestep_mcp.engines.remote.ledger import Kept, Ledger
from acestep_mcp.engines.remote.loop import call_of, wait
from acestep_mcp.engines.remote.patience import PATIENCE, Outage
from acestep_mcp.engines.remote.plan import plan_of
from acestep_mcp.readers.lora_tags import without_loras

T = TypeVar("T")
_CANCEL_SECONDS = 10.0
_CANNOT_CANCEL = "The server cannot cancel: what was sent there is made to the end, and nobody fetches it."
_ODD_ANSWERS = 2
_LATER = frozenset({429, 502, 503, 504})
_Made = tuple[Kept, Sound]


def with_lora(request: EngineRequest, offered: tuple[str, ...]) -> tuple[EngineRequest, tuple[str, float] | None]:
    """The request without the tag that names an adapter, and that adapter's name at the server and its weight.

    A file's name may be given without its ending. Raises InvalidRequest for another name, and for two adapters.
    """
    names = {name.rpartition(".")[0] or name: name for name in offered} | {name: name for name in offered}
    request, named = without_loras(request, names)
    if len({names[lora.name] for lora in named}) > 1:
        raise InvalidRequest.of(FieldError("tags", "name two LoRA adapters, and this server takes one for a song"))
    return request, (names[named[0].name], named[0].weight) if named else None


class RemoteEngine:
    """An Engine whose songs a server makes. `form` is the format of new songs.

    Made to run in a worker thread of anyio, which asks through its event loop. Leaving a job stops it at the server only
    if it was cancelled: it is found again by the next process with the same ledger.
    """

    device: str | None = None

    def __init__(self, wire: Wire, ask: Ask, ledger: Ledger, form: Form) -> None:
        self._wire = wire
        self._call = call_of(ask)
        self._ledger = ledger
        self._form = form
        self._patience = PATIENCE
        self.name = wire.name
        self.model = "ACE-Step 1.5"
        self.version = "unknown"
        self.cancel_note = "" if wire.cancels else _CANNOT_CANCEL

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        return self.resume(JobRun(str(uuid.uuid4()), lambda: False), request, source)

    def resume(self, run: JobRun, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        """Raises SubmissionUnknown where an earlier attempt was sent and not answered, GenerationFailed."""
        try:
            yield from self._song(run, request, source)
        except (GenerationFailed, SubmissionUnknown):
            raise
        except QueueError as exc:
            # The status is that of the server's answer, not of ours.
            raise GenerationFailed(exc.message) from exc
        finally:
            if run.is_cancelled():
                self.stop(run.id)

    def begun(self) -> set[str]:
        return self._ledger.begun()

    def stop(self, job: str) -> None:
        """In a worker thread of anyio. What the server does not answer is asked again by the next call."""
        call = partial(self._call, is_shielded=True, seconds=_CANCEL_SECONDS, total=_CANCEL_SECONDS)
        with contextlib.suppress(AceStepError):
            for part, upstream in self._ledger.unfinished(job).items():
                self._wire.cancel(call, upstream)
                self._ledger.forget(job, part)

    def _song(self, run: JobRun, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        self._ledger.sweep()
        facts = yield from self._patiently(self.look, is_first=True)
        tags = request.tags
        request, lora = with_lora(request, facts.loras)
        plan = plan_of(request, source.sound if source else None, self._form).with_lora(lora)
        made: list[_Made] = []
        for part, task in enumerate(plan.tasks):
            made.append((yield from self._made(run, part, task, facts, len(plan.tasks))))
        kept, sounds = zip(*made, strict=True)
        self.model = kept[-1].model or self.model
        said = (note for each in kept for note in each.notes)
        notes = tuple(dict.fromkeys((*plan.notes, *self._wire.notes(plan.tasks[0], facts), *said)))
        if plan.joined:
            yield Audio(plan.joined(list(sounds)), tags, request.lyrics, notes)
        else:
            yield Audio(sounds[0], tags, request.lyrics, notes, file=kept[0].file)

    def look(self) -> Facts:
        """What the server says of itself, in a worker thread of anyio. Raises NoResponse, QueueError."""
        facts = self._wire.facts(self._call)
        self.model, self.version = facts.model, facts.version
        return facts

    def write(self, prompt: str, *, instrumental: bool, seed: int) -> tuple[str, str] | None:
        """Tags and lyrics by the server's language model, in a worker thread of anyio; None if it runs none."""
        if not self.look().writes:
            return None
        return self._wire.write(self._call, prompt, instrumental=instrumental, seed=seed)

    def unload(self) -> None:
        """The server decides that."""

    def close(self) -> None:
        """Nothing is held here."""

    def _made(self, run: JobRun, part: int, task: Task, facts: Facts, count: int) -> Generator[Step, None, _Made]:
        """The song of one part, and its samples."""
        if (kept := self._ledger.kept(run.id, part)) is not None:
            return kept, _decoded(kept.file)
        found = self._ledger.find(run.id, part)
        job = self._sent(run, part, task, facts) if found is None else found.id
        if job is None:
            raise SubmissionUnknown(
                "This program ended, or lost its connection, while it sent this request to the server, which may be making "
                "the song. It is not sent again automatically. Look at the server, then make the song again."
            )
        state = yield from self._followed(job, part, count, is_known=found is None)
        song = yield from self._patiently(lambda: self._wire.fetch(self._call, state, task))
        kept = self._ledger.keep(run.id, part, song.content, song.model, song.notes)
        return kept, _decoded(kept.file)

    def _sent(self, run: JobRun, part: int, task: Task, facts: Facts) -> str:
        """The server's id of a job that is sent now, once; it is on disk before anything else happens."""
        self._ledger.sending(run.id, part)
        try:
            job = self._wire.submit(partial(self._call, is_shielded=True), task, facts)
        except SubmissionUnknown:
            raise
        except NoResponse as exc:
            if exc.sent:
                raise SubmissionUnknown(
                    f"{exc.what} The request was sent, so the server may be making the song. It is not sent again "
                    "automatically. Look at the server, then make the song again."
                ) from exc
            self._ledger.forget(run.id, part)
            raise
        except AceStepError:
            self._ledger.forget(run.id, part)
            raise
        self._ledger.accepted(run.id, part, job)
        return job

    def _followed(self, job: str, part: int, count: int, *, is_known: bool) -> Generator[Step, None, JobState]:
        """Look at the job until it is done. `is_known` False: the server may have been restarted since it was sent."""
        pause, deadline = self._patience.first, time.monotonic() + self._patience.job
        while True:
            outage = Outage()
            state = yield from self._patiently(partial(self._wire.poll, self._call, job), outage=outage)
            if state.name in ("waiting", "running") and (outage.was_away or not is_known):
                is_known = True
                if self._wire.is_restarted(self._call):
                    state = JobState("gone")
            match state.name:
                case "done":
                    return state
                case "failed":
                    why = f": {state.reason[:300].rstrip('.')}" if state.reason else " and does not say why"
                    raise GenerationFailed(
                        f"The server could not make the song{why}. Look at its log; a shorter song takes less memory."
                    )
                case "gone":
                    raise GenerationFailed(
                        "The server no longer knows this job: it was restarted, or has forgotten it. A lack of memory ends some "
                        "servers. Make the song again."
                    )
            if time.monotonic() > deadline:
                raise QueueError(f"The server has not finished the job {job} within {self._patience.job / 3600:g} h.")
            yield _step(state, part, count)
            wait(pause)
            pause = min(pause * 1.5, self._patience.longest)

    def _patiently(
        self, ask: Callable[[], T], *, is_first: bool = False, outage: Outage | None = None
    ) -> Generator[Step, None, T]:
        """The answer, waited for while the server is away or busy. `is_first`: one that is away is not waited for."""
        outage = outage or Outage()
        while True:
            try:
                return ask()
            except QueueError as exc:
                reached = exc.sent if isinstance(exc, NoResponse) else exc.status in _LATER
                if exc.is_permanent or isinstance(exc, GenerationFailed | SubmissionUnknown):
                    raise
                outage.odd += exc.error_type == ODD
                if 0 < outage.odd <= _ODD_ANSWERS:
                    reached = True
                if not reached and (is_first or not isinstance(exc, NoResponse)):
                    raise
                if outage.seconds > (self._patience.busy if reached else self._patience.outage):
                    raise
                outage.begin()
            yield Step("waiting for the server to answer", 0, 1)
            wait(self._patience.longest)


def _step(state: JobState, part: int, count: int) -> Step:
    if state.fraction is None:
        return Step(state.stage, part, count)
    return Step(state.stage, 100 * part + round(100 * state.fraction), 100 * count)


def _decoded(file: Path) -> Sound:
    try:
        return read(file, name="the server's song")
    except InvalidRequest as exc:
        raise GenerationFailed(f"What the server sent is no song: {exc.message}. Make the song again.") from exc
