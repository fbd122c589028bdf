"""What is damaged in a SoundFont 2: tables that name rows or samples that are not there."""

from __future__ import annotations

import numpy as np

from acestep_mcp.engines.draft.soundfont_tables import (
    COMPRESSED,
    INSTRUMENT_OF_ZONE,
    SAMPLE_OF_ZONE,
    TABLES,
    Places,
    chunks_of,
    table,
)

_OGG_VORBIS = 0x10  # in the type of a sample


def damage_of(font: bytes) -> str | None:
    """Half a sentence after the name of a font that cannot be played; None for a sound one."""
    places = dict(chunks_of(font))
    return _missing(places) or _disjoint(font, places) or _without_samples(font, places)


def _missing(places: Places) -> str | None:
    missing = [name.decode() for name in (b"smpl", *TABLES) if name not in places]
    if missing:
        return f"is damaged: it has no {' and no '.join(missing)}"
    if any(places[name][1] % np.dtype(row).itemsize for name, row in TABLES.items()):
        return "is damaged: a table ends inside a row"
    if any(places[name][1] < 2 * np.dtype(TABLES[name]).itemsize for name in (b"phdr", b"inst", b"shdr")):
        return "is empty: it has no instruments"
    return None


def _disjoint(font: bytes, places: Places) -> str | None:
    """Rows that name rows of the next table which it does not have."""
    for name, field, to in (
        (b"phdr", "bag", b"pbag"), (b"pbag", "first", b"pgen"), (b"inst", "bag", b"ibag"), (b"ibag", "first", b"igen"),
    ):  # fmt: skip
        firsts = table(font, places, name)[field].astype(np.int64)
        if not len(firsts) or (np.diff(firsts) < 0).any() or firsts[-1] > len(table(font, places, to)):
            return "is damaged: its tables do not belong together"
    for name, operator, to in ((b"pgen", INSTRUMENT_OF_ZONE, b"inst"), (b"igen", SAMPLE_OF_ZONE, b"shdr")):
        rows = table(font, places, name)
        named = rows["amount"][rows["operator"] == operator].astype(np.uint16)
        if (named >= len(table(font, places, to)) - 1).any():
            return "is damaged: it names instruments or samples that it does not have"
    return None


def _without_samples(font: bytes, places: Places) -> str | None:
    samples, frames = table(font, places, b"shdr")[:-1], places[b"smpl"][1] // 2
    if (samples["type"] & _OGG_VORBIS).any():
        return COMPRESSED
    outside = samples["start"] > samples["end"]
    for field in ("end", "loop_start", "loop_end"):
        outside |= samples[field] > frames
    if outside.any() or not samples["rate"].all():
        return "is damaged: its samples lie outside the file"
    return None
