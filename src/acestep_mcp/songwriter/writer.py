"""Writes tags and lyrics for a prompt, by rules or through a chat endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from random import Random

import anyio.to_thread

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.api.requests import INSTRUMENTAL
from acestep_mcp.readers.lyric_sheet import read_lyrics
from acestep_mcp.readers.no_vocals import is_instrumental
from acestep_mcp.songwriter import llm
from acestep_mcp.songwriter import style_tags as style
from acestep_mcp.songwriter.brief import Brief, read_brief
from acestep_mcp.songwriter.lyrics import write_lyrics
from acestep_mcp.songwriter.material import has_words_for
from acestep_mcp.songwriter.song_text import SongText
from acestep_mcp.songwriter.structure import Pace, pace, sung_lines

Ask = Callable[[list[dict[str, str]], int], Awaitable[str]]
"""Sends messages and a seed to a chat endpoint and returns the text of its answer. Raises AceStepError."""


def write_by_rules(prompt: str, *, instrumental: bool, duration: float, seed: int) -> SongText:
    """About ten tags, and lyrics with section marks that fit `duration` seconds, or `[inst]`.

    The same arguments give the same text in every process. Everything the prompt names is respected: tempo, key,
    instruments, voice, exclusions, quoted lines, complete lyrics after `lyrics:`.
    """
    brief, rng = _read_prompt(prompt, instrumental=instrumental), Random(f"{seed} {prompt}")
    genres = style.genres_for(brief, rng)
    bpm = style.tempo(brief, genres[0], rng)
    named = style.tags(brief, genres, bpm, rng)
    if brief.instrumental:
        return SongText(named, INSTRUMENTAL, "rules", _brief_notes(brief))
    rapped = any(genre.rapped for genre in genres) or "rap" in brief.terms.of("voice")
    tempo = pace(bpm, rapped=rapped)
    text = write_lyrics(brief, style.tone(brief), tempo, duration, rng)
    return SongText(named, text, "rules", (*_brief_notes(brief), *_length_notes(brief, text, tempo, duration)))


async def write_with_model(
    ask: Ask, model: str, prompt: str, *, instrumental: bool, duration: float, seed: int
) -> SongText:
    """Tags and lyrics by the language model `model`; if it fails, by rules, with a note that says why.

    Complete lyrics, quoted lines, tempo and key in the prompt are respected in both cases.
    """
    brief = await anyio.to_thread.run_sync(
        partial(_read_prompt, prompt, instrumental=instrumental), abandon_on_cancel=True
    )
    try:
        answer = await ask(llm.chat_messages(prompt, brief, duration), seed)
        named, text, notes = llm.parse_answer(answer, brief, duration)
    except AceStepError as exc:
        work = partial(write_by_rules, prompt, instrumental=instrumental, duration=duration, seed=seed)
        by_rules = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        return replace(by_rules, notes=(_fallback_note(exc, model), *by_rules.notes))
    return SongText(named, text, model, notes)


def _fallback_note(exc: AceStepError, model: str) -> str:
    return f"The built-in rules wrote the tags and lyrics, not the language model {model}. {exc.message}"


def _read_prompt(prompt: str, *, instrumental: bool) -> Brief:
    """Read the prompt. If it or the caller excludes vocals, that is certain and not only presumed."""
    brief = read_brief(prompt)
    if instrumental or (brief.given_lyrics and is_instrumental(brief.given_lyrics)):
        return replace(brief, instrumental=True, presumed_instrumental=brief.presumed_instrumental and not instrumental)
    return brief


def _brief_notes(brief: Brief) -> tuple[str, ...]:
    notes = [f"lyrics: {note}" for note in read_lyrics(brief.given_lyrics).notes]
    if brief.presumed_instrumental:
        notes.append("No vocals: this style usually has none. To get vocals, say 'sung' or name a voice.")
    if brief.language.unsupported and not brief.instrumental and not brief.given_lyrics:
        notes.append(
            f"The built-in rules cannot write {brief.language.unsupported} lyrics, so these are English. "
            "Write the lyrics yourself and pass them to text_to_audio."
        )
    if _is_lost(brief):
        notes.append(
            f"The built-in rules do not know {brief.subject.name!r} in the language of the lyrics, so no line names it. "
            "To have it named, write the lyrics yourself and pass them to text_to_audio."
        )
    for artist in brief.artists:
        described = (
            f" It is described as {artist.style}."
            if artist.style
            else " Describe the style instead of naming the artist."
        )
        notes.append(f"{artist.name!r} was left out of the tags and lyrics.{described}")
    if brief.language.second and not brief.instrumental and not brief.given_lyrics:
        notes.append(
            f"The built-in rules write in one language, so no line is in {brief.language.second}. "
            "For both, write the lyrics yourself and pass them to text_to_audio."
        )
    return tuple(notes)


def _is_lost(brief: Brief) -> bool:
    """Whether the subject has no words in the language of the lyrics, which is not that of the prompt."""
    language = brief.language
    if language.prompt == language.lyrics or brief.instrumental or brief.given_lyrics or language.unsupported:
        return False
    return bool(brief.subject.name) and not has_words_for(brief)


def _length_notes(brief: Brief, text: str, tempo: Pace, duration: float) -> tuple[str, ...]:
    """A warning if the user's own lyrics are much too long for the song."""
    if not brief.given_lyrics and not brief.quotes:
        return ()
    count, (_, most) = len(sung_lines(text)), tempo.lines(duration)
    if count <= most + 4:
        return ()
    return (f"{count} lines are too many for {duration:g} s: about {most} fit. Use a longer duration or fewer lines.",)
