"""Draws the project's icon, a row of bars as in a waveform: `python -m tools.icon` writes the PNG files and the SVG file."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PNG_FILES = {ROOT / "docs" / "icon.png": 512, ROOT / "src" / "acestep_mcp" / "server" / "icon.png": 48}
"""The side of each in pixels. The small one goes to hosts with the server's name."""
SVG_FILE = ROOT / "docs" / "icon.svg"

# Lengths are in units of a canvas of 512.
_CANVAS = 512
_CORNER = 112
_BARS = (88, 184, 312, 232, 360, 200, 104)
"""The heights of the bars."""
_BAR = 36
_STEP = 56
_BACKGROUND = (0x3B, 0x1F, 0x6B)
_COLOURS = ((0xFF, 0xB8, 0x4D), (0xFF, 0x6F, 0x91))
"""Of the first bar and of the last; the others lie between."""


def _left(bar: int) -> float:
    return _CANVAS / 2 + (bar - (len(_BARS) - 1) / 2) * _STEP - _BAR / 2


def _colour(bar: int) -> tuple[int, ...]:
    part = bar / (len(_BARS) - 1)
    return tuple(round(first + (last - first) * part) for first, last in zip(*_COLOURS, strict=True))


def svg() -> str:
    bars = [
        f'  <rect x="{_left(bar):g}" y="{(_CANVAS - height) / 2:g}" width="{_BAR}" height="{height}" rx="{_BAR / 2:g}" '
        f'fill="#{bytes(_colour(bar)).hex()}"/>\n'
        for bar, height in enumerate(_BARS)
    ]
    background = f'  <rect width="{_CANVAS}" height="{_CANVAS}" rx="{_CORNER}" fill="#{bytes(_BACKGROUND).hex()}"/>\n'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_CANVAS} {_CANVAS}">\n'
    return f"{head}{background}{''.join(bars)}</svg>\n"


def pixels(side: int) -> bytes:
    """RGBA, row by row."""
    scale = _CANVAS / side
    rows = []
    for row in range(side):
        y = abs((row + 0.5) * scale - _CANVAS / 2)
        rows.append(b"".join(_pixel((column + 0.5) * scale, y, scale) for column in range(side)))
    return b"".join(rows)


def _pixel(x: float, y: float, scale: float) -> bytes:
    """`y`: from the middle. The edge of a shape is one pixel of the result wide, `scale` units."""
    opacity = _cover(x - _CANVAS / 2, y, (_CANVAS / 2, _CANVAS / 2), _CORNER, scale)
    bar = min(max(round((x - _left(0) - _BAR / 2) / _STEP), 0), len(_BARS) - 1)
    part = _cover(x - _left(bar) - _BAR / 2, y, (_BAR / 2, _BARS[bar] / 2), _BAR / 2, scale)
    mixed = [round(under + (over - under) * part) for under, over in zip(_BACKGROUND, _colour(bar), strict=True)]
    return bytes([*mixed, round(255 * opacity)])


def _cover(x: float, y: float, half: tuple[float, float], corner: float, scale: float) -> float:
    """How much of the pixel a rounded rectangle around the origin covers, by the distance from its edge."""
    across, down = abs(x) - half[0] + corner, abs(y) - half[1] + corner
    distance = math.hypot(max(across, 0), max(down, 0)) + min(max(across, down), 0) - corner
    return min(max(0.5 - distance / scale, 0), 1)


def png(side: int) -> bytes:
    data, line = pixels(side), 4 * side
    rows = b"".join(b"\0" + data[start : start + line] for start in range(0, len(data), line))
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def main() -> None:
    for path, side in PNG_FILES.items():
        path.write_bytes(png(side))
    SVG_FILE.write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
