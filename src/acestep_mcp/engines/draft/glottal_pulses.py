"""The sound of one glottal pulse in a vowel: what a voice repeats at its pitch.

The pulse is the derivative of the glottal flow as a spectrum: a resonance that runs backwards in time, and a slope
(Doval, d'Alessandro and Henrich, "The spectrum of glottal flow models", Acta Acustica 92, 2006). The vowel is a chain of
resonances. Both are multiplied, so that nothing lies above 12 kHz, and transformed at four times the sample rate, so that pulses
begin between samples as well.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.engines.draft.noises import white_noise
from acestep_mcp.engines.draft.score import SUNG_RATE, Singer
from acestep_mcp.engines.draft.vowel_formants import BANDWIDTHS, FORMANTS, NASALS, UPPER

Floats = NDArray[np.float32]

PHASES = 4
BEFORE = {"man": 192, "woman": 112}
"""Samples of a pulse before its main moment."""
_LENGTH = {"man": 688, "woman": 512}
_SIZE = 1024
_TOP = 11_000.0
_BINS = 513  # up to 12 kHz
_FREQUENCIES = np.arange(_BINS) * SUNG_RATE / _SIZE
_S = (2j * np.pi * _FREQUENCIES).astype(np.complex64)
_OPEN_SHARE, _ASYMMETRY = 0.6, 0.7
_SLOPES = (1200.0, 2200.0, 3600.0)
"""Above this frequency in Hz the source falls by 12 instead of 6 dB an octave, by effort."""
_NOISE = {"man": 0.045, "woman": 0.07}
_BREATHS = ((0, 1.0), (19, -1.0), (41, 1.0), (64, -1.0))
"""The delays in samples and the signs of the breath in the rows of a table."""
_QUIET = {"i": 0.85, "u": 0.85, "y": 0.85, "U": 0.9, "I": 0.9}
_FADE = 64


class Pulse(NamedTuple):
    """A pulse in a vowel: `mix`, 0 to 1, is how far the sound `first` has become `second`.

    `pitch` is MIDI's; `effort` 0 to 2 is how brightly it is sung.
    """

    singer: Singer
    first: str
    second: str
    mix: float
    pitch: int
    effort: int


@lru_cache(maxsize=512)
def pulse_table(pulse: Pulse) -> Floats:
    """The pulse as [PHASES, samples] at 24 kHz, each row a quarter of a sample later and with a breath of its own.

    Repeated at its pitch its power is 1.
    """
    f0 = 440.0 * 2 ** ((pulse.pitch - 69) / 12)
    tract = _tract(pulse, f0)
    spectrum = np.zeros(PHASES * _SIZE // 2 + 1, np.complex64)
    spectrum[:_BINS] = tract * _source(f0, pulse.effort, BEFORE[pulse.singer])
    powers = np.square(np.abs(spectrum[:_BINS]))
    gain = _loudness(pulse) / _strength(powers, f0)
    voiced = np.fft.irfft(spectrum).reshape(_SIZE, PHASES)
    breath = tract * _breath(BEFORE[pulse.singer])
    share = gain * _NOISE[pulse.singer] * float(np.sqrt(powers.sum() / np.square(np.abs(breath)).sum()))
    noise = np.fft.irfft(breath, _SIZE)
    noise *= np.float32(share)
    length = _LENGTH[pulse.singer]
    table = np.zeros((PHASES, length), np.float32)
    voiced *= np.float32(PHASES * gain)
    table[0] = voiced[:length, 0]
    for row in range(1, PHASES):
        # A delay by a quarter of a sample is what lies three quarters after the sample before.
        table[row, 1:] = voiced[: length - 1, PHASES - row]
    for row, (shift, sign) in enumerate(_BREATHS):
        table[row, shift:] += sign * noise[: length - shift]
    table[:, :_FADE] *= _ramp()
    table[:, -_FADE:] *= _ramp()[::-1]
    return table


def formants(pulse: Pulse, f0: float) -> tuple[float, float, float]:
    """The first three formants of a pulse in Hz. A singer opens the mouth so that the first is not below the pitch."""
    known = FORMANTS[pulse.singer]
    first, second = known[pulse.first], known[pulse.second]
    found = [one ** (1 - pulse.mix) * other**pulse.mix for one, other in zip(first, second, strict=True)]
    found[0] = max(found[0], 1.04 * f0)
    found[1] = max(found[1], found[0] + 200)
    return found[0], found[1], max(found[2], found[1] + 300)


def _tract(pulse: Pulse, f0: float) -> NDArray[np.complex64]:
    """The response of the mouth and throat, 1 at 0 Hz."""
    result = _upper(pulse.singer).copy()
    for formant, bandwidth in zip(formants(pulse, f0), BANDWIDTHS[pulse.singer], strict=False):
        result *= _resonance(formant, bandwidth)
    closed = (pulse.first in NASALS) * (1 - pulse.mix) + (pulse.second in NASALS) * pulse.mix
    return result * (1 - closed + closed * _muffled()) if closed else result


@lru_cache(maxsize=512)
def _resonance(formant: float, bandwidth: float) -> NDArray[np.complex64]:
    half = np.pi * bandwidth
    square = (2 * np.pi * formant) ** 2 + half**2
    return np.asarray(square / (_S * _S + 2 * half * _S + square), np.complex64)


@cache
def _upper(singer: Singer) -> NDArray[np.complex64]:
    result = np.ones(_BINS, np.complex64)
    for number, formant in enumerate(UPPER[singer]):
        known = BANDWIDTHS[singer][3:]
        result *= _resonance(formant, known[number] if number < len(known) else 0.06 * formant)
    top = np.clip((12_000 - _FREQUENCIES) / 1500, 0, 1)
    return np.asarray(result * np.sin(np.pi / 2 * top) ** 2, np.complex64)


@cache
def _muffled() -> Floats:
    return np.asarray(1 / (1 + np.square(_FREQUENCIES / 900)), np.float32)


@lru_cache(maxsize=64)
def _source(f0: float, effort: int, later: int) -> NDArray[np.complex64]:
    """The spectrum of the glottal flow's derivative at a fundamental in Hz."""
    centre = 2 * np.pi * f0 / (2 * _OPEN_SHARE)
    growth = np.pi * f0 / (_OPEN_SHARE * -np.tan(np.pi * _ASYMMETRY))
    square = centre**2 + growth**2
    glottal = _S / (_S * _S - 2 * growth * _S + square)
    return np.asarray(glottal * _later(later) * centre / (1 + _S / (2 * np.pi * _SLOPES[effort])), np.complex64)


