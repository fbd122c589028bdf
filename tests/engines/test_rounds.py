"""Runs that share one thread: what each asks, waits for and raises."""

from __future__ import annotations

import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

from acestep_mcp.audio import Sound  # noqa: E402
from acestep_mcp.engines import Audio, Step  # noqa: E402
from acestep_mcp.engines.model.rounds import ModelCall, Pending, Rounds  # noqa: E402
from acestep_mcp.engines.model.streams import Aside, denoising  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]

SONG = Audio(Sound(np.zeros((1, 1), np.int32), 8000), "", "")


class Doubling:
    """A model that doubles numbers, and notes what it was given at once. It fails for the given numbers together."""

    def __init__(self, fails=lambda _: None):
        self.batches, self.freed, self.fails = [], 0, fails

    def answer(self, given):
        self.batches.append(tuple(given))
        if error := self.fails(given):
            raise error
        return [2 * number for number in given]

    def free(self):
        self.freed += 1


class Event:
    """An event of a device, which a test lets happen."""

    def __init__(self):
        self.happened, self.waited = threading.Event(), threading.Event()

    def query(self):
        return self.happened.is_set()

    def synchronize(self):
        self.waited.set()
        self.happened.wait(5)


def asking(model, numbers, key=0):
    """A run that asks for each number, and tells the answers as steps."""
    for number in numbers:
        yield Step("asked", (yield ModelCall(model, key, number)), 0)
    return SONG


def play_all(rounds, *runs):
    """The numbers that each run was answered, or its error. All begin in one round."""
    told = [[] for _ in runs]
    began, all_there = threading.Event(), threading.Event()

    def held():
        began.set()
        all_there.wait(5)
        yield Step("held", 0, 0)
        return SONG

    def play(number, run):
        try:
            for part in rounds.play(lambda: run):
                if isinstance(part, Step):
                    told[number].append(part.number)
        except (RuntimeError, ValueError) as error:
            told[number].append(str(error))

    first = threading.Thread(target=lambda: list(rounds.play(held)))
    threads = [threading.Thread(target=play, args=(number, run)) for number, run in enumerate(runs)]
    first.start()
    began.wait(5)
    for thread in threads:
        before = rounds._thread._work_queue.qsize()
        thread.start()
        while rounds._thread._work_queue.qsize() == before:
            pass
    all_there.set()
    for thread in (first, *threads):
        thread.join(10)
    return told


@pytest.fixture
def rounds():
    made = []

    def make(batch):
        made.append(Rounds("test", batch))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_what_runs_ask_in_one_round_is_one_batch_of_at_most_so_many(rounds):
    model = Doubling()
    told = play_all(rounds(2), *(asking(model, [n, n + 1]) for n in (1, 10, 100)))
    assert told == [[2, 4], [20, 22], [200, 202]]
    assert {(1, 10), (2, 11), (100,), (101,)} == set(model.batches)


def test_the_longest_running_one_is_answered_first_and_others_wait_if_they_ask_for_another_shape(rounds):
    model = Doubling()
    told = play_all(rounds(2), asking(model, [1, 2], key="a"), asking(model, [5, 6], key="b"), asking(model, [8], "a"))
    assert told == [[2, 4], [10, 12], [16]]
    assert model.batches == [(1, 8), (2,), (5,), (6,)]


def test_a_batch_that_fails_is_played_one_by_one_and_only_the_run_at_fault_fails(rounds):
    model = Doubling(lambda given: RuntimeError("out of memory") if len(given) > 1 or given == [5] else None)
    told = play_all(rounds(3), asking(model, [1, 2]), asking(model, [5, 6]), asking(model, [8]))
    assert told == [[2, 4], ["out of memory"], [16]]
    assert model.batches == [(1, 5, 8), (1,), (2,), (5,), (8,)]
    assert model.freed == 1


