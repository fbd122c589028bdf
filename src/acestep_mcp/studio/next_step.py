"""What to do after each outcome of a job, for a language model or a person."""

from __future__ import annotations

from acestep_mcp.library.models import Job, Outcome, Status

_DONE = "done; give the user the file_path, or audio.url to one on another machine"
_BY_ERROR = {
    "invalid_request": "Change the arguments as the message says, then call again.",
    "not_found": "Check the audio_url: list_tracks has the songs; then call again.",
    "generation_failed": "Change the arguments (other tags, a shorter duration, another seed), then call again.",
    "configuration": "Ask the user to fix the setting that the message names (status shows the setup), then call again.",
    "spend_limit": "Tell the user that the daily spending limit is reached; call again when they have raised it.",
    "storage": "Ask the user to fix the folder or disk that the message names, then call again.",
    "request_unknown": "Look for the song in list_tracks; if it is not there, call again with the same arguments.",
    "error": "Tell the user that this is a bug in acestep-mcp whose log has the details; call again once at most.",
}
_NOT_ACCEPTED = (
    "Nothing was accepted or billed. Call status: it says whether the host answers; when it does, call again with the "
    "same arguments."
)
_CANCELLED = "Nothing is running. Call again only if the user still wants the song."
_UNKNOWN = "Ask the user to check the host's dashboard; call again only if the song is not there."


def next_step(outcome: Outcome) -> str:
    """The next step for this outcome."""
    job, track = outcome.job, outcome.track
    if not job.status.is_terminal:
        return f'call get_job with job_id="{job.id}" and wait for it; do not start the song again'
    if track is not None and track.deleted:
        return f'the song is in the trash; delete_track with track_id="{track.id}", restore=true restores it'
    if job.status is Status.COMPLETED:
        return _DONE if track is not None else "call list_tracks to see the songs"
    return _after_failure(job)


def after_cancel(outcome: Outcome) -> str:
    """The next step after a request to cancel."""
    job = outcome.job
    if job.status is Status.CANCELLED:
        return "nothing; the job is cancelled"
    if job.status is Status.COMPLETED and outcome.track is not None and not outcome.track.deleted:
        unwanted = f'delete_track with track_id="{outcome.track.id}" moves it to the trash'
        return f"the song was finished before it could be cancelled; {unwanted} if nobody wants it"
    if not job.status.is_terminal:
        return f'the host has not confirmed the cancellation; call get_job with job_id="{job.id}" to see the end'
    return next_step(outcome)


def _after_failure(job: Job) -> str:
    if job.status is Status.CANCELLED:
        return _CANCELLED
    if job.status is Status.UNKNOWN:
        return _UNKNOWN
    error = job.error
    if error is None:
        return "Call again once; if it fails again, call status."
    if error.collectable:
        return f'When that is fixed, call get_job with job_id="{job.id}": it saves the song without paying again.'
    if error.code == "queue":
        return _NOT_ACCEPTED if job.request_id is None else "Call status, then call again with the same arguments."
    return _BY_ERROR.get(error.code, "Call again once; if it fails again, call status.")
