"""How often tempo, key, metre and downbeat are found, on drafts (whose plan is known) and on synthetic foreign loops.

    python bench/ears.py [--keep FOLDER]

66 drafts of 30 s in 33 styles, one in a major and one in a minor key each, and 12 synthetic loops that do not come from the draft engine:
drums, bass and chords, with a silent or sung bar before the first downbeat. `--keep` stores the drafts for the next run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acestep_mcp.audio import Sound

STYLES = (
    "lofi", "trap", "hip hop", "synthwave", "synth-pop", "j-pop", "k-pop", "indie", "punk", "metal", "rock", "country",
    "folk", "celtic", "blues", "swing", "bossa nova", "jazz", "gospel", "r&b", "funk", "disco", "deep house", "techno",
    "trance", "drum and bass", "edm", "reggaeton", "reggae", "afrobeat", "waltz", "ballad", "pop",
)  # fmt: skip
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
RATE = 44_100


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    sound: Sound
    tempo: float
    key: str
    metre: str
    downbeat: float | None = None


def drafts(folder: Path, seeds: int = 0) -> list[Case]:
    from acestep_mcp.engines.draft.job import DraftJob, run_job
    from acestep_mcp.engines.draft.render import available

    made = []
    for number, style in enumerate(STYLES):
        for mode in ("major", "minor"):
            tonic = NOTES[(5 * number + (3 if mode == "minor" else 0)) % 12]
            path = folder / f"{number:02}-{mode}-{seeds}.npz"
            if not path.exists():
                request = {"tags": f"{style}, {tonic} {mode}", "duration": 30, "seed": number + 1 + seeds}
                *_, audio = run_job(DraftJob("TextToAudio", request, available()))
                plan = audio.plan
                np.savez(
                    path,
                    pcm=audio.sound.pcm,
                    rate=audio.sound.sample_rate,
                    tempo=plan["tempo"],
                    key=plan["key"],
                    metre=plan["meter"],
                )
            data = np.load(path)
            sound = Sound(data["pcm"], int(data["rate"]), 16)
            made.append(Case(f"{style} {mode}", sound, float(data["tempo"]), str(data["key"]), str(data["metre"]), 0.0))
    return made


@dataclass(frozen=True, slots=True)
class Loop:
    """A synthetic song: the eighth notes of one bar on which each part plays, and the root of each bar in semitones.

    `tempo` is in quarter notes a minute. `lead` seconds of silence and `pickup` eighth notes come before bar 1.
    """

    name: str
    metre: str
    tempo: float
    lead: float
    pickup: int
    kick: tuple[int, ...]
    snare: tuple[int, ...]
    hat: tuple[int, ...]
    bass: tuple[int, ...]
    chord: tuple[int, ...]
    key: str
    degrees: tuple[int, ...]


_ALL8, _ALL6 = tuple(range(8)), tuple(range(6))
LOOPS = (
    Loop("rock", "4/4", 118, 0.4, 0, (0, 4, 5), (2, 6), _ALL8, (0, 1, 2, 3, 4, 5, 6, 7), (0, 4), "E minor", (0, 8, 3, 10)),
    Loop("house", "4/4", 124, 0.0, 2, (0, 2, 4, 6), (2, 6), (1, 3, 5, 7), (1, 3, 5, 7), (1, 4, 7), "A minor", (0, 5, 0, 7)),
    Loop("ballad", "4/4", 72, 1.1, 1, (0,), (4,), (0, 2, 4, 6), (0, 4), _ALL8, "C major", (0, 7, 9, 5)),
    Loop("hip hop", "4/4", 88, 0.25, 0, (0, 3, 5), (2, 6), _ALL8, (0, 3), (0,), "F# minor", (0, 0, 8, 7)),
    Loop("strummed, no drums", "4/4", 104, 0.6, 2, (), (), (), (0, 4), (0, 2, 3, 5, 6, 7), "G major", (0, 2, 5, 7)),
    Loop("drum and bass", "4/4", 172, 0.15, 0, (0, 5), (2, 6), _ALL8, (0, 3, 6), (0,), "D minor", (0, 8, 10, 5)),
    Loop("waltz", "3/4", 156, 0.3, 2, (0,), (2, 4), (0, 2, 4), (0,), (2, 4), "F major", (0, 5, 7, 0)),
    Loop("slow three", "3/4", 84, 0.9, 0, (0,), (4,), _ALL6, (0, 4), (0, 2, 4), "B minor", (0, 8, 3, 7)),
    Loop("waltz, no drums", "3/4", 132, 0.5, 2, (), (), (), (0,), (2, 4), "D major", (0, 9, 5, 7)),
    Loop("shuffle ballad", "6/8", 150, 0.35, 0, (0,), (3,), _ALL6, (0, 3), _ALL6, "A major", (0, 9, 5, 7)),
    Loop("jig", "6/8", 174, 0.2, 1, (0, 3), (), _ALL6, (0, 3), (0, 2, 3, 5), "D major", (0, 7, 5, 0)),
    Loop("slow rock", "6/8", 96, 0.7, 0, (0, 5), (3,), _ALL6, (0, 5), (0, 3), "C minor", (0, 8, 5, 7)),
)  # fmt: skip
_SECONDS = 30


def foreign(loop: Loop) -> Case:
    """Render the loop."""
    rng = np.random.default_rng(len(loop.name))
    eighth = 30 / loop.tempo
    per_bar = {"4/4": 8, "3/4": 6, "6/8": 6}[loop.metre]
    music = np.zeros(int(_SECONDS * RATE))
    downbeat = loop.lead + loop.pickup * eighth
    tonic = NOTES.index(loop.key.split()[0])
    minor = loop.key.endswith("minor")

    def put(at: float, samples: np.ndarray) -> None:
        first = round(at * RATE)
        if first < len(music):
            part = samples[: len(music) - first]
            music[first : first + len(part)] += part

    for step in range(loop.pickup):  # a sung or plucked pickup before bar 1
        put(loop.lead + step * eighth, 0.3 * tone(60 + tonic + 7, eighth))
    for bar in range(int((_SECONDS - downbeat) / (eighth * per_bar)) + 1):
        start, degree = downbeat + bar * per_bar * eighth, loop.degrees[bar % len(loop.degrees)]
        third = 3 if (minor and degree in (0, 5, 7)) or (not minor and degree in (2, 4, 9)) else 4
        for step in range(per_bar):
            at = start + step * eighth + rng.normal(0, 0.004)
            if step in loop.kick:
                put(at, 0.9 * kick())
            if step in loop.snare:
                put(at, 0.5 * noise(rng, 0.15, 12))
            if step in loop.hat:
                put(at, 0.15 * noise(rng, 0.04, 60))
            if step in loop.bass:
                put(at, 0.4 * tone(36 + (tonic + degree) % 12, eighth * 1.8))
            if step in loop.chord:
                for interval in (0, third, 7):
                    put(at, 0.12 * tone(60 + (tonic + degree + interval) % 12, eighth * 2))
    pcm = np.clip(music / max(1.0, abs(music).max()) * 0.8, -1, 1)
    sound = Sound((np.repeat(pcm[:, None], 2, axis=1) * 2**31 * 0.999).astype(np.int32), RATE, 16)
    return Case(loop.name, sound, loop.tempo, loop.key, loop.metre, downbeat)


def tone(pitch: float, seconds: float) -> np.ndarray:
    at = np.arange(int((seconds + 0.1) * RATE)) / RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * hertz * n * at) / n**1.5 for n in range(1, 6))
    return (
        wave
        * np.minimum(1, at / 0.005)
        * np.exp(-3 * at / max(seconds, 0.1))
        * np.clip((seconds + 0.1 - at) / 0.05, 0, 1)
    )


def kick() -> np.ndarray:
    at = np.arange(int(0.2 * RATE)) / RATE
    return np.sin(2 * np.pi * (50 * at + 6 * (1 - np.exp(-30 * at)))) * np.exp(-18 * at)


def noise(rng: np.random.Generator, seconds: float, decay: float) -> np.ndarray:
    at = np.arange(int(seconds * RATE)) / RATE
    return rng.normal(0, 0.5, len(at)) * np.exp(-decay * at)


@dataclass(slots=True)
class Counts:
    cases: int = 0
    tempo: int = 0
    key: int = 0
    minor: int = 0
    minor_found: int = 0
    metre: int = 0
    downbeat: int = 0
    seconds: float = 0.0
    processor: float = 0.0


_FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
_MINOR_SCALES = ("minor", "dorian", "phrygian", "harmonic minor")


def as_heard(key: str) -> str:
    tonic, scale = key.split(" ", 1)
    return f"{_FLATS.get(tonic, tonic)} {'minor' if scale in _MINOR_SCALES else 'major'}"


def count(cases: list[Case], *, show: bool) -> Counts:
    from acestep_mcp.audio.hearing import hear

    counts = Counts(len(cases))
    for case in cases:
        begin = time.process_time()
        heard = hear(case.sound)
        counts.processor += time.process_time() - begin
        counts.seconds += case.sound.seconds
        rhythm, key = heard.rhythm, as_heard(case.key)
        bar = {"4/4": 4, "3/4": 3, "6/8": 3}[case.metre] * 60 / case.tempo
        off = (rhythm.downbeat - (case.downbeat or 0.0) + bar / 2) % bar - bar / 2
        found = {
            "tempo": any(abs(rhythm.tempo / case.tempo / octave - 1) < 0.02 for octave in (0.5, 1, 2)),
            "key": heard.key.name == key,
            "metre": rhythm.metre == case.metre,
            "downbeat": abs(off) < 0.03,
        }
        for name, is_right in found.items():
            setattr(counts, name, getattr(counts, name) + is_right)
        counts.minor += key.endswith("minor")
        counts.minor_found += key.endswith("minor") and found["key"]
        if show and not all(found.values()):
            wrong = ", ".join(name for name, is_right in found.items() if not is_right)
            print(
                f"  {case.name}: {wrong}; is {case.tempo:.1f} {key} {case.metre}, heard {rhythm.tempo} {heard.key.name} {rhythm.metre}"
            )
    return counts


def levels(cases: list[Case]) -> tuple[float, float]:
    """The largest differences: loudness from pyloudnorm in LU, true peak from eight times the rate in dB."""
    import pyloudnorm
    from scipy import signal

    from acestep_mcp.audio.levels import true_peak
    from acestep_mcp.audio.measure import loudness
    from acestep_mcp.audio.splice import to_float

    loud = peak = 0.0
    for case in cases:
        samples, rate = to_float(case.sound).astype(float), case.sound.sample_rate
        loud = max(loud, abs(loudness(samples, rate) - pyloudnorm.Meter(rate).integrated_loudness(samples)))
        exact = 20 * np.log10(np.abs(signal.resample_poly(samples, 8, 1, axis=0)).max())
        peak = max(peak, abs(true_peak(samples) - exact))
    return loud, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder for the drafts")
    parser.add_argument("--seeds", type=int, default=0, help="added to every seed: other songs in the same styles")
    parser.add_argument("--show", action="store_true", help="print every miss")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        made, loops = drafts(folder, chosen.seeds), [foreign(loop) for loop in LOOPS]
        for name, cases in (("drafts", made), ("loops", loops)):
            counts = count(cases, show=chosen.show)
            print(
                f"{name}: of {counts.cases}: tempo {counts.tempo}, key {counts.key} (minor {counts.minor_found} of "
                f"{counts.minor}), metre {counts.metre}, downbeat {counts.downbeat}; "
                f"{counts.processor / counts.seconds * 60:.2f} s of processor time a minute"
            )
        loud, peak = levels(made[::6])
        print(
            f"largest difference: loudness {loud:.3f} LU from pyloudnorm, true peak {peak:.3f} dB from 8x oversampling"
        )


if __name__ == "__main__":
    main()
