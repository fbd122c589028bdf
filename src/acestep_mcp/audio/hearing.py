"""What can be heard in a song, as facts for those who cannot hear it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from acestep_mcp.audio import Sound
from acestep_mcp.audio.levels import (
    Silence,
    brightness,
    channel_facts,
    find_silence,
    loudness_range,
    offset,
    stereo_width,
    true_peak,
)
from acestep_mcp.audio.measure import Measurement, hop_powers, measured
from acestep_mcp.audio.rhythm import Rhythm, hear_rhythm
from acestep_mcp.audio.spectrum import mono
from acestep_mcp.audio.splice import to_float
from acestep_mcp.audio.tonality import HeardKey, hear_key


@dataclass(frozen=True, slots=True)
class Hearing:
    """The facts of one song.

    `levels` are those of `measure.measure`, `loudness_range` in LU, `true_peak` in dBTP (-inf for silence), `brightness` the
    spectral centroid in Hz, `width` the level of the sides over the middle; each of the last two with its word. `balance`:
    how much louder the right channel is, in dB; `correlation` of the two, -1 to 1; `offset`: the mean of the samples.
    """

    levels: Measurement
    loudness_range: float
    true_peak: float
    silence: Silence
    brightness: tuple[float, str]
    width: tuple[float, str]
    balance: float
    correlation: float
    offset: float
    rhythm: Rhythm
    key: HeardKey

    def facts(self) -> dict[str, Any]:
        """For JSON: rounded, without infinities, and without a tempo or key where there is none to hear."""
        rhythm, key = self.rhythm, self.key
        has_pulse, has_key = rhythm.tempo_confidence > 0, key.confidence > 0
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
            "balance_db": self.balance,
            "correlation": self.correlation,
            "dc_offset": self.offset,
            "tempo": rhythm.tempo if has_pulse else None,
            "tempo_alternative": rhythm.alternative if has_pulse else None,
            "tempo_confidence": rhythm.tempo_confidence,
            "metre": rhythm.metre if rhythm.metre_confidence > 0 else None,
            "metre_confidence": rhythm.metre_confidence,
            "downbeat": rhythm.downbeat if rhythm.downbeat_confidence > 0 else None,
            "downbeat_confidence": rhythm.downbeat_confidence,
            "key": key.name if has_key else None,
            "key_alternative": key.alternative if has_key else None,
            "key_confidence": key.confidence,
        }


def hear(sound: Sound) -> Hearing:
    """Listen to a whole song; tempo and key come from its middle three minutes. About 0.15 s of processor time a minute."""
    samples, rate = to_float(sound), sound.sample_rate
    silence = find_silence(samples, rate)
    one, begin = mono(sound)
    if silence.start >= round(sound.seconds, 2):
        one = one[:0]
    rhythm = hear_rhythm(one)
    powers = hop_powers(samples, rate)
    return Hearing(
        measured(sound, samples, powers),
        loudness_range(powers),
        true_peak(samples),
        silence,
        brightness(samples, rate),
        stereo_width(samples),
        *channel_facts(samples),
        offset(samples),
        rhythm.shifted(begin),
        hear_key(one),
    )
