"""The response of every endpoint, as published, and what our own engines add to it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from acestep_mcp.api.parsing import Lenient


class File(BaseModel):
    """A file on the wire. Only `url` is always present."""

    model_config = ConfigDict(extra="ignore")

    url: str
    content_type: str | None = None
    file_name: str | None = None
    file_size: int | None = None
    file_data: str | None = None


class EngineReport(Lenient):
    """What our own engine reports about a song. A field of the wrong type is dropped, so that the song is not lost.

    `measured` is `audio.measure.Measurement.facts()` of the generated samples; `writer` names what wrote tags and
    lyrics for a prompt.
    """

    engine: str | None = None
    model: str | None = None
    version: str | None = None
    notes: tuple[str, ...] = ()
    sections: tuple[dict[str, Any], ...] = ()
    measured: dict[str, Any] | None = None
    writer: str | None = None


class Response(BaseModel):
    """The result of a request. `acestep` is added by our own queue; fal never sends it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    audio: File
    seed: int
    tags: str
    lyrics: str
    acestep: EngineReport | None = None

    @field_validator("acestep", mode="before")
    @classmethod
    def _is_a_report(cls, value: Any) -> Any:
        return value if isinstance(value, dict | EngineReport) else None

    @property
    def report(self) -> EngineReport:
        """The engine's report; empty if the host sends none."""
        return self.acestep or EngineReport()
