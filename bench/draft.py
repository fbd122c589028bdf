"""How long a minute of draft music takes on one core, from the request to the file, and where the time goes.

    python bench/draft.py [--runs 5] [--tags "lofi, hiphop, chill"] [--each]

Medians of wall-clock and processor time; on a machine that is not idle, processor time is more reliable.

The floor is the renderer alone: one call of midirenderer with the same notes in one file. Everything else (a process,
imports, composing, steps, mixing, levelling, writing) is what the engine adds. `--each` gives the total of every genre
instead, the least of the runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LYRICS = """[verse]
Walking through the neon light
Every shadow feels so right
City hums a lullaby
I am dreaming, you and I
[chorus]
Stay with me tonight
Under silver light
"""
SECONDS = 60


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--tags", default="lofi, hiphop, chill")
    arguments.add_argument("--each", action="store_true")
    chosen = arguments.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if chosen.each:
        each(chosen.runs)
        return
    rows = [("total: process, song, file", lambda: whole(chosen.tags)), ("imports", imports), *phases(chosen.tags)]
    results = {name: median(work, chosen.runs) for name, work in rows}
    floor = results["floor: midirenderer alone"]
    for name, (clock, processor) in results.items():
        print(f"{name:32} {clock:6.2f} s   {processor:6.2f} s of processor time   {processor / floor[1]:5.2f} x floor")


def each(runs: int) -> None:
    """Print the processor seconds of a minute of each genre, the slowest first."""
    from acestep_mcp.engines.draft.genres import GENRES

    whole("lofi")
    found: dict[str, float] = {}
    for _ in range(runs):
        for genre in GENRES:
            seconds = processor_seconds(lambda name=genre.name: whole(name))
            found[genre.name] = min(seconds, found.get(genre.name, seconds))
    for name, seconds in sorted(found.items(), key=lambda row: -row[1]):
        print(f"{name:16} {seconds:5.2f} s of processor time")
    print(
        f"median {statistics.median(found.values()):.2f} s, {sum(one < 1.5 for one in found.values())} of {len(found)} genres under 1.5 s"
    )


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor seconds that this process and its children use for the work."""
    before = os.times()
    work()
    return sum(os.times()[:4]) - sum(before[:4])


def median(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Wall-clock and processor seconds of this process and its children."""
    clocks, processors = [], []
    for _ in range(runs):
        start = time.perf_counter()
        processors.append(processor_seconds(work))
        clocks.append(time.perf_counter() - start)
    return statistics.median(clocks), statistics.median(processors)


def whole(tags: str) -> None:
    from acestep_mcp.api.requests import TextToAudio
    from acestep_mcp.audio.tags.file_tags import FileTags
    from acestep_mcp.audio.write import write
    from acestep_mcp.engines import Audio
    from acestep_mcp.engines.draft import DraftEngine

    request = TextToAudio(tags=tags, lyrics=LYRICS, duration=SECONDS, seed=1)
    *_, audio = DraftEngine().generate(request, None)
    assert isinstance(audio, Audio)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "song.wav", audio.sound, format="wav", tags=FileTags(title="bench"))


def imports() -> None:
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", "import acestep_mcp.engines.draft.job"], check=True)


def phases(tags: str) -> list[tuple[str, Callable[[], object]]]:
    import midirenderer

    from acestep_mcp.engines.draft.compose import ComposeRequest, compose
    from acestep_mcp.engines.draft.midi import file_bytes
    from acestep_mcp.engines.draft.mix import master, silence
    from acestep_mcp.engines.draft.render import Playback, render
    from acestep_mcp.engines.draft.seeds import Seeds
    from acestep_mcp.engines.draft.soundfont import font_bytes

    request = ComposeRequest(tags, LYRICS, SECONDS, Seeds(1))
    score = compose(request)
    midi = file_bytes(score.parts, SECONDS)
    font = font_bytes()
    music = silence(SECONDS)
    list(render(score.parts, Playback("soundfont"), music))
    return [
        ("composing", lambda: compose(request)),
        ("rendering", lambda: list(render(score.parts, Playback("soundfont"), silence(SECONDS)))),
        ("levelling", lambda: master(music.copy(), score.ending, score.plan["genre"])),
        ("floor: midirenderer alone", lambda: midirenderer.render_wave_from(font, midi)),
    ]


if __name__ == "__main__":
    main()
