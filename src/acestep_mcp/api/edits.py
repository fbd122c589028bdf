"""Edits in seconds of their source: windows, lengths and limits, the same for every host and engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import LONGEST, AudioInpaint, AudioOutpaint, AudioToAudio, Request

LONGEST_REMIX = float(LONGEST)
LONGEST_SOURCE = 600.0


@dataclass(frozen=True, slots=True)
class EditWindow:
    """The part to regenerate, in seconds of the source; 0 <= start < end <= its length."""

    start: float
    end: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of new music before and after the source; at least one is above 0."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class UnchangedSpan:
    """Seconds `start` to `end` of the source appear unchanged in the result, `shift` seconds later."""

    start: float
    end: float
    shift: float = 0.0


@dataclass(frozen=True, slots=True)
class Edit:
    """What a request does to its source.

    `span` is stored with the track, in seconds of the source. `unchanged` lists the parts that must equal the source;
    with `same_length` the result is as long as the source.
    """

    span: dict[str, float | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unchanged: tuple[UnchangedSpan, ...] = ()
    same_length: bool = False


def inpaint(request: AudioInpaint, seconds: float) -> Edit:
    """The edit of a source of `seconds`. Raises InvalidRequest when the window is outside it or empty."""
    window = inpaint_window(request, seconds)
    return Edit(
        {"start": window.start, "end": window.end, "variance": request.variance},
        window.notes,
        (UnchangedSpan(0, window.start), UnchangedSpan(window.end, seconds)),
        same_length=True,
    )


def outpaint(request: AudioOutpaint, seconds: float) -> Edit:
    """The edit of a source of `seconds`. Raises InvalidRequest when nothing would be added."""
    lengths = outpaint_lengths(request, seconds)
    kept = UnchangedSpan(0, seconds, lengths.before)
    return Edit({"before": lengths.before, "after": lengths.after}, unchanged=(kept,))


def remake(request: AudioToAudio, seconds: float) -> Edit:  # noqa: ARG001 - one signature for all
    """A remix or new lyrics; every sample may change."""
    return Edit({"edit_mode": request.edit_mode})


def check_source_length(seconds: float, longest: float) -> None:
    """Raises InvalidRequest for a source that is empty or longer than `longest` seconds."""
    if seconds <= 0:
        raise InvalidRequest.of(FieldError("audio_url", "the song is empty; give one with sound", "audio_empty"))
    if seconds > longest:
        message = f"the song is {_s(seconds)} long, and at most {_s(longest)} can be edited; give a shorter one"
        raise InvalidRequest.of(FieldError("audio_url", message, "audio_duration_too_long"))


def inpaint_window(request: AudioInpaint, seconds: float) -> EditWindow:
    """The window in a song of `seconds`, clamped to the song; `notes` say what was clamped.

    Raises InvalidRequest when the window begins at or past the song's end, or is empty.
    """
    start = _position(request.start_time, request.start_time_relative_to, seconds)
    end = _position(request.end_time, request.end_time_relative_to, seconds)
    if start >= seconds:
        message = (
            f"{_given(request.start_time, request.start_time_relative_to)} is at or past the end of the song, "
            f"which is {_s(seconds)} long; choose an earlier start_time"
        )
        raise InvalidRequest.of(FieldError("start_time", message, value=request.start_time))
    clamped = EditWindow(max(0.0, start), min(end, seconds), tuple(_clamp_notes(request, start, end, seconds)))
    if clamped.end <= clamped.start:
        raise InvalidRequest.of(_empty(request, start, end, seconds))
    return clamped


def outpaint_lengths(request: AudioOutpaint, seconds: float) -> Lengths:
    """Raises InvalidRequest when both lengths are 0."""
    before, after = request.extend_before_duration, request.extend_after_duration
    if before <= 0 and after <= 0:
        raise InvalidRequest.of(
            *(
                FieldError(name, f"is 0, so nothing would be added to the song of {_s(seconds)}; give seconds", value=0)
                for name in ("extend_before_duration", "extend_after_duration")
            )
        )
    return Lengths(before, after)


def minimum_guidance(request: Request) -> tuple[float, tuple[str, ...]]:
    """The lower limit of guidance under decay, at most `guidance_scale`, and a note if it was lowered."""
    floor, scale = request.minimum_guidance_scale, request.guidance_scale
    if request.guidance_interval_decay <= 0 or floor <= scale:
        return floor, ()
    return scale, (f"minimum_guidance_scale {floor:g} was lowered to guidance_scale {scale:g}.",)


def _position(value: float, origin: str, seconds: float) -> float:
    return seconds - value if origin == "end" else value


def _clamp_notes(request: AudioInpaint, start: float, end: float, seconds: float) -> list[str]:
    notes = []
    if start < 0:
        given = _given(request.start_time, request.start_time_relative_to)
        notes.append(f"start_time: {given} is before the song of {_s(seconds)}; the window begins at 0 s.")
    if end > seconds:
        given = _given(request.end_time, request.end_time_relative_to)
        notes.append(f"end_time: {given} is past the end; the window ends with the song at {_s(seconds)}.")
    return notes


def _empty(request: AudioInpaint, start: float, end: float, seconds: float) -> FieldError:
    given_end = _given(request.end_time, request.end_time_relative_to)
    given_start = _given(request.start_time, request.start_time_relative_to)
    ends = given_end if given_end == _s(end) else f"{given_end}, which is at {_s(end)}"
    begins = given_start if given_start == _s(start) else f"{given_start}, which is at {_s(start)}"
    message = (
        f"{ends} is not after start_time ({begins}), so the window is empty; choose times between 0 and {_s(seconds)}, the "
        "length of the song"
    )
    return FieldError("end_time", message, value=request.end_time)


def _given(value: float, origin: str) -> str:
    return f"{value:g} s from the end" if origin == "end" else f"{value:g} s"


def _s(seconds: float) -> str:
    return f"{round(seconds, 2):g} s"
