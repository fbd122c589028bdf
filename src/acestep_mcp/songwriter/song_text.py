"""The songwriter's result type, in its own module because importing it is cheap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SongText:
    """Tags and lyrics written for a prompt.

    `writer` is "rules" or the language model's name; `notes` are warnings and hints for the user.
    """

    tags: str
    lyrics: str
    writer: str
    notes: tuple[str, ...] = ()
