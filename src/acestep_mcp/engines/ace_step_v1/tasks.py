"""What each endpoint means to the model: a request, and the song it edits, become a sound."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import soxr
import torch
from torch import Tensor

from acestep_mcp.api.edits import inpaint_window, minimum_guidance, outpaint_lengths
from acestep_mcp.api.errors import FieldError, GenerationFailed, InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, Request, TextToAudio, is_instrumental
from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import from_float, to_float
from acestep_mcp.audio.splice import inpaint as spliced_in
from acestep_mcp.audio.splice import outpaint as spliced_on
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.ace_step_v1 import long_form
from acestep_mcp.engines.ace_step_v1.codec import OUTPUT_RATE, SAMPLES_PER_FRAME
from acestep_mcp.engines.ace_step_v1.denoiser import Said
from acestep_mcp.engines.ace_step_v1.flow import Flow
from acestep_mcp.engines.ace_step_v1.guidance import Guidance
from acestep_mcp.engines.ace_step_v1.sampling import Noise, Plan, Run, Sampler, frames, noise_of
from acestep_mcp.engines.ace_step_v1.spectrum import RATE
from acestep_mcp.engines.ace_step_v1.text import MAX_TOKENS
from acestep_mcp.engines.model.engine import Song

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v1.weights import Loaded

_EDITS = {"lyrics": (0.6, 1.0), "remix": (0.2, 0.4)}
_NO_USE = "This model has no use for {} {}."
_NOT_IN_REMIX = {
    "scheduler", "guidance_type", "granularity_scale", "guidance_interval", "guidance_interval_decay",
    "minimum_guidance_scale", "tag_guidance_scale", "lyric_guidance_scale", "original_seed",
}  # fmt: skip
_CUT = f"The model reads {MAX_TOKENS} tokens of tags and no more: the last ones were not heard."
_FADE = 0.030
_NEAR = 147
"""Latent frames beside a stretch that are decoded with it, so that it sounds as in its place."""
_MOST_LYRICS = 16_384
"""Tokens; a song of 240 s has a few hundred, and time and memory grow with their square."""
_MOST_TAPS = 4_000_000
"""Taps of the published resampling's filters; odd rates (44,101 Hz) would need gigabytes of them."""
_SECONDS_PER_FRAME = SAMPLES_PER_FRAME / RATE


def play(loaded: Loaded, request: Request, source: Source | None) -> Song:
    """Steps, then the finished song. Raises InvalidRequest for values that do not fit the source."""
    match request, source:
        case TextToAudio(), None:
            return _new(loaded, request)
        case AudioToAudio(), Source():
            return _remade(loaded, request, source.sound)
        case AudioInpaint(), Source():
            return _inpainted(loaded, request, source.sound)
        case AudioOutpaint(), Source():
            return _outpainted(loaded, request, source.sound)
    raise TypeError(f"no song is made of {type(request).__name__} with {type(source).__name__}")


def _new(loaded: Loaded, request: TextToAudio) -> Song:
    said = yield from _said(loaded, request.tags, request.lyrics)
    plan, notes = _plan(request)
    with loaded.using("denoiser"):
        sampler = Sampler(loaded.denoiser, said, plan)
        noise = noise_of(request.seed or 0, loaded.denoiser)
        latents = yield from _sampled(sampler.from_noise(noise(frames(request.duration))))
    music = yield from _decoded(loaded, latents)
    return Audio(from_float(music, OUTPUT_RATE, 16), request.tags, request.lyrics, (*_cut_off(loaded, request), *notes))


def _remade(loaded: Loaded, request: AudioToAudio, source: Sound) -> Song:
    before = yield from _said(loaded, request.original_tags, request.original_lyrics)
    after = yield from _said(loaded, request.tags, request.lyrics)
    latents = yield from _encoded(loaded, source)
    begin, end = _EDITS[request.edit_mode]
    plan = Plan(request.number_of_steps, guidance=Guidance(scale=request.guidance_scale))
    with loaded.using("denoiser"):
        flow = Flow(before, after, begin=begin, end=end)
        noise = noise_of(request.seed or 0, loaded.denoiser)
        latents = yield from _sampled(flow.run(loaded.denoiser, plan, latents, noise))
    music = yield from _decoded(loaded, latents)
    music = music[: round(source.seconds * OUTPUT_RATE)]
    notes = (*_cut_off(loaded, request), *_unused(request))
    return Audio(from_float(music, OUTPUT_RATE, 16), request.tags, request.lyrics, notes)


def _inpainted(loaded: Loaded, request: AudioInpaint, source: Sound) -> Song:
    window = inpaint_window(request, source.seconds)
    plan, notes = _plan(request)
    said = yield from _said(loaded, request.tags, request.lyrics)
    latents = yield from _encoded(loaded, source)
    length = latents.shape[-1]
    first = min(frames(window.start), length - 1)
    last = length if window.end >= source.seconds else max(first + 1, frames(window.end))
    with loaded.using("denoiser"):
        run = long_form.inpaint(
            Sampler(loaded.denoiser, said, plan),
            latents,
            range(first, last),
            request.variance,
            _noises(loaded, request),
        )
        latents = yield from _sampled(run)
    begin = max(0, first - _NEAR)
    music = yield from _decoded(loaded, latents[..., begin : last + _NEAR])
    lead = min(_FADE, window.start)
    new = _cut(music, window.start - lead - begin * _SECONDS_PER_FRAME, window.end - begin * _SECONDS_PER_FRAME)
    sound = spliced_in(source, new, window.start, window.end, fade=_FADE, lead=lead)
    return Audio(sound, request.tags, request.lyrics, (*window.notes, *_cut_off(loaded, request), *notes))


