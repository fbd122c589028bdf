"""What the server has to make for a request, and how the song is put together from it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from acestep_mcp.api.edits import inpaint_window, outpaint_lengths
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, EngineRequest, TextToAudio
from acestep_mcp.audio import Sound
from acestep_mcp.audio.encoder import Shape, encode
from acestep_mcp.audio.splice import inpaint, outpaint
from acestep_mcp.engines.remote import Form, Task
from acestep_mcp.engines.remote.splicing import new_part


@dataclass(frozen=True, slots=True)
class Plan:
    """The songs to be made, in order, and what joins them; `joined` None: the only song is the result as it came."""

    tasks: tuple[Task, ...]
    joined: Callable[[list[Sound]], Sound] | None = None
    notes: tuple[str, ...] = ()

    def with_lora(self, lora: tuple[str, float] | None) -> Plan:
        return replace(self, tasks=tuple(replace(task, lora=lora) for task in self.tasks))


def plan_of(request: EngineRequest, source: Sound | None, form: Form) -> Plan:
    """Raises InvalidRequest for values that do not fit the source."""
    seed = request.seed or 0
    if isinstance(request, TextToAudio):
        return Plan((Task("text", request, seed, form),))
    if source is None:
        raise TypeError(f"{type(request).__name__} came without the song to edit")
    match request:
        case AudioToAudio():
            return Plan((Task(request.edit_mode, request, seed, form, as_wav(source)),))
        case AudioInpaint():
            return _inpaint(request, source)
        case AudioOutpaint():
            return _outpaint(request, source)
    assert_never(request)


def _inpaint(request: AudioInpaint, source: Sound) -> Plan:
    window = inpaint_window(request, source.seconds)
    kept = [((0.0, window.start), 0.0), ((window.end, source.seconds), 0.0)]

    def joined(made: list[Sound]) -> Sound:
        new = new_part(source, made[0], (window.start, window.end), kept, source.seconds)
        return inpaint(source, new, window.start, window.end)

    task = Task("repaint", request, request.seed or 0, "exact", as_wav(source), window.start, window.end)
    return Plan((task,), joined, window.notes)


def _outpaint(request: AudioOutpaint, source: Sound) -> Plan:
    """Each side in a job of its own: one job would renew everything between them too."""
    lengths, seconds, wav = outpaint_lengths(request, source.seconds), source.seconds, as_wav(source)
    tasks = []
    if lengths.before:
        tasks.append(Task("repaint", request, request.seed or 0, "exact", wav, -lengths.before, 0.0))
    if lengths.after:
        seed = ((request.seed or 0) + len(tasks)) % 2**32
        tasks.append(Task("repaint", request, seed, "exact", wav, seconds, seconds + lengths.after))

    def joined(made: list[Sound]) -> Sound:
        before = after = None
        if lengths.before:
            kept = [((0.0, seconds), lengths.before)]
            before = new_part(source, made[0], (0.0, lengths.before), kept, seconds + lengths.before)
        if lengths.after:
            span = (seconds, seconds + lengths.after)
            after = new_part(source, made[-1], span, [((0.0, seconds), 0.0)], seconds + lengths.after)
        return outpaint(source, before, after, (lengths.before, lengths.after))

    return Plan(tuple(tasks), joined)


def as_wav(sound: Sound) -> bytes:
    """The song as a WAV file of its own samples, which both servers read."""
    file = io.BytesIO()
    encode(file, [sound.pcm], Shape(sound.sample_rate, sound.channels, sound.bits), "wav")
    return file.getvalue()
