"""Whether drafts of one genre sound like each other and unlike other genres: a classifier that only hears them.

    python -m bench.draft_genres [--seeds 6] [--seconds 20] [--genres metal,lofi] [--renderer soundfont]

Songs of every genre with its own name as tags, half of the seeds without words. From the samples alone come the mean and
the spread of 32 mel bands in dB, their change from frame to frame, the strength of onsets in three bands over the lags
of a tempo, and the width. The classifier is a linear discriminant analysis with shrinkage (the covariance within genres,
a tenth of it spread over the diagonal); each seed is classified by what was learned from the others. Names of one genre
(`GENRES` has each once) are not joined. Prints the share that is right, and each genre that was taken for another.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
from bench.draft_sound import LYRICS, RATE
from numpy.typing import NDArray

from acestep_mcp.audio.splice import to_float
from acestep_mcp.engines import Audio
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.render import available

BANDS, FRAME, HOP = 32, 2048, 512
LAGS = np.unique(np.round(np.geomspace(0.12, 2.0, 48) * RATE / HOP).astype(int))  # 0.12 to 2 s
SHRINKAGE = 0.1

Floats = NDArray[np.float64]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=6)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--genres", default="")
    arguments.add_argument("--renderer", choices=("soundfont", "numpy"), default=available())
    chosen = arguments.parse_args()
    names = chosen.genres.split(",") if chosen.genres else [genre.name for genre in GENRES]
    seeds = range(1, chosen.seeds + 1)
    heard = np.array(
        [[features(song(name, seed, chosen.seconds, chosen.renderer)) for seed in seeds] for name in names]
    )
    taken = Counter(
        (name, names[guess])
        for left_out in range(len(seeds))
        for name, guess in zip(names, classified(heard, left_out), strict=True)
    )
    right = sum(count for (name, guess), count in taken.items() if name == guess)
    print(f"{right} of {taken.total()} songs of {len(names)} genres are right ({right / taken.total():.1%})")
    for (name, guess), count in sorted(taken.items()):
        if name != guess:
            print(f"  {name} taken for {guess}: {count}")


def song(genre: str, seed: int, seconds: float, renderer: str) -> Floats:
    """The samples of a draft in two channels; every other seed has words."""
    request = {"tags": genre, "lyrics": LYRICS if seed % 2 else "[inst]", "duration": seconds, "seed": seed}
    *_, audio = run_job(DraftJob("TextToAudio", request, renderer))
    assert isinstance(audio, Audio)
    return to_float(audio.sound)


def features(samples: Floats) -> Floats:
    mel = _mel_db(samples.mean(axis=1))
    change = np.maximum(np.diff(mel, axis=0), 0)
    width = np.square(samples[:, 0] - samples[:, 1]).mean() / max(np.square(samples).mean(), 1e-12)
    onsets = (change[:, :8].sum(axis=1), change[:, 8:20].sum(axis=1), change[:, 20:].sum(axis=1))
    periods = [_autocorrelation(onset - onset.mean()) for onset in onsets]
    return np.concatenate([mel.mean(axis=0), mel.std(axis=0), change.mean(axis=0), *periods, [np.log(width + 1e-6)]])


def classified(heard: Floats, left_out: int) -> NDArray[np.intp]:
    """For the song of this seed in each genre, the genre whose songs of the other seeds it is nearest to.

    `heard` is (genres, seeds, features).
    """
    learned = np.delete(heard, left_out, axis=1)
    scale = learned.reshape(-1, learned.shape[-1]).std(axis=0) + 1e-9
    learned, asked = learned / scale, heard[:, left_out] / scale
    means = learned.mean(axis=1)
    within = (learned - means[:, None]).reshape(-1, learned.shape[-1])
    covariance = within.T @ within / len(within)
    spread = np.trace(covariance) / len(covariance)
    inverse = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * spread * np.eye(len(covariance)))
    difference = asked[:, None] - means[None]
    return np.einsum("agf,fh,agh->ag", difference, inverse, difference).argmin(axis=1)


def _mel_db(mono: Floats) -> Floats:
    frames = np.lib.stride_tricks.sliding_window_view(mono, FRAME)[::HOP] * np.hanning(FRAME)
    power = np.square(np.abs(np.fft.rfft(frames)))
    edges = 700 * (10 ** (np.linspace(_mel(40), _mel(16_000), BANDS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(FRAME, 1 / RATE)
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    return 10 * np.log10(power @ np.clip(np.minimum(rising, falling), 0, None) + 1e-6)


def _mel(frequency: float) -> float:
    return float(2595 * np.log10(1 + frequency / 700))


def _autocorrelation(onset: Floats) -> Floats:
    spectrum = np.fft.rfft(onset, 2 * len(onset))
    found = np.fft.irfft(np.square(np.abs(spectrum)))[: LAGS[-1] + 1]
    return found[LAGS] / max(found[0], 1e-9)


if __name__ == "__main__":
    main()
