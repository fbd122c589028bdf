"""How the model runs each kind of request, from the request and its source to the finished audio."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from acestep_mcp.api.edits import inpaint_window, minimum_guidance, outpaint_lengths
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import (
    INSTRUMENTAL,
    LONGEST,
    AudioInpaint,
    AudioOutpaint,
    AudioToAudio,
    EngineRequest,
    Request,
    TextToAudio,
)
from acestep_mcp.audio import Sound, splice
from acestep_mcp.engines import Audio, Step
from acestep_mcp.engines.ace_step_v1.codec import OUTPUT_RATE, RATE, SAMPLES_PER_FRAME
from acestep_mcp.engines.ace_step_v1.denoiser import Conditioning
from acestep_mcp.engines.ace_step_v1.guidance import Guidance
from acestep_mcp.engines.ace_step_v1.loaded import LoadedV1
from acestep_mcp.engines.ace_step_v1.sampling import FlowEdit, Sampler, SamplingPlan, latent_frames, noise_sources
from acestep_mcp.engines.ace_step_v1.text import MAX_TOKENS
from acestep_mcp.engines.model.engine import SongRun
from acestep_mcp.engines.model.long_edits import LongEdits
from acestep_mcp.engines.model.rounds import Pending
from acestep_mcp.engines.model.song_tasks import SongTasks, cut, require_finite
from acestep_mcp.engines.model.streams import denoising
from acestep_mcp.readers.no_vocals import is_instrumental

_EDIT_RANGES = {"lyrics": (0.6, 1.0), "remix": (0.2, 0.4)}
"""The shares of the steps between which a flow edit runs."""
_UNUSED_NOTE = "This model has no use for {} {}."
_UNUSED_IN_AUDIO_TO_AUDIO = {
    "scheduler", "guidance_type", "granularity_scale", "guidance_interval", "guidance_interval_decay",
    "minimum_guidance_scale", "tag_guidance_scale", "lyric_guidance_scale", "original_seed",
}  # fmt: skip
_TRUNCATED_TAGS_NOTE = f"The model reads at most {MAX_TOKENS} tokens of tags: the last tags were ignored."
_UNKNOWN_LETTERS_NOTE = (
    "The model's vocabulary lacks these letters of the lyrics, so they are not sung: {}. Write them in Latin letters."
)
_SHOWN_LETTERS = 12
_CONTEXT_FRAMES = 147
"""Latent frames that are decoded on each side of new music, so that its edges match the song."""
_MAX_LYRIC_TOKENS = 16_384
"""A song of 240 s has a few hundred; time and memory grow with their square."""
_SECONDS_PER_FRAME = SAMPLES_PER_FRAME / RATE
_LONGEST = latent_frames(LONGEST)
_LEAST_CONTEXT = latent_frames(30)
"""Latent frames of the song beside new music, where it is longer than a run."""


def _text_to_audio(loaded: LoadedV1, request: TextToAudio) -> SongRun:
    conditioning = yield from _encode_conditioning(loaded, request.tags, request.lyrics)
    plan, notes = _plan(request)
    with loaded.parts.using("denoiser"):
        sampler = Sampler(loaded.denoiser, conditioning, plan)
        noise, _ = noise_sources(request.seed, loaded.denoiser)
        latents = yield from denoising(sampler.from_noise(noise(latent_frames(request.duration))), loaded.device)
    waveform = yield from _decode(loaded, latents)
    notes = (*_text_notes(loaded, request), *notes)
    sound = splice.from_float(splice.within_full_scale(waveform), OUTPUT_RATE, 16)
    return Audio(sound, request.tags, request.lyrics, notes)


def _audio_to_audio(loaded: LoadedV1, request: AudioToAudio, source: Sound) -> SongRun:
    old = yield from _encode_conditioning(loaded, request.original_tags, request.original_lyrics)
    new = yield from _encode_conditioning(loaded, request.tags, request.lyrics)
    latents = yield from _encode_source(loaded, source)
    begin, end = _EDIT_RANGES[request.edit_mode]
    plan = SamplingPlan(request.number_of_steps, guidance=Guidance(scale=request.guidance_scale))
    with loaded.parts.using("denoiser"):
        edit = FlowEdit(old, new, begin=begin, end=end)
        noise, _ = noise_sources(request.seed, loaded.denoiser)
        latents = yield from denoising(edit.run(loaded.denoiser, plan, latents, noise), loaded.device)
    waveform = yield from _decode(loaded, latents)
    waveform = waveform[: round(source.seconds * OUTPUT_RATE)]
    notes = (*_text_notes(loaded, request), *_unused_notes(request))
    sound = splice.from_float(splice.within_full_scale(waveform), OUTPUT_RATE, 16)
    return Audio(sound, request.tags, request.lyrics, notes)


def _audio_inpaint(loaded: LoadedV1, request: AudioInpaint, source: Sound) -> SongRun:
    window = inpaint_window(request, source.seconds)
    plan, notes = _plan(request)
    conditioning = yield from _encode_conditioning(loaded, request.tags, request.lyrics)
    latents = yield from _encode_source(loaded, source)
    length = latents.shape[-1]
    first = min(latent_frames(window.start), length - 1)
    last = length if window.end >= source.seconds else max(first + 1, latent_frames(window.end))
    with loaded.parts.using("denoiser"):
        edits = LongEdits(Sampler(loaded.denoiser, conditioning, plan), _LONGEST, _LEAST_CONTEXT)
        noises = noise_sources(request.seed, loaded.denoiser)
        run = edits.inpaint(latents, range(first, last), request.variance, noises)
        latents = yield from denoising(run, loaded.device)
    begin = max(0, first - _CONTEXT_FRAMES)
    waveform = yield from _decode(loaded, latents[..., begin : last + _CONTEXT_FRAMES])
    offset = begin * _SECONDS_PER_FRAME
    new = cut(waveform, OUTPUT_RATE, window.start - offset, window.end - offset)
    sound = splice.inpaint(source, new, window.start, window.end)
    notes = (*window.notes, *_text_notes(loaded, request), *notes)
    return Audio(sound, request.tags, request.lyrics, notes)


def _audio_outpaint(loaded: LoadedV1, request: AudioOutpaint, source: Sound) -> SongRun:
    lengths = outpaint_lengths(request, source.seconds)
    plan, notes = _plan(request)
    conditioning = yield from _encode_conditioning(loaded, request.tags, request.lyrics)
    latents = yield from _encode_source(loaded, source)
    # A last frame that the source only partly fills is generated with the music after it.
    length = max(1, latent_frames(source.seconds))
    left, right = _frames_covering(lengths.before), _frames_covering(lengths.after + source.seconds) - length
    sides = (left, right if lengths.after else 0)
    with loaded.parts.using("denoiser"):
        edits = LongEdits(Sampler(loaded.denoiser, conditioning, plan), _LONGEST, _LEAST_CONTEXT)
        run = edits.outpaint(latents[..., :length], sides, noise_sources(request.seed, loaded.denoiser))
        latents = yield from denoising(run, loaded.device)
    before = after = None
    start = left * _SECONDS_PER_FRAME
    if lengths.before:
        waveform = yield from _decode(loaded, latents[..., : left + _CONTEXT_FRAMES])
        before = cut(waveform, OUTPUT_RATE, start - lengths.before, start)
    if lengths.after:
        begin = max(0, left + length - _CONTEXT_FRAMES)
        waveform = yield from _decode(loaded, latents[..., begin:])
        end = start + source.seconds - begin * _SECONDS_PER_FRAME
        after = cut(waveform, OUTPUT_RATE, end, end + lengths.after)
    sound = splice.outpaint(source, before, after, (lengths.before, lengths.after))
    return Audio(sound, request.tags, request.lyrics, (*_text_notes(loaded, request), *notes))


TASKS = SongTasks(_text_to_audio, _audio_to_audio, _audio_inpaint, _audio_outpaint)


def _plan(request: Request) -> tuple[SamplingPlan, tuple[str, ...]]:
    minimum_scale, notes = minimum_guidance(request)
    guidance = Guidance(
        kind=request.guidance_type,
        scale=request.guidance_scale,
        interval=request.guidance_interval,
        decay=request.guidance_interval_decay,
        minimum=minimum_scale,
        tag_scale=request.tag_guidance_scale,
        lyric_scale=request.lyric_guidance_scale,
    )
    given = request.model_fields_set & {"guidance_scale", "guidance_type", "guidance_interval_decay"}
    if given and guidance.enabled and guidance.double:
        notes = (*notes, _UNUSED_NOTE.format(", ".join(sorted(given)), "where tag and lyric guidance are both above 1"))
    return SamplingPlan(request.number_of_steps, request.scheduler, request.granularity_scale, guidance), notes


def _unused_notes(request: AudioToAudio) -> tuple[str, ...]:
    """A note on fields of the request that the published edit does not use."""
    given = request.model_fields_set & _UNUSED_IN_AUDIO_TO_AUDIO
    return (_UNUSED_NOTE.format(", ".join(sorted(given)), "in audio-to-audio"),) if given else ()


def _text_notes(loaded: LoadedV1, request: EngineRequest) -> tuple[str, ...]:
    """Notes on tags and letters that the model does not read."""
    notes = [_TRUNCATED_TAGS_NOTE] if loaded.text.truncates(request.tags) else []
    if letters := loaded.lyrics.unknown_letters(request.lyrics):
        shown = " ".join(letters[:_SHOWN_LETTERS]) + (" ..." if len(letters) > _SHOWN_LETTERS else "")
        notes.append(_UNKNOWN_LETTERS_NOTE.format(shown))
    return tuple(notes)


def _encode_conditioning(loaded: LoadedV1, tags: str, lyrics: str) -> Generator[Step, None, Conditioning]:
    yield Step("encoding tags and lyrics", 0, 1)
    ids = loaded.lyrics.ids(INSTRUMENTAL if is_instrumental(lyrics) else lyrics)
    if len(ids) > _MAX_LYRIC_TOKENS:
        message = f"are {len(ids)} tokens and at most {_MAX_LYRIC_TOKENS} can be sung; give shorter ones"
        raise InvalidRequest.of(FieldError("lyrics", message, "string_too_long"))
    lyric_ids = torch.tensor([ids], device=loaded.device)
    with loaded.parts.using("text"):
        tokens, mask = loaded.text.ids(tags)
        text = loaded.text.hidden_states(tokens, mask)
        weakened_text = loaded.text.hidden_states(tokens, mask, weakened=True)
    return Conditioning(text, weakened_text, mask, lyric_ids, torch.ones_like(lyric_ids))


def _encode_source(loaded: LoadedV1, source: Sound) -> Generator[Step, None, Tensor]:
    yield Step("encoding the source", 0, 1)
    samples = splice.to_float(source)[:, :2].T.copy()
    with loaded.parts.using("codec"):
        return loaded.codec.encode(torch.from_numpy(samples)[None], source.sample_rate)


def _decode(loaded: LoadedV1, latents: Tensor) -> Generator[Step | Pending, None, np.ndarray]:
    """The waveform [samples, 2] at 48 kHz. Raises GenerationFailed if latents are not finite."""
    with loaded.parts.using("codec"):
        window, aside = loaded.codec.window(latents.shape[-1]), loaded.aside
        total = -(-latents.shape[-1] // window)
        if aside.overlaps:
            yield Step("decoding", 0, total, overlaps=True)
        # A sum is finite only if all latents are.
        require_finite((yield from aside.run(latents.sum)), "Try a lower guidance_scale, or another seed.")
        decoded = loaded.codec.decode(latents, window=window)
        parts: list[Tensor] = []
        for number in range(total):
            parts.append((yield from aside.run(partial(next, decoded))))
            yield Step("decoding", number + 1, total, aside.overlaps)
    return torch.cat(parts, dim=-1).T.numpy()


def _frames_covering(seconds: float) -> int:
    """The latent frames that cover `seconds`."""
    return -int(-seconds // _SECONDS_PER_FRAME)
