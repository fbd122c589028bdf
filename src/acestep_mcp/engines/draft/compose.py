"""From tags, lyrics, length and seed to a score."""

from __future__ import annotations

import random

from acestep_mcp.engines.draft.score import Note, Part, Score, Stretch


def compose(tags: str, lyrics: str, seconds: float, seed: int) -> Score:
    """The whole song. Same arguments: the same score, in every process."""
    rng = random.Random(f"{seed}/{tags}/{lyrics}")  # noqa: S311
    beat = 60 / rng.randint(80, 130)
    notes = []
    for number in range(int((seconds - 0.5) / beat)):
        pitch = 60 + rng.choice((0, 2, 4, 7, 9))
        notes.append(Note(number * beat, number * beat + 0.9 * beat, pitch, 80))
    part = Part("piano", 0, tuple(notes))
    plan = {"tempo": 60 / beat, "seed": seed}
    return Score((part,), seconds, (Stretch("song", "verse", 0.0, seconds),), plan)
