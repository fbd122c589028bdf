"""The picture of a track: what its sidecar says of sections and edits, drawn over its sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from acestep_mcp.library.models import Track
from acestep_mcp.studio.identity import usable_sections

if TYPE_CHECKING:
    from acestep_mcp.audio.picture import Mark


ALL_COLUMNS = 3000
"""Of all pictures together: each has 312 rows, and 3000 columns of noise take at most 165 KB."""
OpenFile = Callable[[Track], BinaryIO]
"""Opens the audio of a track. Raises NotFound."""


def picture_of(track: Track, open_file: OpenFile, *, width: int = 1000) -> bytes:
    """A PNG of under 150 KB. Raises InvalidRequest when the song's file cannot be read."""
    from acestep_mcp.audio.picture import draw
    from acestep_mcp.audio.read import read

    with open_file(track) as file:
        sound = read(file)
    return draw(sound, _marks(track), edited_spans(track.sidecar.get("edit"), sound.seconds), width=width)


def picture_of_all(tracks: Sequence[Track], open_file: OpenFile) -> bytes:
    """One PNG of under 200 KB with a picture of each track, in their order from the top."""
    from acestep_mcp.audio.picture import pixels_of, stacked
    from acestep_mcp.audio.read import read

    pictures = []
    for track in tracks:
        with open_file(track) as file:
            sound = read(file)
        spans = edited_spans(track.sidecar.get("edit"), sound.seconds)
        pictures.append(pixels_of(sound, _marks(track), spans, width=min(1000, ALL_COLUMNS // len(tracks))))
    return stacked(pictures)


def _marks(track: Track) -> list[Mark]:
    from acestep_mcp.audio.picture import Mark

    sections = usable_sections(track.sidecar.get("sections"))
    return [Mark(str(row["name"]), float(row["start"]), float(row["end"])) for row in sections]


def edited_spans(edit: Any, seconds: float) -> list[tuple[float, float]]:
    """The stretches of a song of `seconds` that its last edit made: the window of an inpaint, or what an outpaint added."""
    if not isinstance(edit, Mapping):
        return []
    at = {name: float(value) for name, value in edit.items() if isinstance(value, int | float)}
    if "start" in at and "end" in at:
        return [(at["start"], at["end"])]
    before, after = at.get("before", 0.0), at.get("after", 0.0)
    return [span for span in ((0.0, before), (seconds - after, seconds)) if span[1] > span[0]]
