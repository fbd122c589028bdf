"""A SoundFont 2 of one sine, small enough to damage in a thousand ways."""

from __future__ import annotations

import struct

import numpy as np

RATE, PERIOD = 24_000, 48


def small_soundfont(*, major: int = 2, kind: int = 1, loud: float = 0.5) -> bytes:
    """One preset in bank 0 and a drum kit, which play a tone of 500 Hz at pitch 72 (MIDI)."""
    wave = loud * 32767 * np.sin(2 * np.pi * np.arange(PERIOD * 20) / PERIOD)
    samples = wave.astype("<i2").tobytes() + bytes(92)
    info = _chunk(b"ifil", struct.pack("<HH", major, 1)) + _chunk(b"INAM", b"small\0")
    presets = [("tone", 0, 0, 0), ("kit", 0, 128, 1), ("EOP", 0, 0, 2)]
    tables = {
        b"phdr": b"".join(struct.pack("<20sHHHIII", name.encode(), *rest, 0, 0, 0) for name, *rest in presets),
        b"pbag": struct.pack("<6H", 0, 0, 1, 0, 2, 0),
        b"pmod": bytes(10),
        b"pgen": struct.pack("<6H", 41, 0, 41, 0, 0, 0),
        b"inst": struct.pack("<20sH", b"tone", 0) + struct.pack("<20sH", b"EOI", 1),
        b"ibag": struct.pack("<4H", 0, 0, 3, 0),
        b"imod": bytes(10),
        b"igen": struct.pack("<HhHhHHHH", 38, 4000, 54, 1, 53, 0, 0, 0),
        b"shdr": _sample(b"sine", PERIOD * 20, kind) + _sample(b"EOS", 0, 0),
    }
    body = b"sfbk" + _list(b"INFO", info) + _list(b"sdta", _chunk(b"smpl", samples))
    body += _list(b"pdta", b"".join(_chunk(name, rows) for name, rows in tables.items()))
    return _chunk(b"RIFF", body)


def _sample(name: bytes, count: int, kind: int) -> bytes:
    return struct.pack("<20s5IBbHH", name, 0, count, PERIOD, count - PERIOD if count else 0, RATE, 72, 0, 0, kind)


def _list(name: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", name + body)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
