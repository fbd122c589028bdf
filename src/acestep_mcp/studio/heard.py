"""What is heard in a song: a line for the answer, and a remark with a next step on what is odd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SURE, _UNSURE = 0.5, 0.15
_LONG_START, _LONG_END, _LONG_GAP = 1.5, 3.0, 2.0
_LENGTH_SECONDS, _LENGTH_SHARE = 1.0, 0.02
_MANY_CLIPPED = 100
_NEW_SEED = "ask again with another seed"


def summary(facts: Mapping[str, Any]) -> str:
    """The facts of `Hearing.facts`, and the `words` if any, in one line: `86 bpm (or 172), 4/4, C minor (or D# major), bright, narrow stereo`."""
    tempo = f"{facts['tempo']:.0f} bpm (or {facts['tempo_alternative']:.0f})"
    parts = [
        _hedged(tempo, facts["tempo_confidence"]) or "no steady pulse",
        _hedged(facts["metre"], facts["metre_confidence"]),
        _hedged(f"{facts['key']} (or {facts['key_alternative']})", facts["key_confidence"]),
        facts["brightness"],
        facts["stereo"] if facts["stereo"] == "mono" else f"{facts['stereo']} stereo",
        f"loudness range {facts['loudness_range']} LU",
    ]
    if facts["true_peak_dbtp"] is not None:
        parts.append(f"true peak {facts['true_peak_dbtp']} dBTP")
    if words := facts.get("words"):
        parts.append(f"{words['share'] * 100:.0f} % of the words heard")
    return ", ".join(part for part in parts if part)


def _hedged(text: str, confidence: float) -> str:
    if confidence < _UNSURE:
        return ""
    return text if confidence >= _SURE else f"perhaps {text}"


def remarks(
    facts: Mapping[str, Any], checks: Mapping[str, Any], *, seconds: float, asked: float | None
) -> tuple[str, ...]:
    """One sentence for each thing that is odd, with one next step. `asked`: the length that the request names."""
    if checks.get("silent"):
        return (f"The song is silent: {_NEW_SEED}.",)
    found = []
    if facts["silence_at_start"] > _LONG_START:
        found.append(f"The song begins with {facts['silence_at_start']:.1f} s of silence: {_NEW_SEED}.")
    if facts["silence_at_end"] > _LONG_END:
        found.append(
            f"The song ends with {facts['silence_at_end']:.1f} s of silence: {_NEW_SEED}, or for a shorter song."
        )
    for begin, end in facts["gaps"]:
        if end - begin > _LONG_GAP:
            found.append(f"Nothing sounds from {begin:.1f} to {end:.1f} s: make that part again with audio_inpaint.")
    if asked is not None and abs(seconds - asked) > max(_LENGTH_SECONDS, _LENGTH_SHARE * asked):
        found.append(f"The song is {seconds:.1f} s long; {asked:.1f} s were asked for: {_NEW_SEED}.")
    if (clipped := checks.get("clipped_samples") or 0) > _MANY_CLIPPED:
        found.append(f"{clipped} samples are clipped: {_NEW_SEED}, or for a lower guidance_scale.")
    return tuple(found)
