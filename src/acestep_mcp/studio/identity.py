"""What a song is called and what is sung in it. An edit keeps its source's identity: only its own span changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio
from acestep_mcp.library.models import Job
from acestep_mcp.readers.no_vocals import is_instrumental
from acestep_mcp.studio.edited_lyrics import EditedLyrics, extended, replaced

_Sections = tuple[dict[str, Any], ...]
_SHORTEST = 0.5
"""Seconds; what is left of a section at a seam is none."""
_NO_WORDS = "No lyrics were given: nobody sings in the new part"
_NO_WORDS_AT_ALL = "No lyrics were given: nobody sings in the new version. To keep the words, give the original lyrics."
_ESTIMATED = "The times of the song's sections are unknown: where the new words stand in its lyrics is estimated."


@dataclass(frozen=True, slots=True)
class Identity:
    """The whole song's title, tags, lyrics and sections (`name`, and `start` and `end` in seconds).

    `sections_marked`: a caller gave the sections, with `mark_sections`; edits keep these instead of their host's.
    `edit` is what an inpaint or outpaint asked for: its span, its own `tags` and `lyrics`.
    """

    title: str = ""
    tags: str = ""
    lyrics: str = ""
    sections: _Sections = ()
    edit: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    sections_marked: bool = False


def edited(job: Job, made: Identity, source: Identity) -> Identity:
    """The identity of an edited song. `made` is what its host answered, `source` is empty in what is not known."""
    request = job.request
    if isinstance(request, AudioToAudio):
        sung = not is_instrumental(request.original_lyrics) or not is_instrumental(source.lyrics)
        notes = (_NO_WORDS_AT_ALL,) if sung and is_instrumental(request.lyrics) else ()
        title = source.title if request.edit_mode == "lyrics" else ""  # a remix is a song of its own
        # A remix may have another form.
        keeps = bool(source.sections) and (
            not made.sections or (source.sections_marked and request.edit_mode == "lyrics")
        )
        sections = source.sections if keeps else made.sections
        is_marked = keeps and source.sections_marked
        return replace(made, title=title or made.title, sections=sections, notes=notes, sections_marked=is_marked)
    if not isinstance(request, AudioInpaint | AudioOutpaint):
        return made
    lyrics, sections = _after_edit(job, source, request.lyrics)
    if source.sections_marked:
        sections = _with_new_parts(job, sections, made.sections)
    return Identity(
        source.title or made.title,
        source.tags or made.tags,
        lyrics.text if source.lyrics else made.lyrics,
        sections if source.sections_marked else _with_known_names(made.sections, sections) or sections,
        {**(made.edit or {}), "tags": request.tags, "lyrics": request.lyrics},
        _notes(request.lyrics, source.lyrics, lyrics),
        source.sections_marked,
    )


def _with_known_names(made: _Sections, source: _Sections) -> _Sections:
    """What a host made again in place of a section keeps its name: `chorus 2` stays that where an engine says `chorus`."""
    known = {(row["start"], row["end"]): row["name"] for row in source}
    renamed = []
    for row in made:
        name = str(known.get((row["start"], row["end"])) or row["name"])
        renamed.append(row | {"name": name} if name.startswith(row["name"]) else row)
    return tuple(renamed)


def _with_new_parts(job: Job, marked: _Sections, made: _Sections) -> _Sections:
    """The marked sections of an outpaint, between what its host reports of the music before and after them."""
    if not isinstance(job.request, AudioOutpaint) or not made:
        return marked
    span = job.options.edit or {}
    first = float(span.get("before", 0))
    last = job.options.seconds - float(span.get("after", 0))
    before = [row | {"end": min(row["end"], first)} for row in made if row["start"] < first]
    after = [row | {"start": max(row["start"], last)} for row in made if row["end"] > last]
    rows = [*before, *marked, *after]
    return tuple(row for row in rows if row["end"] - row["start"] > _SHORTEST)


def usable_sections(value: Any) -> _Sections:
    """The sections of a host or sidecar, without those that are no span of time with a name."""
    if not isinstance(value, Sequence):
        return ()
    return tuple(
        {"name": str(row["name"]), "start": float(row["start"]), "end": float(row["end"])}
        for row in value
        if isinstance(row, Mapping) and isinstance(row.get("name"), str) and _is_span(row.get("start"), row.get("end"))
    )


def _is_span(start: Any, end: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (start, end))
    return numbers and math.isfinite(start) and math.isfinite(end) and 0 <= start < end


def _after_edit(job: Job, source: Identity, new: str) -> tuple[EditedLyrics, _Sections]:
    """The whole lyrics after an inpaint or outpaint, and the source's sections where they are now."""
    span, seconds = job.options.edit or {}, job.options.seconds
    if isinstance(job.request, AudioInpaint):
        window = (float(span.get("start", 0)), float(span.get("end", seconds)))
        return replaced(source.lyrics, new, window, source.sections, seconds), source.sections
    before = float(span.get("before", 0))
    moved = tuple(
        row | {"start": round(row["start"] + before, 3), "end": round(row["end"] + before, 3)}
        for row in source.sections
    )
    return extended(source.lyrics, new, before=not span.get("after")), moved


def _notes(new: str, old: str, lyrics: EditedLyrics) -> tuple[str, ...]:
    if is_instrumental(old):
        return ()
    notes = []
    if is_instrumental(new):
        gone = f", and the song's lyrics lose {lyrics.removed} of their lines" if lyrics.removed else ""
        notes.append(f"{_NO_WORDS}{gone}.")
    if lyrics.is_estimated:
        notes.append(_ESTIMATED)
    return tuple(notes)