def _outpainted(loaded: Loaded, request: AudioOutpaint, source: Sound) -> Song:
    lengths = outpaint_lengths(request, source.seconds)
    plan, notes = _plan(request)
    said = yield from _said(loaded, request.tags, request.lyrics)
    latents = yield from _encoded(loaded, source)
    # A last frame that the song does not fill is made anew, with the seconds after it.
    length = max(1, frames(source.seconds))
    left, right = _frames_over(lengths.before), _frames_over(lengths.after + source.seconds) - length
    sides = (left, right if lengths.after else 0)
    with loaded.using("denoiser"):
        sampler = Sampler(loaded.denoiser, said, plan)
        run = long_form.outpaint(sampler, latents[..., :length], sides, _noises(loaded, request))
        latents = yield from _sampled(run)
    parts: list[Sound | None] = [None, None]
    overlap = min(_FADE, source.seconds / 2)
    start = left * _SECONDS_PER_FRAME
    if lengths.before:
        music = yield from _decoded(loaded, latents[..., : left + _NEAR])
        parts[0] = _cut(music, start - lengths.before, start + overlap)
    if lengths.after:
        begin = max(0, left + length - _NEAR)
        music = yield from _decoded(loaded, latents[..., begin:])
        end = start + source.seconds - begin * _SECONDS_PER_FRAME
        parts[1] = _cut(music, end - overlap, end + lengths.after)
    sound = spliced_on(source, parts[0], parts[1], fade=_FADE, overlap=overlap)
    return Audio(sound, request.tags, request.lyrics, (*_cut_off(loaded, request), *notes))


def _plan(request: Request) -> tuple[Plan, tuple[str, ...]]:
    floor, notes = minimum_guidance(request)
    guidance = Guidance(
        kind=request.guidance_type,
        scale=request.guidance_scale,
        interval=request.guidance_interval,
        decay=request.guidance_interval_decay,
        minimum=floor,
        tag_scale=request.tag_guidance_scale,
        lyric_scale=request.lyric_guidance_scale,
    )
    given = request.model_fields_set & {"guidance_scale", "guidance_type", "guidance_interval_decay"}
    if given and guidance.on and guidance.double:
        notes = (*notes, _NO_USE.format(", ".join(sorted(given)), "where tag and lyric guidance are both above 1"))
    return Plan(request.number_of_steps, request.scheduler, request.granularity_scale, guidance), notes


def _unused(request: AudioToAudio) -> tuple[str, ...]:
    """What the published edit has no use for, where the request says something about it."""
    given = request.model_fields_set & _NOT_IN_REMIX
    return (_NO_USE.format(", ".join(sorted(given)), "in audio-to-audio"),) if given else ()


def _cut_off(loaded: Loaded, request: TextToAudio | AudioToAudio | AudioInpaint | AudioOutpaint) -> tuple[str, ...]:
    return (_CUT,) if loaded.text.cuts(request.tags) else ()


def _noises(loaded: Loaded, request: Request) -> tuple[Noise, Noise]:
    seed = request.seed or 0
    return noise_of(seed, loaded.denoiser), noise_of((seed + 1) % 2**32, loaded.denoiser)


def _said(loaded: Loaded, tags: str, lyrics: str) -> Generator[Step, None, Said]:
    yield Step("reading the words", 0, 1)
    ids = [0] if is_instrumental(lyrics) else loaded.lyrics.ids(lyrics)
    if len(ids) > _MOST_LYRICS:
        message = f"are {len(ids)} tokens and at most {_MOST_LYRICS} can be sung; give shorter ones"
        raise InvalidRequest.of(FieldError("lyrics", message, "string_too_long"))
    lyric = torch.tensor([ids], device=loaded.device)
    with loaded.using("text"):
        tokens, mask = loaded.text.ids(tags)
        text = loaded.text.hidden_states(tokens, mask)
        weak = loaded.text.hidden_states(tokens, mask, weakened=True)
    sung = torch.full_like(lyric, int(not is_instrumental(lyrics)))
    return Said(text, weak, mask, lyric, sung)


def _sampled(run: Run) -> Generator[Step, None, Tensor]:
    while True:
        try:
            number, total = next(run)
        except StopIteration as end:
            if not torch.isfinite(end.value).all():
                raise GenerationFailed(
                    "The model's numbers ran away and there is no song in them. Ask again with a lower guidance_scale, "
                    "or with another seed."
                ) from None
            return end.value
        yield Step("denoising", number, total)


def _encoded(loaded: Loaded, source: Sound) -> Generator[Step, None, Tensor]:
    yield Step("listening to the source", 0, 1)
    samples, rate = to_float(source)[:, :2], source.sample_rate
    if rate * RATE > _MOST_TAPS * math.gcd(rate, RATE) ** 2:
        samples, rate = soxr.resample(samples, rate, RATE), RATE
    with loaded.using("codec"):
        return loaded.codec.encode(torch.from_numpy(samples.T.copy())[None], rate)


def _decoded(loaded: Loaded, latents: Tensor) -> Generator[Step, None, np.ndarray]:
    """The waveform [samples, 2] at 48 kHz."""
    with loaded.using("codec"):
        parts: list[Tensor] = []
        total = loaded.codec.parts(latents)
        for part in loaded.codec.decode(latents):
            parts.append(part)
            yield Step("decoding", len(parts), total)
    return torch.cat(parts, dim=-1).T.numpy()


def _frames_over(seconds: float) -> int:
    """Latent frames that cover so many seconds."""
    return -int(-seconds // _SECONDS_PER_FRAME)


def _cut(music: np.ndarray, start: float, end: float) -> Sound:
    first, last = round(start * OUTPUT_RATE), round(end * OUTPUT_RATE)
    return from_float(music[first:last], OUTPUT_RATE, 24)
