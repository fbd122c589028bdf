"""What is shown of jobs, tracks and the setup. MCP answers and their schemas, the command line's tables and `--json`, and
pages are derived from these models.

Times are in seconds, costs in US dollars. A field that does not apply is absent; so is a value from a sidecar or host that has the wrong type.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from acestep_mcp.api.parsing import Lenient
from acestep_mcp.api.text import all_encodable
from acestep_mcp.library.models import Status


class View(Lenient):
    """A model whose JSON is shown."""

    def facts(self) -> dict[str, Any]:
        """The JSON object, without absent fields."""
        facts: dict[str, Any] = all_encodable(self.model_dump(exclude_none=True))
        return facts


JobStatus = Annotated[Status, WithJsonSchema({"type": "string", "enum": [str(status) for status in Status]})]


class AudioView(View):
    """The file as its host described it, or the local file."""

    url: str | None = None
    content_type: str | None = None
    file_name: str | None = None
    file_size: int | None = None


class TrackFile(View):
    """The `track` object of answers; `parent` is the track it was made from."""

    id: str | None = None
    uri: str | None = None
    file_path: str | None = None
    duration: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    size: int | None = None
    parent: str | None = None


class SectionView(View):
    """A part of a song, in seconds."""

    name: str
    start: float
    end: float


Sections = Annotated[list[SectionView], WithJsonSchema({"type": "array", "items": {"type": "object"}})]


class Checks(View):
    """Measurements of the saved file.

    `unchanged_outside`: every sample outside the edit is the source's; `outside_difference`: how much they differ.
    `seams`: how much louder the song is after each seam than before it.
    """

    lufs: float | None = None
    peak_dbfs: float | None = None
    clipped_samples: int | None = None
    silent: bool | None = None
    unchanged_outside: bool | None = None
    outside_difference: str | None = None
    inside_difference: str | None = None
    seams: list[str] | None = None


OpenChecks = Annotated[Checks, WithJsonSchema({"type": "object"})]
"""In the schemas of jobs, of which there are seven; that of a track names the fields."""


class JobFacts(View):
    """One job, flat. `audio`, `seed`, `tags`, `lyrics` and `track` are present exactly when it is COMPLETED.

    `tags` and `lyrics` are the whole song's; `edit` holds those of an inpaint or outpaint, and its span.
    """

    status: JobStatus | None = None
    job_id: str | None = None
    request_id: str | None = None
    next_step: str | None = None
    progress: str | None = None
    audio: AudioView | None = None
    seed: int | None = None
    tags: str | None = None
    lyrics: str | None = None
    sections: Sections | None = None
    edit: dict[str, Any] | None = None
    track: TrackFile | None = None
    backend: str | None = None
    engine: str | None = None
    notes: list[str] | None = None
    checks: OpenChecks | None = None
    heard: str | None = None
    cost: float | None = None
    elapsed: float | None = None


class JobView(JobFacts):
    """One job."""

    status: JobStatus
    job_id: str


class JobRow(View):
    """A job in a list."""

    job_id: str
    status: Annotated[Status, WithJsonSchema({"type": "string"})]  # listed in full beside it
    tool: str | None = None
    created_at: str | None = None
    about: str | None = Field(default=None, description="Start of its prompt or tags.")
    track: str | None = Field(default=None, description="Track id.")


class JobList(View):
    jobs: list[JobRow] | None = None


class JobWithLogs(JobView):
    """One job, with the last lines of its engine's log unless it is COMPLETED."""

    logs: list[str] | None = None


class JobOrList(JobFacts, JobList):
    """Either one job or the newest jobs."""

    logs: list[str] | None = None


class TrackRow(TrackFile):
    """A track in a list."""

    title: str | None = None
    tags: str | None = None
    created_at: str | None = None


class TrackList(View):
    tracks: list[TrackRow] = Field(default_factory=list)
    total: int = Field(default=0, description="Number of matches.")
    next_cursor: str | None = None


class DescentStep(View):
    """How one track was made from the one before it. `changed` is a sentence."""

    id: str
    title: str | None = None
    made_by: str | None = None
    changed: str | None = None
    take_of: str | None = None


Descent = Annotated[list[DescentStep], WithJsonSchema({"type": "array", "items": {"type": "object"}})]


class TrackView(View):
    """Everything stored about one track; tags and lyrics are the whole song's, also after an edit."""

    track: TrackFile
    title: str | None = None
    url: str | None = None
    seed: int | None = None
    tags: str | None = None
    lyrics: str | None = None
    sections: Sections | None = Field(default=None, description="Each with name, start and end.")
    edit: dict[str, Any] | None = Field(default=None, description="How it was made from its parent.")
    heard: dict[str, Any] | None = Field(default=None, description="Measured: tempo, key, silence, ...")
    endpoint: str | None = None
    request: dict[str, Any] | None = Field(default=None, description="As sent.")
    engine: str | None = None
    checks: Checks | None = None
    notes: list[str] | None = None
    descent: Descent | None = Field(default=None, description="Oldest first.")
    created_at: str | None = None
    deleted: bool = Field(default=False, description="It is in the trash.")


class PlayerTrack(View):
    """A song for the player; of other versions than the one that is `shown` it is only a row."""

    id: str
    shown: bool | None = None
    title: str | None = None
    duration: float | None = None
    seed: int | None = None
    note: str | None = None
    lufs: float | None = None
    engine: str | None = None
    tags: str | None = None
    lyrics: str | None = None
    sections: Sections | None = None
    heard: str | None = None
    notes: list[str] | None = None
    file_path: str | None = None
    url: str | None = None


class PlayerView(View):
    """A song and its versions, oldest first."""

    tracks: Annotated[list[PlayerTrack], WithJsonSchema({"type": "array", "items": {"type": "object"}})] = Field(
        default_factory=list
    )


class TrackWithVersions(TrackView):
    """One track with the track it was made from, unless that is gone, and those that were made from it."""

    made_from: TrackRow | None = None
    versions: list[TrackRow] = Field(default_factory=list)


class DeletionView(View):
    track: TrackFile
    title: str | None = None
    deleted: bool = False
    next_step: str | None = None


class CostView(View):
    per_second_usd: float
    default_song_seconds: float
    default_song_usd: float
    basis: str


class EngineView(View):
    name: str | None = None
    model: str | None = None
    version: str | None = None
    loras: list[str] | None = Field(default=None, description="Tags: lora:NAME.")
    devices: list[dict[str, Any]] | None = None


class StatusView(View):
    """The engine that would be used and why, whether it answers, folders, spend, and problems with the settings."""

    problems: list[str] = Field(default_factory=list)
    version: str | None = None
    backend: str | None = None
    why: str | None = None
    queue_url: str | None = None
    reachable: bool | None = None
    trouble: str | None = Field(default=None, description="Why it cannot be used.")
    engine: EngineView | None = None
    cost: CostView | None = None
    writer: str | None = None
    transcriber: str | None = None
    music_dir: str | None = None
    data_dir: str | None = None
    spent_today_usd: float | None = None
    max_spend_usd: float | None = None