def test_a_song_that_is_alone_is_stopped_at_the_end_of_its_step(rounds, monkeypatch):
    alone = rounds(1)
    in_step, may_go_on, is_stopping = threading.Event(), threading.Event(), threading.Event()
    computed = []

    def song():
        for number in range(9):
            computed.append(number)
            if number == 2:
                in_step.set()
                may_go_on.wait(5)
            yield Step("denoising", number, 9)
        return SONG

    submit = alone._thread.submit

    def noted(work, *given):
        future = submit(work, *given)
        if work == alone._end:
            is_stopping.set()
        return future

    monkeypatch.setattr(alone._thread, "submit", noted)
    running = alone.play(song)
    next(running)
    in_step.wait(5)
    stopping = threading.Thread(target=running.close)
    stopping.start()
    is_stopping.wait(5)
    may_go_on.set()
    stopping.join(5)
    assert computed == [0, 1, 2]


def test_an_error_in_one_run_or_of_one_kind_of_batch_ends_no_other_run(rounds):
    def broken():
        yield Step("asked", 7, 0)
        raise ValueError("broken")

    strange = Doubling(lambda _: ValueError("strange"))
    told = play_all(rounds(2), broken(), asking(strange, [1]), asking(Doubling(), [3]))
    assert told == [[7, "broken"], ["strange"], [6]]


def test_a_run_that_waits_for_the_device_holds_no_other_run_up(rounds):
    event, model = Event(), Doubling()

    def decoding():
        yield Pending(event)
        yield Step("decoded", 9, 0)
        return SONG

    def denoising():
        yield from asking(model, [1, 2])
        assert not event.query()
        event.happened.set()
        return SONG

    assert play_all(rounds(1), decoding(), denoising()) == [[9], [2, 4]]
    assert not event.waited.is_set()


def test_with_nothing_else_to_do_the_device_is_waited_for(rounds):
    event = Event()

    def decoding():
        yield Pending(event)
        return SONG

    playing = threading.Thread(target=lambda: list(rounds(1).play(decoding)))
    playing.start()
    assert event.waited.wait(5)
    event.happened.set()
    playing.join(5)
    assert not playing.is_alive()


def test_a_run_that_is_stopped_is_closed_and_asks_no_more(rounds):
    model, closed = Doubling(), threading.Event()

    def endless():
        try:
            while True:
                yield Step("asked", (yield ModelCall(model, 0, 1)), 0)
        finally:
            closed.set()

    parts = rounds(1).play(endless)
    next(parts)
    parts.close()
    assert closed.is_set()
    asked = len(model.batches)
    assert rounds(1).when_idle(lambda: None) is None
    assert len(model.batches) == asked


class Stream:
    """Stands in for a stream of a GPU, and writes down what it is told."""

    def __init__(self, told):
        self.told, self.device = told, torch.device("cuda", 0)

    def wait_stream(self, other):
        self.told.append(("wait_stream", other))

    def record_event(self):
        self.told.append("record_event")
        return Event()


def test_work_aside_begins_after_the_current_stream_and_its_result_is_copied_before_the_event(monkeypatch):
    told = []
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")

    def work():
        told.append("work")
        return torch.ones(2, 5, device="cuda")

    with FakeTensorMode():
        run = Aside(Stream(told)).run(work)
        assert isinstance(next(run), Pending)
        assert told == [("wait_stream", "the stream of cuda:0"), "work", "record_event"]
        with pytest.raises(StopIteration) as end:
            next(run)
    assert (end.value.value.device.type, tuple(end.value.value.shape)) == ("cpu", (2, 5))
    assert Aside(Stream(told)).overlaps
    assert not Aside(None).overlaps


def test_the_host_is_at_most_two_steps_ahead_of_a_gpu(monkeypatch):
    """No GPU is here: the events of its stream are noted."""
    seen = []

    class Event:
        def __init__(self):
            self.number = sum(kind == "recorded" for kind, _ in seen)
            seen.append(("recorded", self.number))

        def synchronize(self):
            seen.append(("waited for", self.number))

    class Stream:
        def record_event(self):
            return Event()

    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream())

    def run():
        for number in range(4):
            yield number + 1, 4
        return torch.zeros(())

    assert list(denoising(run(), torch.device("cuda"))) == [Step("denoising", number, 4) for number in range(1, 5)]
    assert seen == [
        ("recorded", 0), ("recorded", 1), ("recorded", 2), ("waited for", 0), ("recorded", 3), ("waited for", 1),
    ]  # fmt: skip
