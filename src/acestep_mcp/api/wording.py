"""What a caller can do next, as messages name it: tools for a model, commands for a person at a terminal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """Each is a clause such as `call list_tracks`; `restore` takes a track's id."""

    list_tracks: str
    list_jobs: str
    restore: str
    page: str
    """Where a cursor comes from."""


TOOLS = Wording(
    list_tracks="call list_tracks",
    list_jobs="call get_job without an id",
    restore='call delete_track with track_id="{}", restore=true',
    page="list_tracks",
)
COMMANDS = Wording(
    list_tracks="run `acestep-mcp tracks list`",
    list_jobs="run `acestep-mcp jobs list`",
    restore="run `acestep-mcp tracks restore {}`",
    page="`acestep-mcp tracks list`",
)
