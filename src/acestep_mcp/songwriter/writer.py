"""A prompt becomes tags and lyrics, by rules or by a chat endpoint that is handed in; for every engine."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import anyio.to_thread

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.api.requests import INSTRUMENTAL, is_instrumental
from acestep_mcp.songwriter import llm
from acestep_mcp.songwriter import style_tags as style
from acestep_mcp.songwriter.brief import Wish, read
from acestep_mcp.songwriter.lyrics import lyrics
from acestep_mcp.songwriter.structure import Pace, pace, sung_lines

Ask = Callable[[list[dict[str, str]], int], Awaitable[str]]
"""Gives a chat endpoint messages and a seed; returns the text of its answer. Raises one of our errors."""


@dataclass(frozen=True, slots=True)
class Words:
    """What was written for a prompt. `writer` says by whom; `notes` what the user should know of it."""

    tags: str
    lyrics: str
    writer: str
    notes: tuple[str, ...] = ()


def write(prompt: str, *, instrumental: bool, duration: float, seed: int) -> Words:
    """About ten tags, and lyrics with section marks that fit `duration` seconds, or `[inst]`.

    The same arguments give the same words in every process. What the prompt names (tempo, key, instruments, voice,
    what must not be there, quoted lines, whole lyrics after `lyrics:`) is kept.
    """
    wish, chance = _read(prompt, instrumental=instrumental), Random(f"{seed} {prompt}")
    genres = style.genres_for(wish, chance)
    bpm = style.tempo(wish, genres[0], chance)
    named = style.tags(wish, genres, bpm, chance)
    if wish.instrumental:
        return Words(named, INSTRUMENTAL, "rules", _notes(wish))
    rapped = any(genre.rapped for genre in genres) or "rap" in wish.found.of("voice")
    tempo = pace(bpm, rapped=rapped)
    text = lyrics(wish, style.tone(wish), tempo, duration, chance)
    return Words(named, text, "rules", (*_notes(wish), *_fit(text, tempo, duration)))


async def write_asking(ask: Ask, model: str, prompt: str, *, instrumental: bool, duration: float, seed: int) -> Words:
    """Words by the language model `model`; by the rules, with a note that says why, when it gives none that can be used.

    What the prompt gives (whole lyrics, lines in quotation marks, tempo, key) is kept by either.
    """
    wish = await anyio.to_thread.run_sync(partial(_read, prompt, instrumental=instrumental), abandon_on_cancel=True)
    try:
        answer = await ask(llm.messages(prompt, wish, duration), seed)
        named, text, notes = llm.understood(answer, wish, duration)
    except AceStepError as exc:
        work = partial(write, prompt, instrumental=instrumental, duration=duration, seed=seed)
        ruled = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        return replace(ruled, notes=(_instead(exc, model), *ruled.notes))
    return Words(named, text, model, notes)


def _instead(exc: AceStepError, model: str) -> str:
    return f"The rules wrote the words, not the language model {model}. {exc.message}"


def _read(prompt: str, *, instrumental: bool) -> Wish:
    """The prompt, understood; when it or the caller wants no singing, that is certain and not only presumed."""
    wish = read(prompt)
    if instrumental or (wish.given and is_instrumental(re.sub(r"\s", "", wish.given))):
        return replace(wish, instrumental=True, presumed=wish.presumed and not instrumental)
    return wish


def _notes(wish: Wish) -> tuple[str, ...]:
    notes = []
    if wish.presumed:
        notes.append("No vocals: this style usually has none. Say 'sung' or name a voice to have them.")
    if wish.tongue.unwritten and not wish.instrumental and not wish.given:
        notes.append(
            f"The rules cannot write {wish.tongue.unwritten} lyrics, so these are English. "
            "Write them yourself and pass them to text_to_audio."
        )
    if wish.likeness:
        notes.append(f"{wish.likeness!r} was left out of the tags: name the style, not the artist.")
    return tuple(notes)


def _fit(text: str, tempo: Pace, duration: float) -> tuple[str, ...]:
    """A warning when the user's own lyrics are much too long for the song; ours never are."""
    count, (_, most) = len(sung_lines(text)), tempo.lines(duration)
    if count <= most + 4:
        return ()
    return (f"{count} lines are many for {duration:g} s: about {most} fit. Ask for a longer song or fewer lines.",)
