"""What the tasks of both models share: choosing the task of a request, checking tensors, cutting samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, assert_never

import torch
from numpy.typing import NDArray
from torch import Tensor

from acestep_mcp.api.errors import GenerationFailed
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, EngineRequest, TextToAudio
from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import from_float, within_full_scale
from acestep_mcp.engines import Source
from acestep_mcp.engines.model.engine import SongRun

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class SongTasks(Generic[Model]):
    """How a model runs each kind of request. Edits get the decoded source."""

    text_to_audio: Callable[[Model, TextToAudio], SongRun]
    audio_to_audio: Callable[[Model, AudioToAudio, Sound], SongRun]
    audio_inpaint: Callable[[Model, AudioInpaint, Sound], SongRun]
    audio_outpaint: Callable[[Model, AudioOutpaint, Sound], SongRun]

    def run(self, loaded: Model, request: EngineRequest, source: Source | None) -> SongRun:
        """Raises InvalidRequest for values that do not fit the source."""
        if isinstance(request, TextToAudio):
            return self.text_to_audio(loaded, request)
        if source is None:
            raise TypeError(f"{type(request).__name__} came without the song to edit")
        match request:
            case AudioToAudio():
                return self.audio_to_audio(loaded, request, source.sound)
            case AudioInpaint():
                return self.audio_inpaint(loaded, request, source.sound)
            case AudioOutpaint():
                return self.audio_outpaint(loaded, request, source.sound)
        assert_never(request)


def require_finite(values: Tensor, advice: str) -> Tensor:
    """The tensor itself. Raises GenerationFailed if it has an infinity or NaN."""
    if not torch.isfinite(values).all():
        raise GenerationFailed(f"The model produced non-finite values. {advice}")
    return values


def cut(samples: NDArray[Any], rate: int, start: float, end: float) -> Sound:
    """The samples [n, channels] from `start` to `end` seconds, within full scale and with 24 bits."""
    return from_float(within_full_scale(samples[round(start * rate) : round(end * rate)]), rate, 24)
