"""How the pipeline runs each kind of request, from the request and its source to the finished audio."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acestep_mcp.api.edits import inpaint_window, outpaint_lengths
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import (
    AudioInpaint,
    AudioOutpaint,
    AudioToAudio,
    EngineRequest,
    Request,
    TextToAudio,
)
from acestep_mcp.audio import Sound
from acestep_mcp.audio.resample import resampled_array
from acestep_mcp.audio.splice import from_float, to_float
from acestep_mcp.audio.splice import inpaint as splice_inpainted
from acestep_mcp.audio.splice import outpaint as splice_outpainted
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.ace_step_v15 import conditioning
from acestep_mcp.engines.ace_step_v15.loaded import LoadedV15
from acestep_mcp.engines.model.engine import SongRun
from acestep_mcp.engines.model.song_tasks import SongTasks, cut, require_finite
from acestep_mcp.engines.model.windows import windows

Samples = NDArray[np.float32]

LONGEST = 600
"""Seconds that the model makes at once; a request for a new song can ask for 240, an edit can reach all of them."""
_START_NOISE = {"lyrics": 0.65, "remix": 0.9}
"""Highest timestep at which the noised source is started from (1 is pure noise)."""
_COVER_STRENGTH = {"lyrics": 1.0, "remix": 0.6}
"""How closely a model with an audio tokenizer follows the source's structure."""
_FULL_NOISE_VARIANCE = 0.5
"""The variance from which a window starts from pure noise."""
_MIN_CONTEXT = 15.0
"""Minimum seconds of the source on each side of new music; at most all three together are as long as a whole song."""
_PEAK = 10 ** (-1 / 20)
_WINDOW, _CONTEXT_FRAMES = 384, 64
"""Latent frames per decoding window, and of context on each side: the values of the autoencoder's own tiling."""
_ADVICE = (
    "Try another seed or, if you gave a guidance_scale, a lower one; in float16 choose --dtype bfloat16 or float32."
)


def run(
    loaded: LoadedV15, request: EngineRequest, source: Source | None, adapters: Sequence[tuple[Path, float]] = ()
) -> SongRun:
    """`adapters` are files and weights. Raises InvalidRequest for values that do not fit the source."""
    try:
        with loaded.adapters.active(adapters):
            return (yield from TASKS.run(loaded, request, source))
    finally:
        loaded.pipe.maybe_free_model_hooks()  # with offload, nothing stays on the device, however the run ended


def _text_to_audio(loaded: LoadedV15, request: TextToAudio) -> SongRun:
    length = math.ceil(request.duration * loaded.pipe.latents_per_second)
    timesteps = conditioning.timesteps(loaded, request)
    latents = yield from _denoise(loaded, request, _noise(loaded, request, length), timesteps)
    waveform = yield from _decode(loaded, latents)
    return _normalized(loaded, request, waveform[: round(request.duration * loaded.sample_rate)])


