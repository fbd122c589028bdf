"""Measure and adjust loudness.

Loudness is integrated LUFS by ITU-R BS.1770-4: K-weighting, blocks of 400 ms every 100 ms, an absolute gate at -70
and a relative one 10 LU under the mean of what passes it. The weighting filters are the standard's two sections,
taken as analogue prototypes so that they hold at every rate; at 48 kHz they give the standard's own coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import columns, to_float

_OFFSET = -0.691
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
_HOP, _HOPS_PER_BLOCK = 0.1, 4
# The impulse response of the weighting has decayed by more than 120 dB after this time.
_MEMORY_SECONDS = 0.08
_PARTS = 2
_LIMITER_SECONDS, _LIMITER_STEP = 0.005, 0.0005
_LIMITER_PASSES = 3
_CLOSE_ENOUGH = 0.1
_CURVE_WINDOW = 0.4


@dataclass(frozen=True, slots=True)
class Measurement:
    """`lufs` and `peak_dbfs` are -inf for digital silence; `silent`: nothing is above -70 LUFS.

    `clipped_samples` counts samples at full scale in runs of two and more.
    """

    lufs: float
    peak_dbfs: float
    clipped_samples: int
    silent: bool

    def facts(self) -> dict[str, float | int | bool | None]:
        """For JSON, which has no infinity: rounded to 0.01, None where there is no level."""
        return {key: _finite(value) if isinstance(value, float) else value for key, value in asdict(self).items()}


def facts_in(value: Any) -> dict[str, float | int | bool | None] | None:
    """`value` if it has the form of `Measurement.facts`, as another machine may send it; else None."""
    if not isinstance(value, dict) or set(value) != {field.name for field in fields(Measurement)}:
        return None
    levels = all(value[name] is None or type(value[name]) in {int, float} for name in ("lufs", "peak_dbfs"))
    return value if levels and type(value["clipped_samples"]) is int and type(value["silent"]) is bool else None


def measure(sound: Sound) -> Measurement:
    """Loudness, sample peak and clipping of a whole song, as in the file that it was read from: before any `gain`."""
    samples = to_float(sound)
    return measured(sound, samples, hop_powers(samples, sound.sample_rate))


def measured(sound: Sound, samples: NDArray[Any], powers: NDArray[np.float64]) -> Measurement:
    """`measure` where the samples as floats and their `hop_powers` are known already."""
    turned_down = _decibels(sound.gain)
    if len(powers) < _HOPS_PER_BLOCK:
        lufs = loudness(samples, sound.sample_rate) - turned_down
    else:
        lufs = gated_loudness(windows_of(powers, _HOPS_PER_BLOCK)) - turned_down
    return Measurement(lufs, peak_dbfs(samples) - turned_down, _clipped(sound), lufs == -math.inf)


def loudness(samples: NDArray[Any], rate: int) -> float:
    """Integrated LUFS of float samples [frames] or [frames, channels]; -inf when nothing passes the gates.

    A sound shorter than the standard's 0.4 s block counts as one block.
    """
    return gated_loudness(_block_powers(columns(samples).T, rate)) if len(samples) else -math.inf


def gated_loudness(powers: NDArray[np.float64]) -> float:
    """Integrated LUFS from the powers of the standard's blocks of 0.4 s."""
    gated = powers[powers > _power(_ABSOLUTE_GATE)]
    if not len(gated):
        return -math.inf
    gated = gated[gated > gated.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return _OFFSET + 10 * math.log10(gated.mean())


def peak_dbfs(samples: NDArray[Any]) -> float:
    """The largest sample in dB relative to full scale; -inf for silence."""
    return _decibels(_peak(samples))


def level(
    samples: NDArray[Any], rate: int, target_lufs: float = -16.0, ceiling_dbfs: float = -1.0
) -> NDArray[np.float32]:
    """The same music at `target_lufs`, no sample above the ceiling: a soft limiter turns peaks down for 5 ms each side.

    Limiting lowers the loudness, which up to three passes compensate; very spiky sounds stay below the target.
    Silence is returned unchanged.
    """
    music = samples.astype(np.float32)
    ceiling = 10 ** (ceiling_dbfs / 20)
    now, gain = loudness(music, rate), 0.0
    if now == -math.inf:
        return _limited(music, rate, ceiling)
    for _ in range(_LIMITER_PASSES):
        gain += target_lufs - now
        amplified = music * np.float32(10 ** (gain / 20))
        result = _limited(amplified, rate, ceiling)
        if result is amplified:
            break
        now = loudness(result, rate)
        if abs(target_lufs - now) < _CLOSE_ENOUGH:
            break
    return result


def loudness_curve(samples: NDArray[Any], rate: int, hop: float = 0.1) -> NDArray[np.float64]:
    """RMS over 0.4 s around the middle of every `hop` seconds, all channels together; full scale square wave is 1."""
    squares = np.square(columns(samples).astype(np.float64)).mean(axis=1)
    total = np.concatenate([[0.0], np.cumsum(squares)])
    count = max(1, math.ceil(len(squares) / (hop * rate)))
    middles = (np.arange(count) + 0.5) * hop * rate
    half = _CURVE_WINDOW * rate / 2
    first = np.clip(middles - half, 0, len(squares)).astype(np.int64)
    last = np.clip(middles + half, 0, len(squares)).astype(np.int64)
    return np.asarray(np.sqrt(np.maximum(total[last] - total[first], 0) / np.maximum(last - first, 1)))


def follow_curve(
    samples: NDArray[Any], rate: int, curve: NDArray[np.float64], hop: float = 0.1, *, most_db: float = 12.0
) -> NDArray[np.float32]:
    """The same music with the dynamics of `curve` (from `loudness_curve`, any length), by at most `most_db` each way."""
    own = loudness_curve(samples, rate, hop)
    wanted = np.interp(np.linspace(0, 1, len(own)), np.linspace(0, 1, len(curve)), curve)
    most = 10 ** (most_db / 20)
    floor = 1e-4
    gains = np.clip((wanted + floor) / (own + floor), 1 / most, most)
    at = (np.arange(len(own)) + 0.5) * hop * rate
    gain = np.interp(np.arange(len(samples)), at, gains).astype(np.float32)
    return np.asarray(samples * (gain if samples.ndim == 1 else gain[:, None]), np.float32)


def _block_powers(channels: NDArray[Any], rate: int) -> NDArray[np.float64]:
    """Mean square of every K-weighted block, summed over them (left, right and mono weigh the same)."""
    hop = max(1, round(_HOP * rate))
    if channels.shape[1] < _HOPS_PER_BLOCK * hop:
        whole = np.concatenate(list(_weighted(channels, rate, channels.shape[1])), axis=1)
        return np.atleast_1d(np.square(whole, dtype=np.float64).mean(axis=1).sum())
    return windows_of(hop_powers(channels.T, rate), _HOPS_PER_BLOCK)


def hop_powers(samples: NDArray[Any], rate: int) -> NDArray[np.float64]:
    """Mean square of every K-weighted tenth of a second of [frames, channels], summed over the channels."""
    channels, hop = samples.T, max(1, round(_HOP * rate))
    stop = channels.shape[1] // hop * hop
    energies = [np.zeros(0)]
    for part in _weighted(channels[:, :stop], rate, hop):
        hops = part.reshape(len(channels), -1, hop)
        energies.append(np.einsum("chs,chs->h", hops, hops, dtype=np.float64))
    return np.asarray(np.concatenate(energies) / hop)


def windows_of(powers: NDArray[np.float64], hops: int) -> NDArray[np.float64]:
    """The mean power of every window of so many hops."""
    total = np.concatenate([[0.0], np.cumsum(powers)])
    return np.asarray(np.maximum(total[hops:] - total[:-hops], 0.0) / hops)


def _weighted(channels: NDArray[Any], rate: int, multiple: int) -> Iterator[NDArray[np.float32]]:
    """The K-weighted channels in parts of a multiple of `multiple` samples, which divides their length.

    Filtered by the frequency response; each part includes the samples before it that still affect it.
    """
    memory = math.ceil(_MEMORY_SECONDS * rate)
    size = 1 << (4 * memory + multiple).bit_length()
    step = (size - memory) // multiple * multiple
    response = weighting(rate, size)
    length = channels.shape[1]
    for first in range(0, length, _PARTS * step):
        starts = range(first, min(first + _PARTS * step, length), step)
        parts = np.zeros((len(starts), len(channels), size), np.float32)
        for part, start in zip(parts, starts, strict=True):
            before = min(memory, start)
            music = channels[:, start - before : start + step]
            part[:, memory - before : memory - before + music.shape[1]] = music
        spectra = np.fft.rfft(parts)
        spectra *= response
        for part, start in zip(np.fft.irfft(spectra), starts, strict=True):
            yield part[:, memory : memory + min(step, length - start)]


@lru_cache(4)
def weighting(rate: int, size: int) -> NDArray[np.complex64]:
    """The response of the K-weighting at each frequency of a transform of `size` samples."""
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = np.ones(len(delay), np.complex128)
    for section in _k_weighting(rate):
        numerator, denominator = section[:3], section[3:]
        response *= np.polyval(numerator[::-1], delay) / np.polyval(denominator[::-1], delay)
    return response.astype(np.complex64)


def _k_weighting(rate: int) -> NDArray[np.float64]:
    """Two second-order sections: a shelf of +4 dB above 1.7 kHz and a high-pass at 38 Hz."""
    return np.array([_shelf(rate), _high_pass(rate)])


def _shelf(rate: int) -> list[float]:
    frequency, gain, quality = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    k = math.tan(math.pi * min(frequency / rate, 0.49))
    high = 10 ** (gain / 20)
    band = high**0.4996667741545416
    scale = 1 + k / quality + k * k
    numerator = [(high + band * k / quality + k * k), 2 * (k * k - high), (high - band * k / quality + k * k)]
    return [*(value / scale for value in numerator), 1.0, 2 * (k * k - 1) / scale, (1 - k / quality + k * k) / scale]


def _high_pass(rate: int) -> list[float]:
    frequency, quality = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * min(frequency / rate, 0.49))
    scale = 1 + k / quality + k * k
    return [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / scale, (1 - k / quality + k * k) / scale]


