"""Remakes: the recorded request of a track sent again, with other seeds (takes) or with some fields changed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from acestep_mcp.api.argument_names import meant
from acestep_mcp.api.endpoints import BY_ID, Endpoint
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import ApiRequest
from acestep_mcp.library.models import Job, Track

MOST_TAKES = 4
_SEEDS = 2**32


@dataclass(frozen=True, slots=True)
class Remake:
    """What `remake_track` asks for. Fields that are null in `changes` get their default."""

    track: Track
    endpoint: Endpoint
    fields: dict[str, Any]
    is_changed: bool
    takes: int
    seed: int | None
    """The seed of the first one; the others get seeds of their own."""

    def request(self, seed: int) -> ApiRequest:
        return self.endpoint.request.parse(self.fields | {"seed": seed})

    def seeds(self, number: int, key: str | None) -> Iterator[int]:
        """Seeds for the take of this number, in the order in which they are tried.

        They follow from the track and the fields, so that a call that is repeated asks for the same songs; with an
        idempotency key also from that.
        """
        if number == 0 and self.seed is not None:
            yield self.seed
            return
        told = repr((self.track.id, key, sorted(self.fields.items(), key=str)))
        for attempt in itertools.count(0 if key is None else number * 2**16):
            digest = hashlib.sha256(f"{told} {attempt}".encode()).digest()
            if (seed := int.from_bytes(digest[:4], "big") % _SEEDS) != self.track.sidecar.get("seed"):
                yield seed

    def related(self, job: Job) -> Job:
        """The job as a child of the track if fields changed, else as its sibling. An edit is a child of its own source."""
        options = replace(job.options, remade=self.track.id)
        parent = job.parent
        if job.options.source is None:
            parent = self.track.id if self.is_changed else self.track.parent
        return job.changed(options=options, parent=parent)


def plan_remake(track: Track, changes: Mapping[str, Any], takes: int) -> Remake:
    """Raises InvalidRequest that names what is wrong: a field the endpoint does not have, a value, a seed for several takes."""
    sidecar = track.sidecar
    endpoint = BY_ID.get(str(sidecar.get("endpoint")))
    recorded = sidecar.get("request")
    if track.deleted:
        raise InvalidRequest(
            f'Track {track.id} is in the trash. Call delete_track with track_id="{track.id}", restore=true first.'
        )
    if endpoint is None or not isinstance(recorded, dict) or not recorded:
        raise InvalidRequest(
            f"Track {track.id} has no recorded request that can be sent again. Use get_track for its tags and lyrics, and "
            "text_to_audio."
        )
    if not 1 <= takes <= MOST_TAKES:
        raise InvalidRequest.of(FieldError("takes", f"must be 1 to {MOST_TAKES} (got {takes})"))
    _check_changes(endpoint, changes, takes)
    known = {name: value for name, value in recorded.items() if name in endpoint.request.model_fields}
    if "audio_url" in known and (parent := track.parent):
        known["audio_url"] = parent  # the file may have another name by now
    fields = {name: value for name, value in (known | dict(changes)).items() if value is not None}
    asked = endpoint.request.parse(fields)  # raises for a wrong value
    fields.pop("seed", None)
    given = asked.seed if changes.get("seed") is not None else None
    is_changed = given is not None or not _is_recorded(endpoint, known, asked)
    own = sidecar.get("seed")
    if given is None and is_changed and isinstance(own, int):
        given = own
    return Remake(track, endpoint, fields, is_changed, takes, given)


def _is_recorded(endpoint: Endpoint, known: Mapping[str, Any], asked: ApiRequest) -> bool:
    """Whether the request asks for what was recorded, whatever its seed."""
    try:
        recorded = endpoint.request.parse(known)
    except InvalidRequest:
        return False
    return recorded.model_dump(exclude={"seed"}) == asked.model_dump(exclude={"seed"})


def _check_changes(endpoint: Endpoint, changes: Mapping[str, Any], takes: int) -> None:
    names = list(endpoint.request.model_fields)
    wrong = [name for name in changes if name not in names]
    if wrong:
        raise InvalidRequest.of(
            *(
                FieldError(
                    f"changes.{name[:60]}",
                    f"is not a field of {endpoint.tool}, which made this track; its fields are {', '.join(names)}; "
                    f"{f'send it as {right}' if (right := meant(name, names)) else 'leave it out'}",
                    "extra_forbidden",
                )
                for name in wrong[:20]
            )
        )
    endpoint.request.parse(_probe(endpoint) | {name: value for name, value in changes.items() if value is not None})
    if takes > 1 and changes.get("seed") is not None:
        raise InvalidRequest.of(
            FieldError("changes.seed", f"one seed makes one song, and takes is {takes}; leave out one of the two")
        )


def _probe(endpoint: Endpoint) -> dict[str, Any]:
    """The required fields, so that only the changed ones can be wrong."""
    fields = endpoint.request.model_fields.items()
    return {name: "x" for name, field in fields if field.is_required()}
