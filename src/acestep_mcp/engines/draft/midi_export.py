"""The composition of a draft as a MIDI file: composed again from its file's plan, which proves that it is the same."""

from __future__ import annotations

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.hyphenation import syllable_texts
from acestep_mcp.engines.draft.line_language import language_of
from acestep_mcp.engines.draft.midi_song import song_bytes
from acestep_mcp.engines.draft.score import VERSION
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.source_plan import plan_in_comment


def midi_of(comment: str, lyrics: str) -> bytes:
    """The MIDI file of the draft whose file has this comment. Raises InvalidRequest where it cannot be composed again."""
    plan = plan_in_comment(comment)
    grid = Grid.from_plan(plan.get("frame"))
    if grid is None:
        raise InvalidRequest(
            "There is no MIDI of this song: only the draft engine composes. Choose wav, flac, mp3 or ogg."
        )
    seed, tags, made_by = plan.get("seed"), plan.get("tags"), plan.get("made_by")
    if not made_by or not isinstance(seed, int) or not isinstance(tags, str):
        raise InvalidRequest(
            "There is no MIDI of an edited draft, which is put together as sound. Export its source as mid (get_track "
            "shows the descent), or this song as wav, flac, mp3 or ogg."
        )
    score = compose(ComposeRequest(tags, lyrics, grid.seconds, Seeds(seed)))
    composed = Grid.from_plan(score.plan.get("frame"))
    if str(made_by[0]) != VERSION or composed != grid or score.plan["sections"] != plan.get("sections"):
        raise InvalidRequest(
            "This draft was composed by another version of the draft engine, or its lyrics were changed: the same notes "
            "cannot be composed again. Choose wav, flac, mp3 or ogg."
        )
    lines = [line for section in score.form for line in section.lines]
    language = language_of(lines)
    return song_bytes(score, grid, [text for line in lines for text in syllable_texts(line, language)])