def _limited(samples: NDArray[np.float32], rate: int, ceiling: float) -> NDArray[np.float32]:
    """Reduce the gain around peaks above the ceiling; the same array when there are none.

    Works on the peaks of short steps: their gain is held at its minimum over a window, averaged over one that is a
    step narrower on each side, and joined by straight lines, so it is nowhere above what a peak needs.
    """
    if not len(samples) or _peak(samples) <= ceiling:
        return samples
    music = columns(samples)
    gain = _limiter_gain(music, rate, ceiling)
    limited = music * gain[:, None]
    np.clip(limited, -np.float32(ceiling), np.float32(ceiling), out=limited)
    return np.asarray(limited.reshape(samples.shape), np.float32)


def _limiter_gain(music: NDArray[np.float32], rate: int, ceiling: float) -> NDArray[np.float32]:
    step = max(1, round(_LIMITER_STEP * rate))
    reach = max(1, round(_LIMITER_SECONDS / _LIMITER_STEP))
    starts = np.arange(0, len(music), step)
    peaks = np.maximum(
        np.maximum.reduceat(music, starts, axis=0).max(axis=1),
        -np.minimum.reduceat(music, starts, axis=0).min(axis=1),
    )
    wanted = ceiling / np.maximum(peaks, ceiling)
    held = sliding_window_view(np.pad(wanted, reach + 1, mode="edge"), 2 * reach + 3).min(axis=1)
    smooth = sliding_window_view(np.pad(held, reach, mode="edge"), 2 * reach + 1).mean(axis=1, dtype=np.float64)
    return _joined(smooth.astype(np.float32), step)[: len(music)]


def _joined(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Each value in the middle of its step, straight lines between them, level before the first and after the last."""
    ends = np.pad(values, 1, mode="edge")
    middle = math.ceil((step - 1) / 2)
    along = ((np.arange(step) + middle - (step - 1) / 2) / step).astype(np.float32)
    lines = ends[:-1, None] + np.diff(ends)[:, None] * along
    return np.asarray(lines.reshape(-1)[step - middle :])


def _clipped(sound: Sound) -> int:
    """Samples at full scale in runs of two and more: a single one may be a true peak."""
    highest = 2**31 - 2 ** (32 - sound.bits)
    if not sound.pcm.size or (sound.pcm.max() < highest and sound.pcm.min() > -(2**31)):
        return 0
    full = (sound.pcm >= highest) | (sound.pcm == -(2**31))
    beside = np.zeros_like(full)
    beside[1:] |= full[:-1]
    beside[:-1] |= full[1:]
    return int(np.count_nonzero(full & beside))


def _peak(samples: NDArray[Any]) -> float:
    return float(max(samples.max(), -samples.min())) if samples.size else 0.0


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET) / 10))


def _decibels(value: float) -> float:
    return 20 * math.log10(value) if value > 0 else -math.inf


def _finite(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
