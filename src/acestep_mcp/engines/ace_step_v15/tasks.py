"""What each endpoint means to the pipeline: a request, and the song it edits, become a sound."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from acestep_mcp.api.edits import inpaint_window, outpaint_lengths
from acestep_mcp.api.errors import FieldError, GenerationFailed, InvalidRequest
from acestep_mcp.api.requests import LONGEST, AudioInpaint, AudioOutpaint, AudioToAudio, Request, TextToAudio
from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import from_float, to_float
from acestep_mcp.audio.splice import inpaint as spliced_in
from acestep_mcp.audio.splice import outpaint as spliced_on
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.ace_step_v15 import conditioning
from acestep_mcp.engines.ace_step_v15.conditioning import Described
from acestep_mcp.engines.model.engine import Song
from acestep_mcp.engines.model.windows import windows

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v15.weights import Loaded

Samples = NDArray[np.float32]

_STARTS = {"lyrics": 0.65, "remix": 0.9}
"""How much noise the source is begun anew from, at most (1 is nothing but noise)."""
_COVERS = {"lyrics": 1.0, "remix": 0.6}
"""How closely a model that can hear a song's structure keeps to it."""
_WHOLLY_NEW = 0.5
"""The variance from which a window is made from nothing but noise."""
_LEAST_BESIDE = 15.0
"""Seconds of the song on each side of new music that are heard at least; together they are as long as a whole song."""
_PEAK = 10 ** (-1 / 20)
_FADE = 0.030
_WINDOW, _NEAR = 384, 64
"""Latent frames decoded at a time, and those on each side that are looked at for them: the autoencoder's own numbers."""


def play(loaded: Loaded, request: Request, source: Source | None) -> Song:
    """Steps, then the finished song. Raises InvalidRequest for values that do not fit the source."""
    try:
        match request, source:
            case TextToAudio(), None:
                return (yield from _new(loaded, request))
            case AudioToAudio(), Source():
                return (yield from _remade(loaded, request, source.sound))
            case AudioInpaint(), Source():
                return (yield from _inpainted(loaded, request, source.sound))
            case AudioOutpaint(), Source():
                return (yield from _outpainted(loaded, request, source.sound))
        raise TypeError(f"no song is made of {type(request).__name__} with {type(source).__name__}")
    finally:
        loaded.pipe.maybe_free_model_hooks()  # whatever ended the song, nothing stays on the device with offload


def _new(loaded: Loaded, request: TextToAudio) -> Song:
    length = math.ceil(request.duration * loaded.pipe.latents_per_second)
    timesteps = conditioning.schedule(loaded, request)
    latents = yield from _denoised(loaded, request, _noise(loaded, request, length), timesteps)
    music = yield from _decoded(loaded, latents)
    return _whole(loaded, request, music[: round(request.duration * _rate(loaded))])


def _remade(loaded: Loaded, request: AudioToAudio, source: Sound) -> Song:
    samples = _heard(loaded, source)
    length = samples.shape[-1] // _hop(loaded)
    noise = _noise(loaded, request, length)
    if loaded.covers:
        task: dict[str, Any] = {
            "task_type": "cover",
            "src_audio": samples,
            "audio_cover_strength": _COVERS[request.edit_mode],
        }
        latents = yield from _denoised(loaded, request, noise, conditioning.schedule(loaded, request), **task)
    else:
        timesteps = conditioning.schedule(loaded, request, _STARTS[request.edit_mode])
        begun = yield from _begun(loaded, samples, noise, timesteps[0])
        latents = yield from _denoised(loaded, request, begun, timesteps)
    music = yield from _decoded(loaded, latents)
    return _whole(loaded, request, music[: round(source.seconds * _rate(loaded))])


def _inpainted(loaded: Loaded, request: AudioInpaint, source: Sound) -> Song:
    window = inpaint_window(request, source.seconds)
    _check_length(window.end - window.start)
    frames = loaded.pipe.latents_per_second
    beside = _beside(window.end - window.start)
    near, origin = _part(source, window.start - beside, window.end + beside)
    start, end = window.start - origin, window.end - origin
    first = int(start * frames)
    new = range(first, max(first + 1, math.ceil(end * frames)))
    noise = min(1.0, request.variance / _WHOLLY_NEW)
    latents = yield from _repainted(loaded, request, _heard(loaded, near), new, start=noise)
    begin = max(0, new.start - _NEAR)
    music = yield from _decoded(loaded, latents[:, begin : new.stop + _NEAR])
    lead = min(_FADE, start)
    made = _cut(loaded, music, start - lead - begin / frames, end - begin / frames)
    sound = spliced_in(source, made, window.start, window.end, fade=_FADE, lead=lead)
    return Audio(sound, request.tags, request.lyrics, (*window.notes, *conditioning.notes(loaded, request)))