@cache
def _breath(later: int) -> NDArray[np.complex64]:
    """A short noise at the moment of the pulse, without its low frequencies."""
    burst = np.zeros(_SIZE, np.float32)
    burst[:128] = white_noise(128, 11) * np.hanning(128)
    high = _FREQUENCIES / (_FREQUENCIES + 1500)
    return np.asarray(np.fft.rfft(np.roll(burst, -64))[:_BINS] * high * _later(later), np.complex64)


@cache
def _later(samples: int) -> NDArray[np.complex64]:
    """A delay."""
    return np.asarray(np.exp(-_S * (samples / SUNG_RATE)), np.complex64)


def _strength(powers: Floats, f0: float) -> float:
    """The root of the power of pulses at the fundamental, treble counted as in loudness."""
    steps = f0 * np.arange(1, int(_TOP / f0)) / _FREQUENCIES[1]
    heard = np.interp(steps, np.arange(_BINS), powers * _weight()).sum()
    return float(f0 / SUNG_RATE * np.sqrt(2 * heard))


@cache
def _weight() -> Floats:
    squares = np.square(_FREQUENCIES)
    return np.asarray(squares / (squares + 40**2) * (1 + 1.5 * squares / (squares + 1500**2)), np.float32)


def _loudness(pulse: Pulse) -> float:
    first, second = _QUIET.get(pulse.first, 1.0), _QUIET.get(pulse.second, 1.0)
    return first + (second - first) * pulse.mix


@cache
def _ramp() -> Floats:
    return np.asarray(np.sin(np.linspace(0, np.pi / 2, _FADE)) ** 2, np.float32)
