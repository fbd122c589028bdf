"""Mastering, measured on made signals: peaks between samples, dynamics, width."""

import numpy as np
import pytest

from acestep_mcp.audio.measure import loudness
from acestep_mcp.engines.draft.mastering import mastered
from acestep_mcp.engines.draft.production import PLAIN, PRODUCTIONS, production
from acestep_mcp.engines.draft.score import RATE


def true_peak(samples: np.ndarray) -> float:
    """In dBTP, by the spectrum at four times the rate."""
    spectrum = np.fft.rfft(samples, axis=0)
    padded = np.zeros((2 * len(samples) + 1, 2), complex)
    padded[: len(spectrum)] = spectrum
    return 20 * np.log10(np.abs(np.fft.irfft(padded, 4 * len(samples), axis=0)).max() * 4)


def beats(seconds: float = 3.0) -> np.ndarray:
    """A quiet chord and a loud click with a tone of a quarter of the rate, whose peaks lie between the samples."""
    time = np.arange(round(seconds * RATE)) / RATE
    chord = 0.1 * sum(np.sin(2 * np.pi * frequency * time) for frequency in (220, 277.2, 329.6))
    click = np.sin(np.pi / 2 * np.arange(len(time)) + np.pi / 4) * np.exp(-(time % 0.5) / 0.01)
    rise = np.minimum(time / 0.01, 1)
    return np.stack([rise * (chord + 0.6 * click), rise * (0.8 * chord - 0.5 * click)], axis=1).astype(np.float32)


@pytest.mark.parametrize("made", [PLAIN, production("metal"), production("jazz"), production("techno")])
@pytest.mark.parametrize("lufs", [-16.0, -9.0])
def test_no_peak_between_samples_is_above_1_dbtp(made, lufs):
    assert true_peak(mastered(beats(), lufs, made)) <= -1.0


@pytest.mark.parametrize("genre", ["pop", "folk", "jazz"])
def test_a_song_has_at_most_the_peaks_of_its_genre_and_the_loudness_asked_for(genre):
    result = mastered(beats(), -18.0, production(genre))
    assert loudness(result, RATE) == pytest.approx(-18.0, abs=0.05)
    assert true_peak(result) + 18.0 <= production(genre).peak_to_loudness + 0.3


@pytest.mark.parametrize("genre", ["metal", "trap", "edm"])
def test_a_song_that_is_clipped_has_the_loudness_asked_for_all_the_same(genre):
    result = mastered(np.tile(beats(), (3, 1)), -14.0, production(genre))
    assert loudness(result, RATE) == pytest.approx(-14.0, abs=0.1)
    assert np.abs(result).max() < 10 ** ((-14 + production(genre).peak_to_loudness) / 20)


def test_music_without_peaks_keeps_its_form():
    music = np.repeat(np.sin(np.arange(RATE) / 30)[:, None], 2, axis=1).astype(np.float32) * np.float32(0.1)
    result = mastered(music, -20.0)
    assert np.allclose(result / np.abs(result).max(), music / np.abs(music).max(), atol=1e-4)


def test_the_sides_get_wider_above_200_hz_and_narrower_below():
    time = np.arange(2 * RATE) / RATE
    low, high = (np.sin(2 * np.pi * frequency * time) for frequency in (50, 3000))
    music = 0.1 * np.stack([high + low, 0.5 * high - 0.5 * low], axis=1).astype(np.float32)
    result = mastered(music, -20.0, PLAIN._replace(width=4.0))

    def side(samples: np.ndarray, frequency: int) -> float:
        mid, sides = (np.abs(np.fft.rfft(samples @ signs))[2 * frequency] for signs in ((1, 1), (1, -1)))
        return float(sides / mid)

    assert side(result, 3000) > 1.3 * side(music, 3000)
    assert side(result, 50) < 0.5 * side(music, 50)


def test_silence_stays_silence():
    assert not mastered(np.zeros((RATE, 2), np.float32), -16.0, production("metal")).any()


def test_genres_differ_in_their_dynamics():
    found = {made.peak_to_loudness for made in PRODUCTIONS.values()}
    assert min(found) >= 8
    assert max(found) <= 16
    assert len(found) >= 8
