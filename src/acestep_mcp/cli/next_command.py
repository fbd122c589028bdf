"""What to do after each outcome of a job, as commands: the counterpart of `studio.next_step`."""

from __future__ import annotations

from acestep_mcp.library.models import Job, Outcome, Status

_BY_ERROR = {
    "configuration": "Fix the setting that the message names (acestep-mcp doctor checks all of them), then run the command again.",
    "spend_limit": "Raise ACESTEP_MAX_SPEND_USD or wait until tomorrow, then run the command again.",
    "storage": "Fix the folder or disk that the message names, then run the command again.",
    "queue": "See whether the host answers: acestep-mcp doctor. Then run the command again.",
    "request_unknown": "Look for the song: acestep-mcp tracks list. If it is not there, run the command again.",
}
_CHANGE = "Change the options as the message says, then run the command again."


def next_command(outcome: Outcome) -> str:
    """The next step for this outcome."""
    job, track = outcome.job, outcome.track
    if not job.status.is_terminal:
        return f"to wait for the song: acestep-mcp jobs wait {job.id}; to cancel it: acestep-mcp jobs cancel {job.id}"
    if track is not None and track.deleted:
        return f"the song is in the trash; to restore it: acestep-mcp tracks restore {track.id}"
    if job.status is Status.COMPLETED:
        return "done" if track is not None else "its file is gone; to see the songs: acestep-mcp tracks list"
    return _after_failure(job)


def _after_failure(job: Job) -> str:
    match job.status:
        case Status.CANCELLED:
            return "nothing; the job is cancelled"
        case Status.UNKNOWN:
            return "Check the host's dashboard; run the command again only if the song is not there."
    if job.error and job.error.collectable:
        return f"When that is fixed: acestep-mcp jobs wait {job.id}. It saves the song without paying again."
    return _BY_ERROR.get(job.error.code if job.error else "", _CHANGE)
