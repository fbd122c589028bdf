"""What can be heard in a song, as facts for those who cannot hear it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from acestep_mcp.audio import Sound
from acestep_mcp.audio.levels import Silence, brightness, find_silence, loudness_range, stereo_width, true_peak
from acestep_mcp.audio.measure import Measurement, hop_powers, measured
from acestep_mcp.audio.rhythm import Rhythm, hear_rhythm
from acestep_mcp.audio.spectrum import mono
from acestep_mcp.audio.splice import to_float
from acestep_mcp.audio.tonality import HeardKey, hear_key


@dataclass(frozen=True, slots=True)
class Hearing:
    """The facts of one song.

    `levels` are those of `measure.measure`, `loudness_range` in LU, `true_peak` in dBTP (-inf for silence), `brightness` the spectral centroid in Hz,
    `width` the level of the sides over the middle; each of the last two with its word.
    """

    levels: Measurement
    loudness_range: float
    true_peak: float
    silence: Silence
    brightness: tuple[float, str]
    width: tuple[float, str]
    rhythm: Rhythm
    key: HeardKey

    def facts(self) -> dict[str, Any]:
        """For JSON: rounded, without infinities, and without a tempo or key where there is none to hear."""
        rhythm = self.rhythm
        return {
            "loudness_range": round(self.loudness_range, 1),
            "true_peak_dbtp": round(self.true_peak, 2) if math.isfinite(self.true_peak) else None,
            "silence_at_start": self.silence.start,
            "silence_at_end": self.silence.end,
            "gaps": [list(gap) for gap in self.silence.gaps],
            "brightness": self.brightness[1],
            "brightness_hz": self.brightness[0],
            "stereo": self.width[1],
            "stereo_width": self.width[0],
            "tempo": rhythm.tempo,
            "tempo_alternative": rhythm.alternative,
            "tempo_confidence": rhythm.tempo_confidence,
            "metre": rhythm.metre,
            "metre_confidence": rhythm.metre_confidence,
            "downbeat": rhythm.downbeat,
            "downbeat_confidence": rhythm.downbeat_confidence,
            "key": self.key.name,
            "key_alternative": self.key.alternative,
            "key_confidence": self.key.confidence,
        }


def hear(sound: Sound) -> Hearing:
    """Listen to a whole song; tempo and key come from its middle three minutes. About 0.15 s of processor time a minute."""
    samples, rate = to_float(sound), sound.sample_rate
    one, begin = mono(sound)
    rhythm = hear_rhythm(one)
    powers = hop_powers(samples, rate)
    return Hearing(
        measured(sound, samples, powers),
        loudness_range(powers),
        true_peak(samples),
        find_silence(samples, rate),
        brightness(samples, rate),
        stereo_width(samples),
        rhythm.shifted(begin),
        hear_key(one),
    )
