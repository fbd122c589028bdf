"""A picture of a song: its waveform over its mel spectrogram, with a time axis, its sections and the window of an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.glyphs import HEIGHT, WIDTH, drawn
from acestep_mcp.audio.png import png
from acestep_mcp.audio.spectrum import downmixed, magnitudes
from acestep_mcp.audio.splice import to_float

_MARGIN, _LABELS, _WAVE, _MEL, _AXIS = 8, 14, 120, 160, 18
_WINDOW, _BANDS = 1024, 80
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 11_000.0
_FLOOR_DB = 70.0
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120)
_TICK_PIXELS = 70
# Palette: a ramp for the spectrogram, then these.
_RAMP = 64
_PAPER, _INK, _FAINT, _WAVE_COLOUR, _SHADE, _SHADED_WAVE, _MARK = range(_RAMP, _RAMP + 7)
_STOPS = np.array([[18, 16, 40], [72, 28, 110], [160, 44, 104], [230, 92, 60], [252, 178, 56], [252, 250, 190]])
_FIXED = np.array(
    [[250, 250, 248], [40, 40, 44], [205, 205, 208], [38, 96, 164], [255, 232, 190], [196, 92, 20], [110, 110, 116]]
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A named stretch of the song in seconds."""

    name: str
    start: float
    end: float


def draw(
    sound: Sound, sections: Sequence[Mark] = (), windows: Sequence[tuple[float, float]] = (), *, width: int = 1000
) -> bytes:
    """A PNG of the song, `width` pixels wide, well under 150 KB. `windows` are the edited stretches in seconds, shaded."""
    return stacked([pixels_of(sound, sections, windows, width=width)])


def pixels_of(
    sound: Sound, sections: Sequence[Mark] = (), windows: Sequence[tuple[float, float]] = (), *, width: int = 1000
) -> NDArray[np.uint8]:
    """The picture of `draw` as palette indices [rows, columns], for `stacked`."""
    inner = width - 2 * _MARGIN
    samples = downmixed(to_float(sound))
    pixels = np.full((_LABELS + _WAVE + _MEL + _AXIS, width), _PAPER, np.uint8)
    body = pixels[:, _MARGIN : _MARGIN + inner]
    seconds = max(sound.seconds, 1e-6)
    _shade(body, windows, seconds)
    _waveform(body[_LABELS : _LABELS + _WAVE], samples)
    body[_LABELS + _WAVE : _LABELS + _WAVE + _MEL] = _spectrogram(samples, sound.sample_rate, inner)
    _sections(body, sections, seconds)
    _axis(pixels, body, seconds)
    return pixels


def stacked(pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """A PNG of pictures of one width, one below the other."""
    return png(np.vstack(pictures), _palette())


def _palette() -> NDArray[np.uint8]:
    at = np.linspace(0, len(_STOPS) - 1, _RAMP)
    ramp = np.stack([np.interp(at, np.arange(len(_STOPS)), _STOPS[:, channel]) for channel in range(3)], axis=1)
    return np.concatenate([np.rint(ramp), _FIXED]).astype(np.uint8)


def _shade(body: NDArray[np.uint8], windows: Sequence[tuple[float, float]], seconds: float) -> None:
    for start, end in windows:
        first, last = (int(np.clip(at / seconds, 0, 1) * body.shape[1]) for at in (start, end))
        body[_LABELS : _LABELS + _WAVE, first : max(last, first + 1)] = _SHADE


def _waveform(area: NDArray[np.uint8], samples: NDArray[np.float32]) -> None:
    """The lowest and highest sample of each column."""
    rows, columns = area.shape
    edges = np.linspace(0, len(samples), columns + 1).astype(int)
    middle, half = (rows - 1) / 2, (rows - 1) / 2
    for column, (first, last) in enumerate(pairwise(edges.tolist())):
        part = samples[first : max(last, first + 1)]
        low, high = (float(part.min()), float(part.max())) if len(part) else (0.0, 0.0)
        top, bottom = (int(np.clip(middle - value * half, 0, rows - 1)) for value in (high, low))
        strip = area[top : bottom + 1, column]
        strip[:] = np.where(strip == _SHADE, _SHADED_WAVE, _WAVE_COLOUR)


def _spectrogram(samples: NDArray[np.float32], rate: int, columns: int) -> NDArray[np.uint8]:
    """Mel bands from 40 Hz to 11 kHz upwards, 70 dB from the darkest colour to the lightest."""
    hop = max(1, len(samples) // columns)
    found = magnitudes(samples, _WINDOW, hop)[:columns]
    power = np.square(found) @ _mel_bands(rate).T
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    level = np.clip((decibels - decibels.max()) / _FLOOR_DB + 1, 0, 1) if power.max() > 0 else np.zeros_like(decibels)
    picture = np.rint(level * (_RAMP - 1)).astype(np.uint8).T[::-1]
    across = np.minimum(np.arange(columns) * picture.shape[1] // max(columns, 1), picture.shape[1] - 1)
    return np.asarray(np.repeat(picture[:, across], _MEL // _BANDS, axis=0))


def _mel_bands(rate: int) -> NDArray[np.float64]:
    """Triangles [bands, frequencies], evenly spaced in mel (O'Shaughnessy: 2595 log10(1 + f/700))."""
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / rate)
    lowest, highest = (2595 * np.log10(1 + hertz / 700) for hertz in (_LOWEST_HZ, min(_HIGHEST_HZ, rate / 2)))
    edges = 700 * (10 ** (np.linspace(lowest, highest, _BANDS + 2) / 2595) - 1)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    bands = np.maximum(0, np.minimum(rising, falling))
    # A band narrower than the spectrum's steps takes the nearest one.
    narrow = np.flatnonzero(bands.sum(axis=1) == 0)
    bands[narrow, np.abs(frequencies - edges[1:-1][narrow, None]).argmin(axis=1)] = 1
    return np.asarray(bands)


def _sections(body: NDArray[np.uint8], sections: Sequence[Mark], seconds: float) -> None:
    for section in sections:
        first, last = (int(np.clip(at / seconds, 0, 1) * (body.shape[1] - 1)) for at in (section.start, section.end))
        body[: _LABELS + _WAVE, first] = _MARK
        _write(body, section.name[: max(0, (last - first - 4) // WIDTH)], first + 3, 3)


def _axis(pixels: NDArray[np.uint8], body: NDArray[np.uint8], seconds: float) -> None:
    top = _LABELS + _WAVE + _MEL
    least = seconds * _TICK_PIXELS / body.shape[1]
    step = next((tick for tick in _TICKS if tick >= least), _TICKS[-1])
    for at in range(0, int(seconds) + 1, step):
        column = min(int(at / seconds * body.shape[1]), body.shape[1] - 1)
        body[top : top + 4, column] = _INK
        text = f"{at // 60}:{at % 60:02}"
        _write(pixels, text, _MARGIN + column - len(text) * WIDTH // 2, top + 7)


def _write(pixels: NDArray[np.uint8], text: str, left: int, top: int) -> None:
    if not text:
        return
    dots = drawn(text)
    left = int(np.clip(left, 0, max(0, pixels.shape[1] - dots.shape[1])))
    area = pixels[top : top + HEIGHT, left : left + dots.shape[1]]
    area[dots[: area.shape[0], : area.shape[1]]] = _INK
