"""SoundFont 2 files: reading the General MIDI font, and what is changed in it before it is played."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SOUNDFONT = "TimGM6mb.sf2"
_ATTACK, _SUSTAIN, _RELEASE = 34, 37, 38  # generators of a volume envelope
_INSTRUMENT_OF_ZONE, _DRUM_BANK = 41, 128
_GENERATOR = [("operator", "<u2"), ("amount", "<i2")]
_BAG = [("first", "<u2"), ("modulator", "<u2")]
_PRESET = [("name", "S20"), ("number", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "V12")]
_INSTRUMENT = [("name", "S20"), ("bag", "<u2")]
_RINGING, _DAMPED = 800, -400
"""The longest releases, in timecents: 1.6 s for bells, plucked and soft sounds, 0.8 s for others. A voice is silent after three quarters of it."""
_SOFT, _FADING = -3300, 300  # from 0.15 s of attack (timecents), and from 30 dB of decay (in tenths)


@cache
def font_bytes() -> bytes:
    """The font that pretty_midi brings, with no release longer than 1.6 s."""
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or not spec.submodule_search_locations:
        message = "pretty_midi is not installed as a package"
        raise ModuleNotFoundError(message)
    return with_short_releases((Path(next(iter(spec.submodule_search_locations))) / _SOUNDFONT).read_bytes())


def with_short_releases(font: bytes) -> bytes:
    """The font with its melodic instruments' releases shortened: what is hardly heard takes as long to render as what is loud."""
    import numpy as np

    places = dict(chunks_of(font))
    start, size = places[b"igen"]
    generators = np.frombuffer(font, _GENERATOR, size // 4, start).copy()
    operators, amounts = generators["operator"], generators["amount"]
    bags = _table(font, places, b"ibag", _BAG)["first"]
    zones = np.searchsorted(bags, np.arange(len(generators)), side="right") - 1
    rings = np.zeros(len(bags) + 1, bool)
    for operator, least in ((_ATTACK, _SOFT), (_SUSTAIN, _FADING)):
        rings[zones[(operators == operator) & (amounts >= least)]] = True
    longest = np.where(rings[zones], _RINGING, _DAMPED)
    instruments = np.searchsorted(_table(font, places, b"inst", _INSTRUMENT)["bag"], zones, side="right") - 1
    shortened = (operators == _RELEASE) & ~np.isin(instruments, _drum_instruments(font, places))
    amounts[shortened] = np.minimum(amounts, longest)[shortened]
    return font[:start] + generators.tobytes() + font[start + size // 4 * 4 :]


def _drum_instruments(font: bytes, places: dict[bytes, tuple[int, int]]) -> NDArray[np.uint16]:
    """The numbers of the instruments of the drum kits, which are bank 128."""
    import numpy as np

    presets = _table(font, places, b"phdr", _PRESET)
    generators = _table(font, places, b"pgen", _GENERATOR)
    bags = _table(font, places, b"pbag", _BAG)["first"]
    zones = np.searchsorted(bags, np.arange(len(generators)), side="right") - 1
    owners = np.searchsorted(presets["bag"], zones, side="right") - 1
    of_kits = presets["bank"][np.clip(owners, 0, len(presets) - 1)] == _DRUM_BANK
    return np.asarray(generators["amount"][of_kits & (generators["operator"] == _INSTRUMENT_OF_ZONE)].astype(np.uint16))


def _table(
    font: bytes, places: dict[bytes, tuple[int, int]], name: bytes, fields: list[tuple[str, str]]
) -> NDArray[Any]:
    import numpy as np

    start, size = places[name]
    row = np.dtype(fields)
    return np.frombuffer(font, row, size // row.itemsize, start)


def chunks_of(font: bytes) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Name, place and size of each chunk inside the lists of a RIFF file."""
    for name, (start, size) in _chunks(font, 12, len(font)):
        if name == b"LIST":
            yield from _chunks(font, start + 4, start + size)


def _chunks(font: bytes, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    while start + 8 <= end:
        name, size = struct.unpack_from("<4sI", font, start)
        yield name, (start + 8, size)
        start += 8 + size + size % 2
