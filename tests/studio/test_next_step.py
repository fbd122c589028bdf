"""The next step fits how a job ended."""

import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.library.models import Job, JobError, Outcome, Status
from acestep_mcp.studio.next_step import after_cancel, next_step


def ended(status, code="", *, collectable=False, **more):
    error = JobError(code, "It went wrong.", collectable) if code else None
    return Outcome(Job("j1", "fal-ai/ace-step", TextToAudio(tags="lofi"), status, "fal", 0.0, error=error, **more))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (ended(Status.FAILED, "queue"), "Nothing was accepted or billed. Call status"),
        (ended(Status.FAILED, "queue", collectable=True, request_id="r"), 'get_job with job_id="j1"'),
        (ended(Status.FAILED, "configuration"), "Ask the user to fix the setting"),
        (ended(Status.FAILED, "configuration", collectable=True, request_id="r"), "without paying again"),
        (ended(Status.FAILED, "storage"), "fix the folder or disk"),
        (ended(Status.FAILED, "spend_limit"), "spending limit"),
        (ended(Status.FAILED, "invalid_request"), "Change the arguments"),
        (ended(Status.FAILED, "not_found"), "list_tracks"),
        (ended(Status.FAILED, "generation_failed"), "another seed"),
        (ended(Status.FAILED, "request_unknown"), "list_tracks"),
        (ended(Status.FAILED, "error"), "bug in acestep-mcp"),
        (ended(Status.FAILED, "a code of a newer version"), "call status"),
        (ended(Status.FAILED), "call status"),
        (ended(Status.CANCELLED, "cancelled"), "only if the user still wants the song"),
        (ended(Status.UNKNOWN, "submission_unknown"), "dashboard"),
        (ended(Status.IN_PROGRESS), 'call get_job with job_id="j1"'),
        (ended(Status.COMPLETED), "list_tracks"),
    ],
)
def test_the_next_step_after_each_end(outcome, words):
    assert words in next_step(outcome)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (ended(Status.CANCELLED, "cancelled"), "nothing; the job is cancelled"),
        (ended(Status.IN_PROGRESS), "has not confirmed"),
        (ended(Status.FAILED, "storage"), "fix the folder or disk"),
    ],
)
def test_the_next_step_after_a_cancel(outcome, words):
    assert words in after_cancel(outcome)
