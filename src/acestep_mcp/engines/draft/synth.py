"""A small General MIDI synthesiser in NumPy, for machines where the SoundFont renderer has no build.

Each instrument family is a sum of sine partials under an envelope; drums are noise and falling sines. Rendered notes
are cached by program, pitch and length.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.engines.draft.mix import program_loudness
from acestep_mcp.engines.draft.score import Note, Part

_LEVEL = 0.05
_USUAL_LOUDNESS = -31.0  # volumes are set for the SoundFont's instruments; these are scaled to match their loudness
_STEP = 0.02  # lengths in seconds are rounded up to a multiple of this, for the cache
_DELAYS = ((0.031, 0.22), (0.067, 0.16), (0.109, 0.11), (0.173, 0.07))  # echoes for the reverb: seconds and gain


@dataclass(frozen=True, slots=True)
class InstrumentFamily:
    """`partials` are the amplitudes of the harmonics; times are in seconds; `sustain` 0 decays to silence.

    `decay` is the time constant of the exponential decay, `detune` the relative frequency offset of a second voice,
    `vibrato` is in semitones.
    """

    partials: tuple[float, ...]
    attack: float = 0.005
    decay: float = 0.6
    sustain: float = 0.0
    release: float = 0.12
    detune: float = 0.0
    vibrato: float = 0.0


_SAW = tuple(1 / n for n in range(1, 13))
_SQUARE = tuple(1 / n if n % 2 else 0.0 for n in range(1, 14))
_KEYS = InstrumentFamily((1, 0.5, 0.28, 0.16, 0.08, 0.05), decay=0.9, release=0.2)
_INSTRUMENT_FAMILIES: tuple[tuple[range, InstrumentFamily], ...] = (
    (range(8), _KEYS),
    (range(8, 16), InstrumentFamily((1, 0.0, 0.1, 0.35, 0.0, 0.0, 0.12), attack=0.002, decay=0.5, release=0.4)),
    (range(16, 24), InstrumentFamily((1, 0.7, 0.5, 0.35, 0.0, 0.25), attack=0.012, sustain=0.9, release=0.06)),
    (range(24, 29), InstrumentFamily((1, 0.6, 0.4, 0.25, 0.15, 0.1), attack=0.003, decay=0.45)),
    (range(29, 32), InstrumentFamily(_SAW, attack=0.004, decay=2.0, sustain=0.8, detune=0.003, release=0.05)),
    (range(32, 40), InstrumentFamily((1, 0.6, 0.25, 0.1), attack=0.005, decay=0.7, sustain=0.35, release=0.06)),
    (
        range(40, 45),
        InstrumentFamily((1, 0.6, 0.45, 0.3, 0.2, 0.12), attack=0.06, sustain=0.85, vibrato=0.12, release=0.12),
    ),
    (range(45, 48), InstrumentFamily((1, 0.4, 0.15), attack=0.003, decay=0.3)),
    (range(48, 52), InstrumentFamily((1, 0.5, 0.35, 0.22, 0.15), attack=0.12, sustain=0.9, detune=0.004, release=0.3)),
    (
        range(52, 56),
        InstrumentFamily((1, 0.45, 0.12, 0.18, 0.05), attack=0.06, sustain=0.9, vibrato=0.18, release=0.15),
    ),
    (
        range(56, 64),
        InstrumentFamily((1, 0.8, 0.6, 0.45, 0.3, 0.2), attack=0.03, sustain=0.85, vibrato=0.06, release=0.08),
    ),
    (
        range(64, 72),
        InstrumentFamily((1, 0.35, 0.5, 0.2, 0.25, 0.1), attack=0.03, sustain=0.9, vibrato=0.1, release=0.08),
    ),
    (range(72, 80), InstrumentFamily((1, 0.25, 0.08), attack=0.05, sustain=0.9, vibrato=0.12, release=0.1)),
    (range(80, 81), InstrumentFamily(_SQUARE, attack=0.003, sustain=0.8, release=0.05)),
    (range(81, 88), InstrumentFamily(_SAW, attack=0.004, sustain=0.8, detune=0.005, release=0.08)),
    (range(88, 104), InstrumentFamily((1, 0.5, 0.3, 0.2), attack=0.2, sustain=0.9, detune=0.006, release=0.5)),
    (range(104, 128), InstrumentFamily((1, 0.7, 0.4, 0.5, 0.2), attack=0.002, decay=0.4)),
)


def synthesise(parts: Sequence[Part], seconds: float, rate: int) -> NDArray[np.float32]:
    """The parts as float32 [frames, 2] lasting `seconds`."""
    out = np.zeros((round(seconds * rate), 2), np.float32)
    for part in parts:
        dry = _mono(part, len(out), rate)
        wet = dry + (part.reverb / 127) * _echoes(dry, rate)
        angle = part.pan / 127 * np.pi / 2
        gain = (part.volume / 127) ** 2 * 10 ** (
            (program_loudness(part.program, drums=part.drums) - _USUAL_LOUDNESS) / 20
        )
        for channel, share in enumerate((np.cos(angle), np.sin(angle))):
            out[:, channel] += (wet * np.float64(gain * share * 1.4)).astype(np.float32)
    return out


def _mono(part: Part, frames: int, rate: int) -> NDArray[np.float32]:
    mono = np.zeros(frames, np.float32)
    for note in part.notes:
        sound = drum(note.pitch, rate) if part.drums else tone(part.program, note.pitch, _steps(note), rate)
        start = round(note.start * rate)
        target = mono[start : start + len(sound)]
        target += np.float32(_LEVEL * (note.velocity / 100) ** 2) * sound[: len(target)]
    return mono


def _steps(note: Note) -> int:
    return max(1, -(-int((note.end - note.start) * 1000) // int(_STEP * 1000)))


def _echoes(dry: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    wet = np.zeros_like(dry)
    for seconds, share in _DELAYS:
        shift = round(seconds * rate)
        wet[shift:] += np.float32(share) * dry[:-shift]
    return wet


@lru_cache(maxsize=256)
def tone(program: int, pitch: int, steps: int, rate: int) -> NDArray[np.float32]:
    """A note of `steps` times 0.02 s plus its release, normalised to the power of one full-scale partial."""
    family = next(family for programs, family in _INSTRUMENT_FAMILIES if program in programs)
    held = steps * _STEP
    time = np.arange(round((held + family.release) * rate), dtype=np.float32) / np.float32(rate)
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    phase = 2 * np.pi * frequency * time
    if family.vibrato:
        depth = family.vibrato / 12 * np.log(2) * frequency / 5.5
        phase += depth * np.minimum(time * 2, 1) * np.sin(2 * np.pi * 5.5 * time)
    wave = _partials(family, phase, frequency, rate)
    if family.detune:
        wave = 0.6 * (wave + _partials(family, phase * (1 + family.detune), frequency, rate))
    strength = sum(partial * partial for partial in family.partials) ** 0.5
    return np.asarray(wave * _envelope(family, time, held, frequency) / strength, np.float32)


def _partials(family: InstrumentFamily, phase: NDArray[np.float32], frequency: float, rate: int) -> NDArray[np.float32]:
    wave = np.zeros_like(phase)
    for number, strength in enumerate(family.partials, start=1):
        if strength and number * frequency < 0.45 * rate:
            wave += np.float32(strength) * np.sin(number * phase, dtype=np.float32)
    return wave


def _envelope(
    family: InstrumentFamily, time: NDArray[np.float32], held: float, frequency: float
) -> NDArray[np.float32]:
    rise = np.minimum(time / family.attack, 1)
    # High notes of strings and bars decay faster than low ones.
    decay = family.decay * min(2.0, (262 / frequency) ** 0.5)
    fall = family.sustain + (1 - family.sustain) * np.exp(-time / decay)
    end = np.clip(1 - (time - held) / family.release, 0, 1)
    return np.asarray(rise * fall * end * end, np.float32)


@lru_cache(maxsize=64)
def drum(pitch: int, rate: int) -> NDArray[np.float32]:
    """One second of a General MIDI drum."""
    noise = np.random.default_rng(zlib.crc32(f"drum {pitch}".encode())).standard_normal(rate, dtype=np.float32)
    time = np.arange(rate, dtype=np.float32) / np.float32(rate)
    match pitch:
        case 35 | 36:
            made = 3.0 * _falling(time, 120, 46, 0.09) + 0.2 * noise * np.exp(-time / 0.004)
        case 37 | 75 | 76 | 77:
            made = 1.2 * np.sin(2 * np.pi * (800 + 40 * (pitch - 37)) * time) * np.exp(-time / 0.02)
        case 38 | 39 | 40:
            made = 0.9 * noise * np.exp(-time / 0.09) + 1.2 * _falling(time, 240, 180, 0.06)
        case 41 | 43 | 45 | 47 | 48 | 50 | 60 | 61 | 62 | 63 | 64 | 65:
            base = 60 + 6 * (pitch - 36)
            made = 2.0 * _falling(time, 1.5 * base, base, 0.16)
        case 46 | 49 | 57 | 51 | 53 | 81:
            made = 0.5 * _bright(noise) * np.exp(-time / (0.25 if pitch != 49 else 0.5))
        case _:
            made = 0.6 * _bright(noise) * np.exp(-time / 0.035)
    end = np.clip((1 - time) * 10, 0, 1)
    return np.asarray(made * end, np.float32)


def _falling(time: NDArray[np.float32], high: float, low: float, decay: float) -> NDArray[np.float32]:
    """A decaying sine that falls from `high` to `low` Hz."""
    phase = 2 * np.pi * (low * time + (high - low) * 0.03 * (1 - np.exp(-time / 0.03)))
    return np.asarray(np.sin(phase) * np.exp(-time / decay), np.float32)


def _bright(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """High-passed noise: its second difference."""
    return np.asarray(np.diff(noise, n=2, prepend=np.zeros(2, np.float32)) / 2.4, np.float32)