def _outpainted(loaded: Loaded, request: AudioOutpaint, source: Sound) -> Song:
    """Each side by itself: the pipeline paints one stretch at a time."""
    lengths = outpaint_lengths(request, source.seconds)
    overlap = min(_FADE, source.seconds / 2)
    before = after = None
    if lengths.before:
        before = yield from _extended(loaded, request, source, lengths.before, overlap, at_end=False)
    if lengths.after:
        after = yield from _extended(loaded, request, source, lengths.after, overlap, at_end=True)
    sound = spliced_on(source, before, after, fade=_FADE, overlap=overlap)
    return Audio(sound, request.tags, request.lyrics, conditioning.notes(loaded, request))


def _extended(
    loaded: Loaded, request: AudioOutpaint, source: Sound, seconds: float, overlap: float, *, at_end: bool
) -> Generator[Step, None, Sound]:
    """So many seconds of new music beside a song, and `overlap` seconds of it as the model hears it."""
    frames = loaded.pipe.latents_per_second
    quiet = np.zeros((2, round(seconds * _rate(loaded))), np.float32)
    kept = 2 * _beside(seconds)
    near, _ = _part(source, source.seconds - kept, source.seconds) if at_end else _part(source, 0, kept)
    heard = _resampled(loaded, near)
    samples = _filled(loaded, np.concatenate([heard, quiet] if at_end else [quiet, heard], axis=1))
    length = samples.shape[-1] // _hop(loaded)
    first = min(int(near.seconds * frames), length - 1) if at_end else 0
    new = range(first, length if at_end else math.ceil(seconds * frames))
    latents = yield from _repainted(loaded, request, samples, new, part=int(at_end))
    begin = max(0, new.start - _NEAR)
    music = yield from _decoded(loaded, latents[:, begin : new.stop + _NEAR])
    edge = (near.seconds - overlap if at_end else 0) - begin / frames
    return _cut(loaded, music, edge, edge + overlap + seconds)


def _check_length(seconds: float) -> None:
    if seconds > LONGEST:
        message = (
            f"the window is {seconds:g} s long and this model makes at most {LONGEST} s anew at once; choose a part"
        )
        raise InvalidRequest.of(FieldError("end_time", message, "audio_duration_too_long"))


def _beside(seconds: float) -> float:
    """Seconds of the song on each side that are heard with so many new ones: memory grows with the square of both."""
    return max(_LEAST_BESIDE, (LONGEST - seconds) / 2)


def _part(source: Sound, start: float, end: float) -> tuple[Sound, float]:
    """What of the song lies between, and the second in which it begins."""
    first, last = max(0, round(start * source.sample_rate)), max(0, round(end * source.sample_rate))
    return replace(source, pcm=source.pcm[first:last]), first / source.sample_rate


