"""The effect of moods and tempo words on the music, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mood:
    """`tempo` multiplies, `drive` and `reverb` are added; `mode` is +1 for bright scales, -1 for dark ones."""

    keywords: str
    tempo: float = 1.0
    drive: float = 0.0
    mode: int = 0
    reverb: int = 0


MOODS = (
    Mood("happy|joyful|cheerful|joy|sunny|bright|playful|fun|feel-good|feel good|funny|celebratory|whimsical|cute", 1.05, 0.05, 1, -5),
    Mood("sad|melancholic|melancholy|sorrow|heartbreak|heartbroken|lonely|grief|mournful|tearful|somber|bittersweet", 0.9, -0.15, -1, 15),
    Mood("dark|ominous|sinister|evil|gothic|brooding|horror|scary|creepy|spooky|haunting|eerie", 0.96, 0.0, -1, 20),
    Mood("chill|relaxed|relaxing|laid-back|laid back|mellow|easy|cozy|smooth|lazy", 0.95, -0.1, 0, 10),
    Mood("calm|peaceful|serene|gentle|soft|quiet|tender|soothing|tranquil|delicate", 0.92, -0.2, 0, 15),
    Mood("energetic|energy|powerful|driving|pumping|explosive|intense|hype|workout|dynamic|high-energy", 1.07, 0.15),
    Mood("aggressive|angry|rage|furious|brutal|raw|violent|heavy", 1.05, 0.2, -1, -10),
    Mood("epic|heroic|triumphant|majestic|grand|anthemic|glorious|victorious", 1.0, 0.15, 0, 20),
    Mood("romantic|love|sensual|intimate|passionate|sweet|seductive|sexy", 0.94, -0.08, 0, 10),
    Mood("dreamy|ethereal|floating|hazy|atmospheric|spacey|airy|otherworldly", 0.94, -0.12, 0, 30),
    Mood("uplifting|inspiring|hopeful|inspirational|optimistic|motivational|positive|euphoric", 1.03, 0.08, 1),
    Mood("mysterious|suspense|suspenseful|tense|mystery|thriller|spy|noir", 0.96, -0.05, -1, 15),
    Mood("nostalgic|vintage|retro|wistful|yearning|longing", 0.97, -0.05, 0, 5),
    Mood("groovy|danceable|bouncy|party|summer|tropical|catchy|swinging", 1.03, 0.08),
    Mood("minimal|sparse|minimalist|simple|stripped|unplugged|lo-fi", 0.98, -0.15),
)  # fmt: skip

# Factors on the tempo. If the tags hold several, the longest counts.
TEMPO_WORDS = {
    "very slow": 0.68, "slow": 0.82, "slow tempo": 0.82, "downtempo": 0.82, "largo": 0.62, "adagio": 0.72,
    "lento": 0.7, "andante": 0.85, "moderato": 1.0, "midtempo": 1.0, "mid-tempo": 1.0, "medium tempo": 1.0,
    "upbeat": 1.12, "up-tempo": 1.15, "uptempo": 1.15, "fast": 1.2, "fast tempo": 1.2, "quick": 1.15,
    "very fast": 1.35, "frantic": 1.35, "allegro": 1.2, "vivace": 1.3, "presto": 1.4, "slowed": 0.8, "sped up": 1.25,
    "half-time": 0.9, "speed": 1.2, "nightcore": 1.3,
}  # fmt: skip
