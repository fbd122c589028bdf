"""Long edits: what each run gets, and how the results are put together."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from acestep_mcp.engines.model.long_edits import LongEdits  # noqa: E402
from acestep_mcp.engines.model.rounds import alone  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]

LONGEST, LEAST = 50, 8
OLD, NEW = 1.0, 2.0
NOISES = (torch.zeros, torch.ones)


class Runs:
    """Edits in one step each, which write NEW. `seen` has the frames before the new ones, their number, and those after."""

    def __init__(self):
        self.seen = []

    def inpaint(self, source, span, variance, noises):
        assert (variance, noises) == (0.5, NOISES)
        yield 1, 1
        self.seen.append((span.start, len(span), source.shape[-1] - span.stop))
        result = torch.full_like(source, 9.0)  # what an edit makes of the context is not used
        result[..., span.start : span.stop] = NEW
        return result

    def outpaint(self, source, sides, noises):
        assert noises == NOISES
        yield 1, 1
        left, right = sides
        self.seen.append((left, source.shape[-1], right))
        return torch.cat(
            (torch.full((1, left), NEW), torch.full_like(source, 9.0), torch.full((1, right), NEW)), dim=-1
        )


def result_of(run):
    steps, runs = [], alone(run)
    while True:
        try:
            steps.append(next(runs))
        except StopIteration as end:
            return end.value, steps


@pytest.mark.parametrize(("length", "span"), [(200, range(60, 150)), (200, range(200)), (90, range(85, 90))])
def test_a_window_of_a_long_song_is_made_in_runs_with_music_beside_it_and_nothing_else_changes(length, span):
    runs, song = Runs(), torch.full((1, length), OLD)
    made, steps = result_of(LongEdits(runs, LONGEST, LEAST).inpaint(song, span, 0.5, NOISES))
    expected = song.clone()
    expected[..., span.start : span.stop] = NEW
    assert torch.equal(made, expected)
    assert torch.equal(song, torch.full((1, length), OLD)), "the source is not changed"
    assert steps == [(number + 1, len(runs.seen)) for number in range(len(runs.seen))]
    first = span.start
    for before, new, after in runs.seen:
        assert before + new + after <= LONGEST
        assert before >= min(LEAST, first)
        assert after >= min(LEAST, length - first - new)
        first += new


@pytest.mark.parametrize(("length", "sides"), [(200, (0, 100)), (200, (100, 30)), (5, (60, 60))])
def test_a_song_grows_by_runs_that_hear_its_edge(length, sides):
    runs, song = Runs(), torch.full((1, length), OLD)
    made, steps = result_of(LongEdits(runs, LONGEST, LEAST).outpaint(song, sides, NOISES))
    left, right = sides
    assert torch.equal(made, torch.cat((torch.full((1, left), NEW), song, torch.full((1, right), NEW)), dim=-1))
    assert steps[-1] == (len(runs.seen), len(runs.seen))
    for before, heard, after in runs.seen:
        assert before + heard + after <= LONGEST
        assert heard >= min(LEAST, length)


def test_what_fits_into_a_run_is_one():
    runs, song = Runs(), torch.full((1, 40), OLD)
    result_of(LongEdits(runs, LONGEST, LEAST).inpaint(song, range(3, 9), 0.5, NOISES))
    result_of(LongEdits(runs, LONGEST, LEAST).outpaint(song, (4, 6), NOISES))
    assert runs.seen == [(3, 6, 31), (4, 40, 6)]
