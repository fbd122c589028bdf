"""Renders notes to samples: with the SoundFont renderer if it is installed, else with the NumPy synthesiser."""

from __future__ import annotations

import importlib.util
import io
import math
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acestep_mcp.engines import Step
from acestep_mcp.engines.draft.repeats import add_repeats, batches, parts_of, without_repeats
from acestep_mcp.engines.draft.score import RATE, Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Renderer = Literal["soundfont", "numpy"]
Voice = Literal["auto", "synth", "font"]

# A call cannot be interrupted and holds the interpreter lock: so many seconds of music take 0.2 to 0.8 s.
_MIN_CHUNK, _MAX_CHUNK = 8.0, 20.0
# Releases and reverb after the last note.
_TAIL = 1.6
_VOICES = frozenset({52, 53, 54, 85})
"""General MIDI's choir aahs, voice oohs, synth voice and voice lead."""


@dataclass(frozen=True, slots=True)
class Playback:
    """How a score becomes sound: `renderer` plays the instruments, with the built-in font unless `soundfont` names one.

    `voice` says what the words' melody is sung by:
    "synth" is the synthesised voice, "font" the renderer's own, "auto" the synthesised one unless the genre has an
    instrument sing.
    """

    renderer: Renderer
    voice: Voice = "auto"
    soundfont: Path | None = None

    @property
    def name(self) -> str:
        """What plays the instruments: the same name plays the same notes alike."""
        return f"{self.renderer} {self.soundfont.stem}" if self.soundfont else self.renderer

    def sings(self, part: Part) -> bool:
        """Whether the synthesised voice sings the part."""
        chosen = self.voice == "synth" or (self.voice == "auto" and part.program in _VOICES)
        return part.singer is not None and chosen


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """The notes that start in one interval of time, shifted to start at 0; `start` is the interval's, in seconds."""

    start: float
    parts: tuple[Part, ...]


def available() -> Renderer:
    """The best installed renderer. Imports none."""
    found = importlib.util.find_spec("midirenderer") and importlib.util.find_spec("pretty_midi")
    return "soundfont" if found else "numpy"


def split(parts: Sequence[Part], start: float, end: float) -> list[AudioChunk]:
    """The notes that start between `start` and `end` seconds, in chunks of 8 to 20 seconds. Empty chunks are left out."""
    length = max(_MIN_CHUNK, min(_MAX_CHUNK, (end - start) / 3))
    found = []
    for number in range(max(1, math.ceil((end - start) / length))):
        first = start + number * length
        held = tuple(_within(part, first, min(end, first + length)) for part in parts)
        held = tuple(part for part in held if part.notes)
        if held:
            found.append(AudioChunk(first, held))
    return found


def render_parts(
    parts: Sequence[Part], renderer: Renderer, tail: float = _TAIL, font: Path | None = None
) -> NDArray[np.float32]:
    """The parts as float32 [frames, 2] at 48 kHz, with `tail` seconds after the end of the last note. Not clipped."""
    seconds = max(note.end for part in parts for note in part.notes) + tail
    if renderer == "numpy":
        from acestep_mcp.engines.draft.synth import synthesise

        return synthesise(parts, seconds, RATE)
    return _soundfont(parts, seconds, font)


def render(parts: Sequence[Part], playback: Playback, out: NDArray[np.float32], start: float = 0.0) -> Iterator[Step]:
    """Add the notes that start within `out` ([frames, 2] at 48 kHz, starting at `start` seconds) to it.

    Yields a step before each call of the renderer and one at the end.
    """
    sung = [part for part in parts if playback.sings(part)]
    # The renderer's own voice has no backing voices.
    played = [part for part in parts if part not in sung and (part.singer is None or part.name == "voice")]
    rest, repeated = without_repeats(_as_loud_as_the_built_in_font(played, playback))
    chunks = split(rest, start, start + len(out) / RATE)
    for number, chunk in enumerate(chunks):
        yield Step("rendering", number, len(chunks))
        sound = render_parts(chunk.parts, playback.renderer, font=playback.soundfont)
        first = round((chunk.start - start) * RATE)
        skipped = max(0, -first)
        target = out[max(0, first) : max(0, first + len(sound))]
        target += sound[skipped : skipped + len(target)]
    for batch in batches(repeated):
        yield Step("rendering", len(chunks), len(chunks) + 1)
        last = batch[-1][1]
        ringing = last.seconds - last.note.end
        sounds = render_parts(parts_of(batch), playback.renderer, ringing, playback.soundfont)
        add_repeats(batch, sounds, parts, out, start)
    if sung:
        from acestep_mcp.engines.draft.singing import add_voices

        yield Step("rendering", len(chunks), len(chunks) + 1)
        add_voices(sung, out, start)
    yield Step("rendering", len(chunks), max(1, len(chunks)))


def _within(part: Part, start: float, end: float) -> Part:
    notes = tuple(
        note._replace(start=note.start - start, end=note.end - start)
        for note in part.notes
        if start <= note.start < end
    )
    return replace(part, notes=notes)


def _as_loud_as_the_built_in_font(parts: Sequence[Part], playback: Playback) -> Sequence[Part]:
    """The parts with volumes for the font that is used."""
    font = playback.soundfont
    if font is None or playback.renderer != "soundfont":
        return parts
    from acestep_mcp.engines.draft.soundfont import check
    from acestep_mcp.engines.draft.soundfont_levels import balanced

    return balanced(parts, (str(font), *check(font)), _soundfont, partial(_soundfont, font=font))


def _soundfont(parts: Sequence[Part], seconds: float, font: Path | None = None) -> NDArray[np.float32]:
    import midirenderer
    import numpy as np

    from acestep_mcp.engines.draft.midi import file_bytes
    from acestep_mcp.engines.draft.soundfont import font_bytes, refuse

    played = font_bytes(font)
    try:
        rendered = midirenderer.render_wave_from(played, file_bytes(parts, seconds))
    except (ValueError, RuntimeError) as exc:
        if font is None:
            raise
        raise refuse(font, f"cannot be played: {exc}") from exc
    with wave.open(io.BytesIO(rendered)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return np.asarray(np.multiply(samples.reshape(-1, 2), np.float32(1 / 32768), dtype=np.float32))
