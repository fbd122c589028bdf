"""The picture of a song is a PNG that shows what it should, where it should."""

import io
import struct
import zlib

import numpy as np
import pytest

from acestep_mcp.audio.picture import Mark, draw, pixels_of, stacked
from acestep_mcp.audio.splice import from_float
from acestep_mcp.studio.pictures import ALL_COLUMNS

RATE = 22_050


def song(seconds=20.0):
    at = np.arange(round(seconds * RATE)) / RATE
    music = 0.4 * np.sin(2 * np.pi * 440 * at) * (at < seconds / 2) + 0.4 * np.sin(2 * np.pi * 4000 * at) * (
        at >= seconds / 2
    )
    return from_float(music + np.random.default_rng(1).normal(0, 0.01, len(at)), RATE, 16)


def pixels(data):
    """The colours [rows, columns, 3] of a PNG with a palette, decoded by the specification."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    stream, chunks = io.BytesIO(data[8:]), {}
    while head := stream.read(8):
        size, name = struct.unpack(">I4s", head)
        body = stream.read(size)
        assert struct.unpack(">I", stream.read(4))[0] == zlib.crc32(name + body)
        chunks[name] = body
    columns, rows, bits, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (bits, colour) == (8, 3)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, columns + 1)
    found, above = np.zeros((rows, columns), np.uint8), np.zeros(columns, np.uint8)
    for row, line in enumerate(lines):
        above = found[row] = line[1:] + (above if line[0] == 2 else 0)
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[found]


def test_the_spectrogram_shows_low_sound_below_and_high_sound_above():
    picture = pixels(draw(song())).astype(int).sum(axis=2)
    spectrogram = picture[134:294]
    low, high = spectrogram[120:, 100:400].max(axis=0).mean(), spectrogram[:80, 100:400].max(axis=0).mean()
    assert low > high
    later_low, later_high = spectrogram[120:, 600:900].max(axis=0).mean(), spectrogram[:80, 600:900].max(axis=0).mean()
    assert later_high > later_low


def test_the_window_of_an_edit_is_shaded_and_a_section_has_a_line_and_a_name():
    plain, marked = pixels(draw(song())), pixels(draw(song(), [Mark("chorus", 10, 20)], [(5, 10)]))
    changed = np.flatnonzero((plain != marked).any(axis=(0, 2)))
    assert changed.min() == pytest.approx(8 + 984 / 4, abs=3)
    names = np.flatnonzero((plain != marked)[:14].any(axis=(0, 2)))
    assert names.min() == pytest.approx(8 + 984 / 2, abs=3)
    assert len(names) > 20


@pytest.mark.parametrize("seconds", [0.01, 3, pytest.param(600, marks=pytest.mark.slow)])
def test_a_picture_is_small_whatever_the_length(seconds):
    data = draw(song(seconds), [Mark("Strophe é 漢", 0, seconds)], [(0, seconds)])
    assert len(data) < 150_000
    assert pixels(data).shape == (312, 1000, 3)


def test_noise_is_the_largest_picture():
    noise = from_float(np.random.default_rng(1).normal(0, 0.3, RATE * 30), RATE, 16)
    assert len(draw(noise)) < 150_000


def tiles(seed: int, seconds: int = 8):
    """Noise whose level differs at random from moment to moment and from note to note: no picture is harder to compress."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 1, (256, seconds * RATE // 256))
    spectrum = np.fft.rfft(noise.T) * 10 ** (-random.uniform(0, 70, (noise.shape[1], 129)) / 20)
    music = np.fft.irfft(spectrum).ravel()
    return from_float(0.5 * music / np.abs(music).max(), RATE, 16)


@pytest.mark.slow
def test_the_largest_pictures_of_one_song_and_of_several_stay_below_their_limits():
    marks, windows = [Mark(f"part {at}", at, at + 1) for at in range(8)], [(2.0, 5.0)]
    songs = [tiles(seed) for seed in range(6)]
    assert len(draw(songs[0], marks, windows)) < 150_000
    for count in (3, 6):
        width = min(1000, ALL_COLUMNS // count)
        several = stacked([pixels_of(song, marks, windows, width=width) for song in songs[:count]])
        assert 130_000 < len(several) < 200_000