def _audio_to_audio(loaded: LoadedV15, request: AudioToAudio, source: Sound) -> SongRun:
    samples = _model_samples(loaded, source)
    noise = _noise(loaded, request, samples.shape[-1] // loaded.hop)
    # New words are sung in the voice of the source; a remix has another sound.
    task: dict[str, Any] = {"reference_audio": samples} if request.edit_mode == "lyrics" else {}
    if loaded.covers:
        strength = _COVER_STRENGTH[request.edit_mode]
        task |= {"task_type": "cover", "src_audio": samples, "audio_cover_strength": strength}
        latents = yield from _denoise(loaded, request, noise, conditioning.timesteps(loaded, request), **task)
    else:
        timesteps = conditioning.timesteps(loaded, request, _START_NOISE[request.edit_mode])
        start = yield from _noised_source(loaded, samples, noise, timesteps[0])
        latents = yield from _denoise(loaded, request, start, timesteps, **task)
    waveform = yield from _decode(loaded, latents)
    return _normalized(loaded, request, waveform[: round(source.seconds * loaded.sample_rate)])


def _audio_inpaint(loaded: LoadedV15, request: AudioInpaint, source: Sound) -> SongRun:
    window = inpaint_window(request, source.seconds)
    _check_length(window.end - window.start)
    frame_rate = loaded.pipe.latents_per_second
    context = _context_seconds(window.end - window.start)
    part, origin = _excerpt(source, window.start - context, window.end + context)
    start, end = window.start - origin, window.end - origin
    first = int(start * frame_rate)
    frames = range(first, max(first + 1, math.ceil(end * frame_rate)))
    start_noise = min(1.0, request.variance / _FULL_NOISE_VARIANCE)
    latents = yield from _repaint(loaded, request, _model_samples(loaded, part), frames, start=start_noise)
    begin = max(0, frames.start - _CONTEXT_FRAMES)
    waveform = yield from _decode(loaded, latents[:, begin : frames.stop + _CONTEXT_FRAMES])
    offset = begin / frame_rate
    new = cut(waveform, loaded.sample_rate, start - offset, end - offset)
    sound = splice_inpainted(source, new, window.start, window.end)
    return Audio(sound, request.tags, request.lyrics, (*window.notes, *conditioning.notes(loaded, request)))


def _audio_outpaint(loaded: LoadedV15, request: AudioOutpaint, source: Sound) -> SongRun:
    """Each side in a run of its own: the pipeline repaints one stretch at a time."""
    lengths = outpaint_lengths(request, source.seconds)
    before = after = None
    if lengths.before:
        before = yield from _extend(loaded, request, source, lengths.before, at_end=False)
    if lengths.after:
        after = yield from _extend(loaded, request, source, lengths.after, at_end=True)
    sound = splice_outpainted(source, before, after, (lengths.before, lengths.after))
    return Audio(sound, request.tags, request.lyrics, conditioning.notes(loaded, request))


TASKS = SongTasks(_text_to_audio, _audio_to_audio, _audio_inpaint, _audio_outpaint)


def _extend(
    loaded: LoadedV15, request: AudioOutpaint, source: Sound, seconds: float, *, at_end: bool
) -> Generator[Step, None, Sound]:
    """New music beside the source."""
    frame_rate = loaded.pipe.latents_per_second
    silence = np.zeros((2, round(seconds * loaded.sample_rate)), np.float32)
    kept = 2 * _context_seconds(seconds)
    part, _ = _excerpt(source, source.seconds - kept, source.seconds) if at_end else _excerpt(source, 0, kept)
    old = _resample(loaded, part)
    samples = _pad_to_frame(loaded, np.concatenate([old, silence] if at_end else [silence, old], axis=1))
    length = samples.shape[-1] // loaded.hop
    first = min(int(part.seconds * frame_rate), length - 1) if at_end else 0
    frames = range(first, length if at_end else math.ceil(seconds * frame_rate))
    latents = yield from _repaint(loaded, request, samples, frames, number=int(at_end))
    begin = max(0, frames.start - _CONTEXT_FRAMES)
    waveform = yield from _decode(loaded, latents[:, begin : frames.stop + _CONTEXT_FRAMES])
    start = (part.seconds if at_end else 0) - begin / frame_rate
    return cut(waveform, loaded.sample_rate, start, start + seconds)


def _check_length(seconds: float) -> None:
    if seconds > LONGEST:
        message = f"the window is {seconds:g} s long and this model makes at most {LONGEST} s at once; choose a part"
        raise InvalidRequest.of(FieldError("end_time", message, "audio_duration_too_long"))


def _context_seconds(seconds: float) -> float:
    """Seconds of the source on each side of `seconds` of new music: memory grows with the square of their sum."""
    return max(_MIN_CONTEXT, (LONGEST - seconds) / 2)


def _excerpt(source: Sound, start: float, end: float) -> tuple[Sound, float]:
    """The source between two times, clipped to its ends, and the second at which the excerpt begins."""
    first, last = max(0, round(start * source.sample_rate)), max(0, round(end * source.sample_rate))
    return replace(source, pcm=source.pcm[first:last]), first / source.sample_rate


def _repaint(
    loaded: LoadedV15, request: EngineRequest, samples: Tensor, frames: range, *, start: float = 1.0, number: int = 0
) -> Generator[Step, None, Tensor]:
    """Latents of a song in which `frames` are generated. Runs of one song differ in `number`, which shifts the seed."""
    frame_rate = loaded.pipe.latents_per_second
    latents = _noise(loaded, request, samples.shape[-1] // loaded.hop, number)
    timesteps = conditioning.timesteps(loaded, request, start)
    if timesteps[0] < 1:
        latents = yield from _noised_source(loaded, samples, latents, timesteps[0])
    # Half a frame more, since the pipeline rounds down and could miss the frame.
    edges = {
        "repainting_start": (frames.start + 0.5) / frame_rate,
        "repainting_end": (frames.stop + 0.5) / frame_rate,
    }
    task = {"task_type": "repaint", "src_audio": samples, **edges}
    return (yield from _denoise(loaded, request, latents, timesteps, **task))


def _denoise(
    loaded: LoadedV15, request: EngineRequest, latents: Tensor, timesteps: list[float], **task: Any
) -> Generator[Step, None, Tensor]:
    """Run the pipeline in a thread, since it reports steps to a callback. Closing the generator stops it."""
    task |= {"latents": latents, "audio_duration": _pipeline_seconds(loaded, latents.shape[1]), "timesteps": timesteps}
    steps: SimpleQueue[int | None] = SimpleQueue()
    stopped = Event()

    def on_step_end(pipe: Any, number: int, _: float, __: dict[str, Any]) -> dict[str, Any]:
        steps.put(number + 1)
        pipe._interrupt = stopped.is_set()  # noqa: SLF001 - the way its documentation names
        return {}

    yield Step("encoding tags and lyrics", 0, 1)
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(_run_pipeline, loaded, request, {**task, "callback_on_step_end": on_step_end})
        result.add_done_callback(lambda _: steps.put(None))
        try:
            while (number := steps.get()) is not None:
                yield Step("denoising", number, len(timesteps))
        finally:
            stopped.set()
        return require_finite(result.result(), _ADVICE)


def _run_pipeline(loaded: LoadedV15, request: EngineRequest, task: dict[str, Any]) -> Tensor:
    task |= {"num_inference_steps": len(task["timesteps"]), "output_type": "latent"}
    text = conditioning.text_arguments(loaded, request)
    guidance = conditioning.guidance_arguments(loaded, request, task["timesteps"])
    with torch.inference_mode(), _seeded(loaded, request):
        latents: Tensor = loaded.pipe(**text, **guidance, **task).audios
    return latents


def _decode(loaded: LoadedV15, latents: Tensor) -> Generator[Step, None, Samples]:
    """The waveform [samples, 2] of latents [1, T, C], in windows; the run can be stopped between two."""
    parts = list(windows(latents.shape[1], _WINDOW, _CONTEXT_FRAMES))
    decoded: list[Tensor] = []
    for part in parts:
        sample = loaded.pipe.vae.decode(part.with_context(latents.transpose(1, 2))).sample
        decoded.append(require_finite(part.without_context(sample[0].float(), loaded.hop), _ADVICE).cpu())
        yield Step("decoding", len(decoded), len(parts))
    waveform: Samples = torch.cat(decoded, dim=-1).T.numpy()
    return waveform


def _noised_source(loaded: LoadedV15, samples: Tensor, noise: Tensor, timestep: float) -> Generator[Step, None, Tensor]:
    """The source's latents at a timestep: noise * t + latents * (1 - t)."""
    yield Step("encoding the source", 0, 1)
    vae = loaded.pipe.vae
    latents = vae.encode(samples[None].to(loaded.device, vae.dtype)).latent_dist.mode()
    noised: Tensor = noise * timestep + latents.transpose(1, 2).float().cpu() * (1 - timestep)
    return noised


def _noise(loaded: LoadedV15, request: Request, length: int, number: int = 0) -> Tensor:
    """Noise [1, length, C], drawn on the CPU so that a seed gives the same noise on every device."""
    generator = torch.Generator().manual_seed(((request.seed or 0) + number) % 2**32)
    return torch.randn(1, length, loaded.pipe.transformer.config.audio_acoustic_hidden_dim, generator=generator)


@contextmanager
def _seeded(loaded: LoadedV15, request: Request) -> Iterator[None]:
    """Seed the global generators, which the pipeline's autoencoder samples from, and restore them afterwards."""
    with torch.random.fork_rng([loaded.device] if loaded.device.type == "cuda" else []):
        torch.manual_seed(request.seed or 0)
        yield


def _pipeline_seconds(loaded: LoadedV15, length: int) -> float:
    """A duration that the pipeline, which rounds up, converts to exactly `length` frames."""
    frame_rate = loaded.pipe.latents_per_second
    seconds = length / frame_rate
    while math.ceil(seconds * frame_rate) > length:
        seconds = math.nextafter(seconds, 0)
    return float(seconds)


def _normalized(loaded: LoadedV15, request: TextToAudio | AudioToAudio, waveform: Samples) -> Audio:
    """A new song with its peak at -1 dBFS, the usual level of this family of models."""
    waveform = waveform * (_PEAK / max(float(np.abs(waveform).max(initial=0)), 1e-6))
    sound = from_float(waveform, loaded.sample_rate, 16)
    return Audio(sound, request.tags, request.lyrics, conditioning.notes(loaded, request))


def _model_samples(loaded: LoadedV15, source: Sound) -> Tensor:
    """[2, samples] at the model's rate, padded to whole latent frames."""
    return _pad_to_frame(loaded, _resample(loaded, source))


def _resample(loaded: LoadedV15, source: Sound) -> Samples:
    """[2, samples] at the model's rate."""
    samples = to_float(source)
    if source.sample_rate != loaded.sample_rate:
        samples = resampled_array(samples, source.sample_rate, loaded.sample_rate)
    return np.repeat(samples, 2, axis=1).T if source.channels == 1 else samples[:, :2].T


def _pad_to_frame(loaded: LoadedV15, samples: Samples) -> Tensor:
    """Append silence up to a whole latent frame; empty input becomes one frame."""
    missing = -samples.shape[1] % loaded.hop if samples.size else loaded.hop
    return torch.from_numpy(np.pad(samples, ((0, 0), (0, missing))))
