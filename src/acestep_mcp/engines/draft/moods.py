"""The effect of moods and tempo words on the music, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mood:
    """`name` is a row of the readers' MOODS; `tempo` multiplies, `drive` and `reverb` are added; `mode` is +1 for bright scales, -1 for dark ones."""

    name: str
    tempo: float = 1.0
    drive: float = 0.0
    mode: int = 0
    reverb: int = 0


MOODS = (
    Mood("happy", 1.05, 0.05, 1, -5),
    Mood("sad", 0.9, -0.15, -1, 15),
    Mood("dark", 0.96, 0.0, -1, 20),
    Mood("chill", 0.95, -0.1, 0, 10),
    Mood("calm", 0.92, -0.2, 0, 15),
    Mood("energetic", 1.07, 0.15),
    Mood("aggressive", 1.05, 0.2, -1, -10),
    Mood("epic", 1.0, 0.15, 0, 20),
    Mood("romantic", 0.94, -0.08, 0, 10),
    Mood("dreamy", 0.94, -0.12, 0, 30),
    Mood("uplifting", 1.03, 0.08, 1),
    Mood("mysterious", 0.96, -0.05, -1, 15),
    Mood("nostalgic", 0.97, -0.05, 0, 5),
    Mood("groovy", 1.03, 0.08),
    Mood("minimal", 0.98, -0.15),
    Mood("warm"),
)  # fmt: skip

# Factors on the tempo. If the tags hold several, the longest counts.
TEMPO_WORDS = {
    "very slow": 0.68, "slow": 0.82, "slow tempo": 0.82, "slower": 0.82, "down-tempo": 0.82, "largo": 0.62, "adagio": 0.72,
    "lento": 0.7, "andante": 0.85, "moderato": 1.0, "midtempo": 1.0, "mid-tempo": 1.0, "medium tempo": 1.0,
    "moderate tempo": 1.0,
    "upbeat": 1.12, "up-tempo": 1.15, "uptempo": 1.15, "fast": 1.2, "fast tempo": 1.2, "quick": 1.15,
    "very fast": 1.35, "frantic": 1.35, "allegro": 1.2, "vivace": 1.3, "presto": 1.4, "slowed": 0.8, "sped up": 1.25,
    "half-time": 0.9, "faster": 1.15, "double-time": 1.25, "speed": 1.2, "nightcore": 1.3,
}  # fmt: skip
