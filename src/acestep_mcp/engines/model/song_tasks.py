"""What the tasks of both models share: choosing the task of a request, checking tensors, cutting samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from acestep_mcp.api.errors import GenerationFailed
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, Request, TextToAudio
from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import from_float
from acestep_mcp.engines import Source
from acestep_mcp.engines.model.engine import SongRun

FADE = 0.030
"""Seconds of crossfade between new music and the source."""
Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class SongTasks(Generic[Model]):
    """How a model runs each kind of request. Edits get the decoded source."""

    text_to_audio: Callable[[Model, TextToAudio], SongRun]
    audio_to_audio: Callable[[Model, AudioToAudio, Sound], SongRun]
    audio_inpaint: Callable[[Model, AudioInpaint, Sound], SongRun]
    audio_outpaint: Callable[[Model, AudioOutpaint, Sound], SongRun]

    def run(self, loaded: Model, request: Request, source: Source | None) -> SongRun:
        """Raises InvalidRequest for values that do not fit the source."""
        match request, source:
            case TextToAudio(), None:
                return self.text_to_audio(loaded, request)
            case AudioToAudio(), Source():
                return self.audio_to_audio(loaded, request, source.sound)
            case AudioInpaint(), Source():
                return self.audio_inpaint(loaded, request, source.sound)
            case AudioOutpaint(), Source():
                return self.audio_outpaint(loaded, request, source.sound)
        raise TypeError(f"no song is made of {type(request).__name__} with {type(source).__name__}")


def require_finite(values: Tensor, advice: str) -> Tensor:
    """The tensor itself. Raises GenerationFailed if it has an infinity or NaN."""
    if not torch.isfinite(values).all():
        raise GenerationFailed(f"The model produced non-finite values. {advice}")
    return values


def cut(samples: NDArray[Any], rate: int, start: float, end: float) -> Sound:
    """The samples [n, channels] from `start` to `end` seconds, with 24 bits."""
    return from_float(samples[round(start * rate) : round(end * rate)], rate, 24)
