"""SoundFont 2 files: the General MIDI font, what of a file can be used, and what is changed before it is played."""

from __future__ import annotations

import importlib.util
import stat
import struct
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.draft.soundfont_tables import COMPRESSED, INSTRUMENT_OF_ZONE, Places, chunks_of, table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_BUILT_IN = "TimGM6mb.sf2"
_LARGEST = 512 * 2**20
_HEAD = 1 << 16
_ATTACK, _SUSTAIN, _RELEASE = 34, 37, 38  # generators of a volume envelope
_DRUM_BANK = 128
_RINGING, _DAMPED = 400, -1500
"""The longest releases, in timecents: 1.3 s for bells, plucked and soft sounds, 0.4 s for others. A voice is silent after three quarters of it."""
_SOFT, _FADING = -3300, 300  # from 0.15 s of attack (timecents), and from 30 dB of decay (in tenths)


def refuse(path: Path, reason: str) -> ConfigurationError:
    """The error for a font that cannot be played; `reason` follows the file's name."""
    message = f"The SoundFont {path} (ACESTEP_SOUNDFONT) {reason}. Choose another .sf2 file, or unset it to play drafts with the built-in font."
    return ConfigurationError(message)


def check(path: Path) -> tuple[int, int]:
    """The time of change and size of a file that begins as a SoundFont 2 does. Raises ConfigurationError for others."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise refuse(path, "is not a file")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError) as exc:
        raise refuse(path, f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if reason := _unplayable(head, found.st_size):
        raise refuse(path, reason)
    return found.st_mtime_ns, found.st_size


def installed_fonts() -> list[Path]:
    """SoundFont 2 files in the folders where packages put them, by size, the largest first."""
    folders = (
        "/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts", "/opt/homebrew/share/soundfonts",
        "/Library/Audio/Sounds/Banks", "~/Library/Audio/Sounds/Banks", "~/.local/share/soundfonts", "C:/soundfonts",
    )  # fmt: skip
    found = {font.resolve() for folder in folders for font in Path(folder).expanduser().glob("*.sf2")}
    return sorted((font for font in found if font.is_file()), key=lambda font: (-font.stat().st_size, str(font)))


def _unplayable(head: bytes, size: int) -> str | None:
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"sfbk":
        return "is not a SoundFont 2: it does not begin as one"
    if size > _LARGEST:
        return f"has {size // 2**20} MiB; fonts of up to {_LARGEST // 2**20} MiB are played"
    stated = struct.unpack_from("<I", head, 4)[0] + 8
    if stated > size:
        return f"was cut off: it has {size} of its {stated} bytes"
    version = next((place for name, place in chunks_of(head) if name == b"ifil"), None)
    if version and version[1] >= 4 and version[0] + 4 <= len(head):
        major = struct.unpack_from("<H", head, version[0])[0]
        if major != 2:
            return COMPRESSED if major == 3 else f"is a SoundFont {major}: the renderer plays SoundFont 2"
    return None


def font_bytes(path: Path | None = None) -> bytes:
    """A font, or the one that pretty_midi brings, with shorter releases. Raises ConfigurationError if it cannot be played."""
    return _built_in() if path is None else _loaded(path, *check(path))


@lru_cache(1)
def _built_in() -> bytes:
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or not spec.submodule_search_locations:
        message = "pretty_midi is not installed as a package"
        raise ModuleNotFoundError(message)
    return with_short_releases((Path(next(iter(spec.submodule_search_locations))) / _BUILT_IN).read_bytes())


@lru_cache(1)
def _loaded(path: Path, changed: int, size: int) -> bytes:  # noqa: ARG001 - of one state of the file
    try:
        font = path.read_bytes()
    except OSError as exc:
        raise refuse(path, f"cannot be read: {exc.strerror or exc}") from exc
    from acestep_mcp.engines.draft.soundfont_damage import damage_of

    try:
        damage = damage_of(font)
    except (ValueError, KeyError, struct.error) as exc:
        raise refuse(path, "is damaged: its tables cannot be read") from exc
    if damage:
        raise refuse(path, damage)
    return with_short_releases(font)


def with_short_releases(font: bytes) -> bytes:
    """The font with its melodic instruments' releases shortened: what is hardly heard takes as long to render as what is loud."""
    import numpy as np

    places = dict(chunks_of(font))
    start, size = places[b"igen"]
    generators = table(font, places, b"igen").copy()
    operators, amounts = generators["operator"], generators["amount"]
    bags = table(font, places, b"ibag")["first"]
    zones = np.searchsorted(bags, np.arange(len(generators)), side="right") - 1
    rings = np.zeros(len(bags) + 1, bool)
    for operator, least in ((_ATTACK, _SOFT), (_SUSTAIN, _FADING)):
        rings[zones[(operators == operator) & (amounts >= least)]] = True
    longest = np.where(rings[zones], _RINGING, _DAMPED)
    instruments = np.searchsorted(table(font, places, b"inst")["bag"], zones, side="right") - 1
    shortened = (operators == _RELEASE) & ~np.isin(instruments, _drum_instruments(font, places))
    amounts[shortened] = np.minimum(amounts, longest)[shortened]
    return font[:start] + generators.tobytes() + font[start + size // 4 * 4 :]


def _drum_instruments(font: bytes, places: Places) -> NDArray[np.uint16]:
    """The numbers of the instruments of the drum kits, which are bank 128."""
    import numpy as np

    presets = table(font, places, b"phdr")
    generators = table(font, places, b"pgen")
    bags = table(font, places, b"pbag")["first"]
    zones = np.searchsorted(bags, np.arange(len(generators)), side="right") - 1
    owners = np.searchsorted(presets["bag"], zones, side="right") - 1
    of_kits = presets["bank"][np.clip(owners, 0, len(presets) - 1)] == _DRUM_BANK
    return np.asarray(generators["amount"][of_kits & (generators["operator"] == INSTRUMENT_OF_ZONE)].astype(np.uint16))
