"""What is heard in a song: a line for the answer, and a remark with a next step on what is odd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SURE, _UNSURE = 0.5, 0.15
_LONG_START, _LONG_END, _LONG_GAP = 1.5, 3.0, 2.0
_LENGTH_SECONDS, _LENGTH_SHARE = 1.0, 0.02
_MANY_CLIPPED = 100
_QUIET, _ONE_SIDED, _CANCELS, _OFF_CENTRE = -40.0, 40.0, -0.9, 0.05
_NEW_SEED = "ask again with another seed"
_IN_AN_EDIT = "listen to the source, and ask again with another seed if it is not so there"


def summary(facts: Mapping[str, Any]) -> str:
    """The facts of `Hearing.facts`, and the `words` if any, in one line: `86 bpm (or 172), 4/4, C minor (or D# major), bright, narrow stereo`."""
    parts = [
        _hedged("{tempo:.0f} bpm (or {tempo_alternative:.0f})", facts, "tempo") or "no steady pulse",
        _hedged("{metre}", facts, "metre"),
        _hedged("{key} (or {key_alternative})", facts, "key"),
        facts["brightness"],
        facts["stereo"] if facts["stereo"] == "mono" else f"{facts['stereo']} stereo",
        f"loudness range {facts['loudness_range']} LU",
    ]
    if facts["true_peak_dbtp"] is not None:
        parts.append(f"true peak {facts['true_peak_dbtp']} dBTP")
    if words := facts.get("words"):
        parts.append(f"{words['share'] * 100:.0f} % of the words heard")
    return ", ".join(part for part in parts if part)


def _hedged(form: str, facts: Mapping[str, Any], name: str) -> str:
    confidence = facts[f"{name}_confidence"]
    if confidence < _UNSURE or facts[name] is None:
        return ""
    text = form.format_map(facts)
    return text if confidence >= _SURE else f"perhaps {text}"


def remarks(
    facts: Mapping[str, Any], checks: Mapping[str, Any], *, seconds: float, asked: float | None
) -> tuple[str, ...]:
    """One sentence for each thing that is odd, with one next step. `asked`: the length that the request names."""
    if checks.get("silent"):
        return (f"The song is silent: {_NEW_SEED}.",)
    if facts["silence_at_start"] >= round(seconds, 2):
        return (f"Hardly anything can be heard, nothing is above -60 dBFS: {_NEW_SEED}.",)
    is_edit = "outside_difference" in checks
    silences = _silences_of_edit(facts, seconds) if is_edit else _silences(facts)
    found = [*silences, *_gaps(facts), *_levels(facts, checks, _IN_AN_EDIT if is_edit else _NEW_SEED), *_seams(checks)]
    if asked is not None and abs(seconds - asked) > max(_LENGTH_SECONDS, _LENGTH_SHARE * asked):
        found.append(f"The song is {seconds:.1f} s long; {asked:.1f} s were asked for: {_NEW_SEED}.")
    return tuple(found)


def _silences(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["silence_at_start"] > _LONG_START:
        yield f"The song begins with {facts['silence_at_start']:.1f} s of silence: {_NEW_SEED}."
    if facts["silence_at_end"] > _LONG_END:
        yield f"The song ends with {facts['silence_at_end']:.1f} s of silence: {_NEW_SEED}, or for a shorter song."


def _silences_of_edit(facts: Mapping[str, Any], seconds: float) -> Iterator[str]:
    """Another seed does not change what the source has outside the window."""
    start, end = facts["silence_at_start"], facts["silence_at_end"]
    if start > _LONG_START:
        yield f"The song begins with {start:.1f} s of silence: make 0.0 to {start:.1f} s again with audio_inpaint."
    if end > _LONG_END:
        yield f"The song ends with {end:.1f} s of silence: make {seconds - end:.1f} to {seconds:.1f} s again with audio_inpaint."


def _gaps(facts: Mapping[str, Any]) -> Iterator[str]:
    gaps = [f"{begin:.1f} to {end:.1f} s" for begin, end in facts["gaps"] if end - begin > _LONG_GAP]
    if gaps:
        which = "that part" if len(gaps) == 1 else "these parts"
        listed = " and ".join(filter(None, (", ".join(gaps[:-1]), gaps[-1])))
        yield f"Nothing sounds from {listed}: make {which} again with audio_inpaint."


def _levels(facts: Mapping[str, Any], checks: Mapping[str, Any], again: str) -> Iterator[str]:
    if (clipped := checks.get("clipped_samples") or 0) > _MANY_CLIPPED:
        yield f"{clipped} samples are clipped: {again}{', or for a lower guidance_scale' if again == _NEW_SEED else ''}."
    if (lufs := checks.get("lufs")) is not None and lufs < _QUIET:
        yield f"The song is very quiet ({lufs:.0f} LUFS): {again}."
    if abs(facts["balance_db"]) > _ONE_SIDED:
        yield f"Only the {'right' if facts['balance_db'] > 0 else 'left'} channel sounds: {again}."
    elif facts["correlation"] < _CANCELS:
        yield f"One channel is the inverse of the other, and on one loudspeaker they cancel each other: {again}."
    if abs(facts["dc_offset"]) > _OFF_CENTRE:
        yield f"The samples are off centre by {facts['dc_offset']:.2f} of full scale (DC offset): {again}."


def _seams(checks: Mapping[str, Any]) -> Iterator[str]:
    places = checks.get("odd_seams") or ()
    if places and "inside_difference" in checks:
        listed = " and ".join(f"{at:.1f}" for at in places)
        yield f"The level jumps at {listed} s, where old and new music meet: {_NEW_SEED}."
        return
    for at in places:
        yield f"The level jumps at {at:.1f} s, where old and new music meet: make {max(0, at - 2):.0f} to {at + 2:.0f} s again with audio_inpaint."
