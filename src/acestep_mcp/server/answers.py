"""The answers of tools: the same view as text and as structured content, since some hosts pass on only one of them.

No answer contains audio bytes or a resource link, except what the player asks for: that is in `_meta`, which hosts pass to the
page and not to the model.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mcp.types import CallToolResult, ImageContent, TextContent

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.api.text import encodable, indented, one_line, presented
from acestep_mcp.library.models import Job, JobError, Outcome, Status, Track, TrackPage
from acestep_mcp.studio.build_takes import export_view, takes_view
from acestep_mcp.studio.build_views import (
    TrackUrl,
    deletion_view,
    job_list,
    job_view,
    job_with_logs,
    player_track,
    player_view,
    track_list,
    track_view,
)
from acestep_mcp.studio.comparison import Comparison
from acestep_mcp.studio.next_step import after_cancel
from acestep_mcp.studio.views import DescentStep, PlayerView, StatusView

PLAYER_AUDIO = "acestep/audio"
_MISSING = (
    "The song of this job was made, but its file is no longer in the music folder. It may have been moved or removed, "
    "or ACESTEP_MUSIC_DIR has changed. If it is still wanted, make it again with the same arguments and seed."
)
_PATH = 4096
"""Characters of a path, or of a sentence with one."""
_DRAFT = "a draft: a sketch, not ACE-Step, in which nobody sings words"
_NO_SONG = (Status.FAILED, Status.CANCELLED, Status.UNKNOWN)


def job_result(
    outcome: Outcome, url: TrackUrl, *, attached: bool = False, logs: bool = False, apps: bool = False
) -> CallToolResult:
    """The state of one job; a job that ended without a track is an error result.

    `attached`: the call joined an older job. `apps`: the host shows our player.
    """
    job = outcome.job.changed(attached=attached or outcome.job.attached)
    outcome = replace(outcome, job=job)
    if job.status is Status.COMPLETED and outcome.track is None:
        return CallToolResult(
            content=[TextContent(type="text", text=f"not_found: {_MISSING} (job_id: {job.id})")], is_error=True
        )
    facts = (job_with_logs if logs else job_view)(outcome, url).facts()
    if job.status in _NO_SONG:
        shown = {name: facts.get(name) for name in ("job_id", "next_step", "logs")}
        return _answer(_text(_failure(job), shown), facts, is_error=True)
    if apps and outcome.track is not None and not outcome.track.deleted:
        facts["next_step"] += f'; play_track with track_id="{outcome.track.id}" shows the user a player'
    return _answer(_text(_headline(outcome), facts), facts)


def _failure(job: Job) -> str:
    error = job.error or JobError("", "no song was made")
    return f"{job.status} {error.code}".strip() + f": {indented(presented(error.message))}"


def cancelled_result(outcome: Outcome, url: TrackUrl) -> CallToolResult:
    """The answer of cancel_job, for which a job that has ended is not an error."""
    facts = job_view(outcome, url).facts() | {"next_step": after_cancel(outcome)}
    match outcome.job.status:
        case Status.CANCELLED:
            head = "CANCELLED as requested"
        case Status.FAILED | Status.UNKNOWN:
            head = f"Nothing to cancel. {_failure(outcome.job)}"
        case Status.COMPLETED:
            head = f"Too late to cancel. {_headline(outcome)}"
        case _:
            head = f"Cancellation requested. {_headline(outcome)}"
    return _answer(_text(head, facts), facts)


def _headline(outcome: Outcome) -> str:
    job = outcome.job
    if job.status is Status.COMPLETED and outcome.track is not None:
        where = " (in the trash)" if outcome.track.deleted else ""
        report = job.result.report if job.result else None
        draft = f"; {_DRAFT}" if report and report.engine == "draft" else ""
        return f"COMPLETED: {one_line(outcome.track.title)}, {outcome.track.duration:.1f} s{where}{draft}"
    return f"{job.status}, not finished: {job.progress.describe()}"


def jobs_result(jobs: list[Job]) -> CallToolResult:
    """The newest jobs, one line each."""
    view = job_list(jobs)
    lines = [
        f"{row.job_id}  {row.status}  {row.tool}  {row.created_at}  {one_line(row.about or '')}"
        for row in view.jobs or ()
    ]
    head = f"{len(lines)} newest jobs, newest first" if lines else "No jobs yet; make a song with text_to_audio."
    return _answer("\n".join([head, *lines]), view.facts())


def tracks_result(page: TrackPage) -> CallToolResult:
    """A page of tracks, one line each."""
    view = track_list(page)
    lines = [
        f"{row.id}  {row.duration or 0:.0f} s  {one_line(row.title or '')}  {one_line(row.file_path or '', _PATH)}"
        for row in view.tracks
    ]
    head = f"{len(lines)} of {view.total} tracks, newest first" if view.total else "No tracks found."
    tail = [f'next_cursor: "{view.next_cursor}"'] if view.next_cursor else []
    problems = [f"note: {one_line(problem, _PATH)}" for problem in page.problems]
    return _answer("\n".join([head, *lines, *tail, *problems]), view.facts())


def track_result(
    track: Track, url: TrackUrl, picture: bytes | None = None, *, descent: Sequence[DescentStep] = ()
) -> CallToolResult:
    """Everything stored about one track, what it was made from, and its picture as PNG."""
    facts = track_view(track, url, descent).facts()
    return _with_picture(_answer(_text(one_line(track.title), facts), facts), picture)


def _with_picture(answer: CallToolResult, picture: bytes | None) -> CallToolResult:
    if picture is not None:
        data = base64.b64encode(picture).decode()
        answer.content.append(ImageContent(type="image", data=data, mime_type="image/png"))
    return answer


def takes_result(outcomes: Sequence[Outcome], comparison: Comparison | None) -> CallToolResult:
    """The takes of a remake; an error result when all of them ended without a track."""
    view = takes_view(outcomes, comparison)
    rows = [
        f"{row.job_id}  {row.status}  {row.track or one_line(row.error or row.progress or '', _PATH)}"
        for row in view.takes
    ]
    table = _table(view.comparison) if view.comparison else []
    count = "1 take" if len(rows) == 1 else f"{len(rows)} takes"
    head = f"{sum(row.track is not None for row in view.takes)} of {count} finished"
    tail = [f"cost: {view.cost}"] if view.cost else []
    is_error = all(outcome.job.status in _NO_SONG for outcome in outcomes)
    return _answer(
        "\n".join([head, *rows, *table, *tail, f"next_step: {view.next_step}"]), view.facts(), is_error=is_error
    )


def comparison_result(view: Comparison, picture: bytes) -> CallToolResult:
    """Tracks side by side, and their pictures as one PNG, in the order of the columns from the top."""
    lines = [*_table(view), "picture: the tracks in this order, from the top", f"next_step: {view.next_step}"]
    return _with_picture(_answer("\n".join(lines), view.facts()), picture)


def _table(view: Comparison) -> list[str]:
    """A column for each track: `lufs: -14.1 | -13.2`."""
    tracks = [
        f"{row.id}: {one_line(row.title or '')}, {one_line(row.file_path or '', _PATH)}"
        f"{f' ({one_line(row.relation)})' if row.relation else ''}"
        for row in view.tracks
    ]
    columns = f"columns: {' | '.join(row.id for row in view.tracks)}"
    rows = [f"{one_line(name)}: {_cells(values)}" for name, values in view.measured.items()]
    differing = [f"{one_line(name)}: {_cells(values)}" for name, values in view.differences.items()]
    return [*tracks, columns, *rows, "what differs in the requests:", *(differing or ["nothing"])]


def _cells(values: Sequence[Any]) -> str:
    shown = (
        "-" if value is None else value if value and isinstance(value, str) else json.dumps(value) for value in values
    )
    return " | ".join(one_line(text, _PATH) for text in shown)


def export_result(track: Track, path: Path) -> CallToolResult:
    """The copy of a track."""
    facts = export_view(track, path).facts()
    return _answer(_text(f"{one_line(track.title)}, exported", facts), facts)


def player_result(track: Track, versions: list[Track], url: TrackUrl, *, shown: bool) -> CallToolResult:
    """A song and its versions for the player; `shown`: the host has said that it shows our player."""
    view = player_view(track, versions, url)
    rows = [f"{row.id} ({one_line(row.note)})" if row.note else row.id for row in view.tracks if row.id != track.id]
    where = "the player shows it to the user" if shown else "this host shows no player; give the user the file_path"
    facts = {"next_step": where, "file_path": str(track.path), "versions": ", ".join(rows) or None}
    return _answer(_text(f"{one_line(track.title)}, {track.duration:.1f} s", facts), view.facts())


def player_audio_result(track: Track, mp3: bytes, url: TrackUrl) -> CallToolResult:
    """What the player needs to play a song, for the player alone."""
    view = PlayerView(tracks=[player_track(track, url)])
    answer = _answer(f"The sound of {one_line(track.title)} for the player, {len(mp3)} bytes.", view.facts())
    return answer.model_copy(
        update={"meta": {PLAYER_AUDIO: {"mimeType": "audio/mpeg", "data": base64.b64encode(mp3).decode()}}}
    )


def deletion_result(track: Track) -> CallToolResult:
    """The answer of delete_track, for deleting and restoring."""
    facts = deletion_view(track).facts()
    return _answer(_text(f"{one_line(track.title)} is {'deleted' if track.deleted else 'restored'}", facts), facts)


def status_result(view: StatusView) -> CallToolResult:
    """Backend, folders, spend and problems with the settings."""
    facts = view.facts()
    return _answer(_text("acestep-mcp", facts), facts)


def problems_result(problems: list[str], *, music_dir: Path, data_dir: Path) -> CallToolResult:
    """The status while the studio cannot be opened."""
    return status_result(StatusView(problems=problems, music_dir=str(music_dir), data_dir=str(data_dir)))


def error_result(error: AceStepError, problems: tuple[str, ...]) -> CallToolResult:
    """`code: message`, and problems with the settings, since they may be the cause."""
    lines = [
        f"{error.code}: {indented(presented(error.message))}",
        *(f"settings problem: {problem}" for problem in problems),
    ]
    return CallToolResult(content=[TextContent(type="text", text=encodable("\n".join(lines)))], is_error=True)


def bug_result(tool: str, problems: tuple[str, ...]) -> CallToolResult:
    """An unexpected error; its text may contain secrets and is only logged."""
    text = f"internal: {tool} failed because of a bug in acestep-mcp; its log (stderr) has the details. Try status."
    return error_result(AceStepError(text), problems)


def _answer(text: str, facts: dict[str, Any], *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=encodable(text))], structured_content=presented(facts), is_error=is_error
    )


def _text(head: str, facts: Mapping[str, Any]) -> str:
    """A headline and one `name: value` line per fact; nested facts are JSON.

    Whatever a text from a file or a host says, it begins no line: the answer's own lines are the ones that do.
    """
    lines = [head]
    for name, value in presented(facts).items():
        if name != "status" and value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"{name}: {indented(text)}")
    return "\n".join(lines)