def _repainted(
    loaded: Loaded, request: Described, samples: Tensor, new: range, *, start: float = 1.0, part: int = 0
) -> Generator[Step, None, Tensor]:
    """The latents of a song whose frames in `new` are new. `part` numbers the stretches of one song."""
    frames = loaded.pipe.latents_per_second
    begun = _noise(loaded, request, samples.shape[-1] // _hop(loaded), part)
    timesteps = conditioning.schedule(loaded, request, start)
    if timesteps[0] < 1:
        begun = yield from _begun(loaded, samples, begun, timesteps[0])
    # Half a frame more keeps what the pipeline rounds down from falling below the frame.
    edges = {"repainting_start": (new.start + 0.5) / frames, "repainting_end": (new.stop + 0.5) / frames}
    task = {"task_type": "repaint", "src_audio": samples, **edges}
    return (yield from _denoised(loaded, request, begun, timesteps, **task))


def _denoised(
    loaded: Loaded, request: Described, begun: Tensor, timesteps: list[float], **task: Any
) -> Generator[Step, None, Tensor]:
    """Run the pipeline in a thread of its own, since it gives its steps to a function; closing this stops it."""
    task |= {"latents": begun, "audio_duration": _seconds(loaded, begun.shape[1]), "timesteps": timesteps}
    steps: SimpleQueue[int | None] = SimpleQueue()
    stopped = Event()

    def told(pipe: Any, number: int, _: float, __: dict[str, Any]) -> dict[str, Any]:
        steps.put(number + 1)
        pipe._interrupt = stopped.is_set()  # noqa: SLF001 - the way its documentation names
        return {}

    yield Step("reading the words", 0, 1)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(_run, loaded, request, {**task, "callback_on_step_end": told})
        running.add_done_callback(lambda _: steps.put(None))
        try:
            while (number := steps.get()) is not None:
                yield Step("denoising", number, len(timesteps))
        finally:
            stopped.set()
        latents = running.result()
    return _finite(latents)


def _run(loaded: Loaded, request: Described, task: dict[str, Any]) -> Tensor:
    task |= {"num_inference_steps": len(task["timesteps"]), "output_type": "latent"}
    said = conditioning.words(loaded, request) | conditioning.guidance(loaded, request, task["timesteps"])
    with torch.inference_mode(), _seeded(loaded, request):
        latents: Tensor = loaded.pipe(**said, **task).audios
    return latents


def _finite(numbers: Tensor) -> Tensor:
    if not torch.isfinite(numbers).all():
        raise GenerationFailed(
            "The model's numbers ran away and there is no song in them. Ask again with another seed or, if you gave a "
            "guidance_scale, with a lower one; in float16 choose --dtype bfloat16 or float32."
        )
    return numbers


def _decoded(loaded: Loaded, latents: Tensor) -> Generator[Step, None, Samples]:
    """The waveform [samples, 2] of latents [1, T, C], in windows: between two it can be stopped."""
    pieces = list(windows(latents.shape[1], _WINDOW, _NEAR))
    parts: list[Tensor] = []
    for piece in pieces:
        sample = loaded.pipe.vae.decode(piece.of(latents.transpose(1, 2))).sample
        parts.append(_finite(piece.own(sample[0].float(), _hop(loaded))).cpu())
        yield Step("decoding", len(parts), len(pieces))
    music: Samples = torch.cat(parts, dim=-1).T.numpy()
    return music


def _begun(loaded: Loaded, samples: Tensor, noise: Tensor, share: float) -> Generator[Step, None, Tensor]:
    """The source on the straight way between itself and noise, where `share` of it is noise."""
    yield Step("listening to the source", 0, 1)
    vae = loaded.pipe.vae
    heard = vae.encode(samples[None].to(loaded.device, vae.dtype)).latent_dist.mode()
    begun: Tensor = noise * share + heard.transpose(1, 2).float().cpu() * (1 - share)
    return begun


def _noise(loaded: Loaded, request: Request, length: int, part: int = 0) -> Tensor:
    """Drawn on the processor, so that a seed means the same on every device."""
    generator = torch.Generator().manual_seed(((request.seed or 0) + part) % 2**32)
    return torch.randn(1, length, loaded.pipe.transformer.config.audio_acoustic_hidden_dim, generator=generator)


@contextmanager
def _seeded(loaded: Loaded, request: Request) -> Iterator[None]:
    """The pipeline's autoencoder draws from the common generators, which are as they were afterwards."""
    with torch.random.fork_rng([loaded.device] if loaded.device.type == "cuda" else []):
        torch.manual_seed(request.seed or 0)
        yield


def _seconds(loaded: Loaded, length: int) -> float:
    """Seconds that the pipeline, which rounds up, takes for so many frames."""
    frames = loaded.pipe.latents_per_second
    seconds = length / frames
    while math.ceil(seconds * frames) > length:
        seconds = math.nextafter(seconds, 0)
    return float(seconds)


def _whole(loaded: Loaded, request: TextToAudio | AudioToAudio, music: Samples) -> Audio:
    """A new song, as loud as the family's songs are: its peak at -1 dBFS."""
    music = music * (_PEAK / max(float(np.abs(music).max(initial=0)), 1e-6))
    return Audio(
        from_float(music, _rate(loaded), 16), request.tags, request.lyrics, conditioning.notes(loaded, request)
    )


def _heard(loaded: Loaded, source: Sound) -> Tensor:
    return _filled(loaded, _resampled(loaded, source))


def _resampled(loaded: Loaded, source: Sound) -> Samples:
    """[2, samples] at the model's rate."""
    samples = to_float(source)
    if source.sample_rate != _rate(loaded):
        samples = soxr.resample(samples, source.sample_rate, _rate(loaded)).reshape(-1, source.channels)
    return np.repeat(samples, 2, axis=1).T if source.channels == 1 else samples[:, :2].T


def _filled(loaded: Loaded, samples: Samples) -> Tensor:
    """Silence after it up to a whole latent frame, one at least."""
    missing = -samples.shape[1] % _hop(loaded) if samples.size else _hop(loaded)
    return torch.from_numpy(np.pad(samples, ((0, 0), (0, missing))))


def _cut(loaded: Loaded, music: Samples, start: float, end: float) -> Sound:
    first, last = round(start * _rate(loaded)), round(end * _rate(loaded))
    return from_float(music[first:last], _rate(loaded), 24)


def _rate(loaded: Loaded) -> int:
    return int(loaded.pipe.sample_rate)


def _hop(loaded: Loaded) -> int:
    return int(loaded.pipe.vae.hop_length)
