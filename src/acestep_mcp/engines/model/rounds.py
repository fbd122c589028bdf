"""Runs that share a model in one thread: each goes on in turn, and what several ask of the model is computed together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from acestep_mcp.engines import Audio, Step

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

Progress = TypeVar("Progress")
Changed = TypeVar("Changed")
Result = TypeVar("Result")


class BatchModel(Protocol):
    def answer(self, given: Sequence[Any]) -> Sequence[Any]:
        """The answers to what several runs asked, all with an equal key."""

    def free(self) -> None:
        """Free what is kept for later answers."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelCall:
    """Yielded by a run that needs `model` to go on; the answer is sent back. Asks of an equal `key` may be one batch."""

    model: BatchModel
    key: Hashable
    given: Any


SamplingRun = Generator[tuple[int, int] | ModelCall, Any, "Tensor"]
"""Yields what it asks of a model, and after every step the steps done and their total; returns latents."""


class Event(Protocol):
    """As `torch.cuda.Event`."""

    def query(self) -> bool: ...
    def synchronize(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """Yielded by a run that goes on once the device has come to `event`; other runs go on meanwhile."""

    event: Event


Part = Step | ModelCall | Pending


@dataclass(slots=True, eq=False)
class _Run:
    song: Generator[Part, Any, Audio]
    yielded: SimpleQueue[Step | Audio | Future[Any]] = field(default_factory=SimpleQueue)
    waits_for: ModelCall | Pending | None = None
    answer: Any = None

    @property
    def is_ready(self) -> bool:
        waits_for = self.waits_for
        return waits_for is None or (isinstance(waits_for, Pending) and waits_for.event.query())

    def advance(self, parts: int) -> bool:
        """Go on by so many parts, or until it asks for something. Returns whether the song is finished."""
        answer, self.answer, self.waits_for = self.answer, None, None
        try:
            for _ in range(parts):
                part = self.song.send(answer)
                if not isinstance(part, Step):
                    self.waits_for = part
                    break
                self.yielded.put(part)
                answer = None
        except StopIteration as end:
            self.yielded.put(end.value)
            return True
        return False

    def next(self) -> Step | Audio:
        """Wait for the next step, or for the song. Raises what the run raised."""
        part = self.yielded.get()
        if isinstance(part, Future):
            part.result()
            raise TypeError("only a failed future is put into the queue")
        return part


class Rounds:
    """Plays songs in one thread: inference mode and CUDA graphs belong to a thread.

    In a round each run goes on until it asks. Then the longest running one is answered, together with others that ask
    for the same shape, `batch` at most. If that fails, for lack of memory or for another reason, the songs are played one
    by one.
    """

    def __init__(self, name: str, batch: int = 1) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._batch = self._most = batch
        self._runs: list[_Run] = []
        self._going_round = False

    def play(self, start: Callable[[], Generator[Part, Any, Audio]]) -> Iterator[Step | Audio]:
        """Steps and, last, the song of the run that `start` builds in the thread. Closing it stops the run."""
        run = self._thread.submit(self._begin, start).result()
        try:
            while not isinstance(part := run.next(), Audio):
                yield part
        finally:
            self._thread.submit(self._end, run).result()
        yield part

    def when_idle(self, work: Callable[[], None]) -> None:
        """Do this in the thread, unless a run is there. Raises what it raises."""
        self._thread.submit(lambda: None if self._runs else work()).result()

    def close(self) -> None:
        self._thread.shutdown()

    def _begin(self, start: Callable[[], Generator[Part, Any, Audio]]) -> _Run:
        run = _Run(start())
        self._runs.append(run)
        if not self._going_round:
            self._next_round()
        return run

    def _end(self, run: _Run) -> None:
        self._remove(run)
        _in_inference_mode(run.song.close)

    def _remove(self, run: _Run) -> None:
        if run in self._runs:
            self._runs.remove(run)
        if not self._runs:
            self._batch = self._most

    def _round(self) -> None:
        # A step and what follows it, so that runs whose steps are answered together ask together again. A song that is
        # alone stops between two steps.
        parts = 2 if self._most > 1 else 1
        for run in self._runs:
            if run.is_ready:
                self._schedule(partial(run.advance, parts), partial(list, [run]), partial(self._advanced, run))
        self._schedule(self._answer, self._all)

    def _advanced(self, run: _Run, finished: bool) -> None:
        if finished:
            self._remove(run)

    def _answer(self) -> None:
        asking = [(run, run.waits_for) for run in self._runs if isinstance(run.waits_for, ModelCall)]
        if asking:
            _, first = asking[0]
            together = [(run, ask) for run, ask in asking if (ask.model, ask.key) == (first.model, first.key)]
            runs, asks = zip(*together[: self._batch], strict=True)
            self._schedule(partial(self._computed, asks), lambda: runs, partial(self._answered, runs))
        elif self._runs and not any(run.is_ready for run in self._runs):
            waits_for = self._runs[0].waits_for
            if isinstance(waits_for, Pending):
                waits_for.event.synchronize()
        self._schedule(self._next_round, self._all)

    def _next_round(self) -> None:
        self._going_round = bool(self._runs)
        if self._runs:
            self._schedule(self._round, self._all)

    def _all(self) -> Iterable[_Run]:
        """The runs that an error of a round itself concerns. There is no next round then."""
        self._going_round = False
        return self._runs

    def _computed(self, asks: Sequence[ModelCall]) -> Sequence[Any]:
        """The answers, or only the first one if they cannot be computed together."""
        model, given = asks[0].model, [ask.given for ask in asks]
        try:
            return model.answer(given)
        except (RuntimeError, MemoryError) as error:
            if len(asks) == 1:
                raise
            logger.warning("%d songs are played one by one: %s", len(asks), str(error).splitlines()[0][:200])
        # Outside the handler: the exception's frames reference the memory to be freed.
        self._batch = 1
        model.free()
        return model.answer(given[:1])

    def _answered(self, runs: Sequence[_Run], answers: Sequence[Any]) -> None:
        for run, answer in zip(runs, answers, strict=False):
            run.answer, run.waits_for = answer, None

    def _schedule(
        self,
        work: Callable[[], Any],
        concerned: Callable[[], Iterable[_Run]],
        then: Callable[[Any], None] = lambda _: None,
    ) -> None:
        """Do `work` in the thread, after what is waiting there, and `then` something with its result.

        If it fails, so do the runs that it concerned.
        """

        def done(future: Future[Any]) -> None:
            if future.exception() is None:
                then(future.result())
                return
            for run in tuple(concerned()):
                self._remove(run)
                run.yielded.put(future)

        self._thread.submit(_in_inference_mode, work).add_done_callback(done)


def _in_inference_mode(work: Callable[[], Result]) -> Result:
    import torch

    with torch.inference_mode():
        return work()


def mapped(
    run: Generator[Progress | ModelCall, Any, Result], change: Callable[[Progress], Changed]
) -> Generator[Changed | ModelCall, Any, Result]:
    """The run with its progress changed. What it asks is passed on."""
    answer = None
    while True:
        try:
            part = run.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result
        answer = yield part if isinstance(part, ModelCall) else change(part)


def alone(run: Generator[Progress | ModelCall | Pending, Any, Result]) -> Generator[Progress, None, Result]:
    """The run without others: what it asks is answered at once."""
    answer = None
    while True:
        try:
            part = run.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result
        answer = None
        if isinstance(part, ModelCall):
            (answer,) = part.model.answer([part.given])
        elif isinstance(part, Pending):
            part.event.synchronize()
        else:
            yield part
