"""How drafts sound: loudness, true peak, dynamics, brightness and width, and how many drum patterns a song has.

    python -m bench.draft_sound [--seeds 3] [--seconds 20] [--genres metal,lofi] [--renderer soundfont]

Songs of every genre with its own name as tags and eight lines of lyrics. True peaks are those of the song at four
times the rate (by its spectrum, not by the filter that the engine uses). The centroid is the mean frequency of the
long-term spectrum weighted by magnitude; the width is the level of the difference of left and right relative to that
of their sum, above 200 Hz. Drums are read from the composition of 90 s: the distinct bars of plain and accented hits,
and the distinct last bars of sections.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio.measure import loudness
from acestep_mcp.audio.splice import to_float
from acestep_mcp.engines import Audio
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.render import available
from acestep_mcp.engines.draft.score import Note
from acestep_mcp.engines.draft.seeds import Seeds

LYRICS = """[verse]
Walking through the neon light
Every shadow feels so right
City hums a lullaby
I am dreaming, you and I
[chorus]
Stay with me tonight
Under silver light
Hold me till the day
Never go away
"""
RATE = 48_000
_SOFT = 60
_CRASH = 49


@dataclass(frozen=True, slots=True)
class SoundFigures:
    """One song: levels in LUFS, dBTP and dB, the centroid in Hz, counts of bars."""

    genre: str
    lufs: float
    true_peak: float
    lift: float
    centroid: float
    width: float
    patterns: int
    fills: int
    sections: int

    @property
    def peak_to_loudness(self) -> float:
        return self.true_peak - self.lufs


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--genres", default="")
    arguments.add_argument("--renderer", choices=("soundfont", "numpy"), default=available())
    chosen = arguments.parse_args()
    names = chosen.genres.split(",") if chosen.genres else [genre.name for genre in GENRES]
    songs: list[SoundFigures] = []
    print(f"{'genre':15} {'LUFS':>7} {'dBTP':>6} {'PLR':>5} {'centroid':>8} {'width':>6} {'lift':>5}  bars  fills")
    for name in names:
        made = [figures(name, seed, chosen.seconds, chosen.renderer) for seed in range(1, chosen.seeds + 1)]
        songs += made
        print(_row(name, made), flush=True)
    _summary(songs)


def figures(genre: str, seed: int, seconds: float, renderer: str) -> SoundFigures:
    """Render one song and measure it."""
    request = {"tags": genre, "lyrics": LYRICS, "duration": seconds, "seed": seed}
    *_, audio = run_job(DraftJob("TextToAudio", request, renderer))
    assert isinstance(audio, Audio)
    samples = to_float(audio.sound)
    spans = {section.name: slice(round(section.start * RATE), round(section.end * RATE)) for section in audio.sections}
    lift = math.nan
    if {"verse", "chorus"} <= set(spans):
        lift = loudness(samples[spans["chorus"]], RATE) - loudness(samples[spans["verse"]], RATE)
    spectrum = np.abs(np.fft.rfft(_frames(samples.mean(axis=1)))).mean(axis=0)
    frequencies = np.fft.rfftfreq(4096, 1 / RATE)
    bars = list(_drum_bars(genre, seed))
    fills = [hits for last, hits in bars if last]
    return SoundFigures(
        genre,
        loudness(samples, RATE),
        true_peak(samples),
        lift,
        float((spectrum * frequencies).sum() / spectrum.sum()),
        _width(samples),
        len({hits for last, hits in bars if hits and not last}),
        len(set(fills)),
        len(fills),
    )


def true_peak(samples: NDArray[np.float64]) -> float:
    """The highest value of the song at four times its rate, in dB of full scale."""
    highest = 0.0
    for channel in samples.T:
        for first in range(0, len(channel), 1 << 18):
            part = channel[max(0, first - 256) : first + (1 << 18) + 256]
            spectrum = np.fft.rfft(part)
            fine = np.fft.irfft(np.pad(spectrum, (0, 2 * len(part) + 1 - len(spectrum))), 4 * len(part)) * 4
            highest = max(highest, float(np.abs(fine[512:-512]).max()))
    return 20 * math.log10(highest)


def _frames(mono: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(mono) // 4096
    return mono[: count * 4096].reshape(count, 4096) * np.hanning(4096)


def _width(samples: NDArray[np.float64]) -> float:
    """Side to mid above 200 Hz, in dB."""
    left, right = (np.fft.rfft(_frames(channel)) for channel in samples.T)
    above = np.fft.rfftfreq(4096, 1 / RATE) >= 200
    side, mid = (float(np.square(np.abs(part[:, above])).sum()) for part in (left - right, left + right))
    return 10 * math.log10(max(side, 1e-9) / mid)


def _drum_bars(genre: str, seed: int) -> Iterator[tuple[bool, frozenset[tuple[int, int]]]]:
    """For each bar of a song of 90 s: whether it is the last of its section, and its hits (sixteenth, drum)."""
    score = compose(ComposeRequest(genre, 2 * LYRICS, 90, Seeds(seed)))
    grid = Grid.from_plan(score.plan["frame"])
    assert grid is not None
    notes = [note for part in score.parts if part.drums for note in part.notes]
    bar = 0
    for section in score.form:
        for number in range(section.bars):
            start, end = (grid.time_at((bar + edge) * grid.beats_per_bar) for edge in (0, 1))
            yield number == section.bars - 1, _hits(notes, start, end, round(grid.beats_per_bar * 4))
            bar += 1


def _hits(notes: list[Note], start: float, end: float, steps: int) -> frozenset[tuple[int, int]]:
    early = (end - start) / steps / 2
    return frozenset(
        (round((note.start - start) / (end - start) * steps), note.pitch)
        for note in notes
        if start - early <= note.start < end - early and note.velocity >= _SOFT and note.pitch != _CRASH
    )


def _row(name: str, songs: list[SoundFigures]) -> str:
    def mean(field: str) -> float:
        return statistics.fmean(getattr(song, field) for song in songs)

    bars = "/".join(str(song.patterns) for song in songs)
    fills = " ".join(f"{song.fills} of {song.sections}" for song in songs)
    return (
        f"{name:15} {mean('lufs'):7.2f} {max(song.true_peak for song in songs):6.2f} {mean('peak_to_loudness'):5.1f} "
        f"{mean('centroid'):8.0f} {mean('width'):6.1f} {mean('lift'):5.1f}  {bars}  {fills}"
    )


def _summary(songs: list[SoundFigures]) -> None:
    lufs = [song.lufs for song in songs]
    dynamics = [song.peak_to_loudness for song in songs]
    lifts = [song.lift for song in songs if not math.isnan(song.lift)]
    drummed = [song for song in songs if song.patterns]
    print(
        f"{len(songs)} songs; LUFS {min(lufs):.2f} to {max(lufs):.2f}; above -1 dBTP: "
        f"{sum(song.true_peak > -1.0 for song in songs)} (highest {max(song.true_peak for song in songs):.2f}); "
        f"peak to loudness {min(dynamics):.1f} to {max(dynamics):.1f} dB, median {statistics.median(dynamics):.1f}; "
        f"chorus lift {statistics.fmean(lifts) if lifts else math.nan:.1f} dB in {len(lifts)} songs; "
        f"width median {statistics.median(song.width for song in songs):.1f} dB; songs with drums that have at least 4 "
        f"patterns: {sum(song.patterns >= 4 for song in drummed)} of {len(drummed)}"
    )


if __name__ == "__main__":
    main()
