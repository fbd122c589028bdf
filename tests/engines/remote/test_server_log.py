"""How far a job of acestep.cpp is, by what the server logs."""

from __future__ import annotations

import pytest

from acestep_mcp.engines.remote.server_log import progress

OURS, OTHER = "00000000000000aa", "00000000000000bb"
BEGINS = "[Server] Loading synth: DiT=turbo.gguf VAE=vae.gguf"


def created(job):
    return f"[Server] Job {job} created (1 requests)"


def done(job):
    return f"[Server] Job {job} done (1 tracks)"


def step(number, steps=8):
    return f"[DiT] Step {number}/{steps} t=0.500"


def told(*lines, end="data: [DiT] St"):
    return progress(("".join(f"data: {line}\n\n" for line in lines) + end).encode(), OURS)


@pytest.mark.parametrize(
    ("lines", "stage", "share"),
    [
        ([created(OURS), BEGINS, step(2)], "denoising", 0.225),
        ([created(OURS), BEGINS, step(2), "[Prompt] [DiT] Step 8/8", step(4)], "denoising", 0.45),
        ([created(OURS), BEGINS, step(8), "[VAE] Tiled decode: 4 tiles (chunk=256)"], "decoding", 0.9),
        ([created(OTHER), created(OURS), BEGINS, step(8), done(OTHER), BEGINS, step(1)], "denoising", 0.1125),
        # The other one has failed, of which the log says nothing.
        ([created(OTHER), created(OURS), BEGINS, step(8), BEGINS, step(2)], "denoising", 0.225),
        ([created(OURS), created(OTHER), BEGINS, step(2)], "denoising", 0.225),
    ],
)
def test_the_lines_of_a_job_tell_how_far_it_is(lines, stage, share):
    assert told(*lines) == (pytest.approx(share), stage)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [created(OURS)],
        [created(OURS), BEGINS],
        # A job from before the log's first line is worked on.
        [step(2), created(OURS), step(3)],
        [created(OTHER), created(OURS), BEGINS, step(3)],
        [created(OURS), BEGINS, step(8), done(OURS), BEGINS, step(2)],
        [created(OURS), BEGINS, step(9), step(0), step(1, 0)],
        [created(OURS), BEGINS, "[DiT] Step 99999999999999/99999999999999"],
        [created(OURS), BEGINS, f"x{step(3)}"],
        [created("0" * 400), BEGINS, step(3)],
    ],
)
def test_what_may_be_another_job_s_is_not_taken_for_its_progress(lines):
    assert told(*lines) is None


def test_a_line_that_is_cut_does_not_count():
    assert told(created(OURS), BEGINS, step(1, 10), end="data: [DiT] Step 9/10") == (pytest.approx(0.09), "denoising")


def test_text_that_is_no_log_tells_nothing():
    for body in (b"", b"\xff\xfe", b"<html>" * 9_999, b"data: \n\n" * 9_999):
        assert progress(body, OURS) is None
