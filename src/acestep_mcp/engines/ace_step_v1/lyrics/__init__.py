"""Lyrics as the model's token ids: a language for each line, the cleaned text, then the vocabulary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1.lyrics.cleaning import clean
from acestep_mcp.engines.ace_step_v1.lyrics.late import package
from acestep_mcp.engines.model import language

START = 261
LINE_END = 2
MARKS = {"zh": "zh-cn"}


class Lyrics:
    """Turns whole lyrics into ids; `vocabulary` is the model's `vocab.json`, read when the first line comes."""

    def __init__(self, vocabulary: Path) -> None:
        self.vocabulary = vocabulary

    def ids(self, text: str, languages: Sequence[str] | None = None) -> list[int]:
        r"""`[261]`, then for each line its ids and 2; an empty line is 2 alone.

        `languages` has one entry a line (as `text.split("\n")` counts them); without it they are chosen.
        A line that begins with a `[...]` tag is English either way.
        """
        lines = [line.strip() for line in text.split("\n")]
        chosen = language.choose(lines) if languages is None else languages
        found = [START]
        for line, tongue in zip(lines, chosen, strict=True):
            found += self.line_ids(line, tongue)
            found.append(LINE_END)
        return found

    def line_ids(self, line: str, tongue: str) -> list[int]:
        """The language's own id and the line's; nothing for an empty line."""
        text = self.clean(line, tongue)
        if not text:
            return []
        spoken = _spoken(line, tongue)
        mark = MARKS.get(spoken, spoken)
        return list(self._tokenizer.encode(f"[{mark}]" + text.replace(" ", "[SPACE]")).ids)

    def clean(self, line: str, tongue: str) -> str:
        """The line as it is encoded: lower case, numbers and signs in words, Latin letters for CJK."""
        return clean(line, _spoken(line, tongue))

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            told = self.vocabulary.read_text(encoding="utf-8")
            start = json.loads(told)["model"]["vocab"]["[START]"]
        except OSError as exc:
            raise ConfigurationError(f"the lyric vocabulary {self.vocabulary} cannot be read: {exc.strerror}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise self._foreign() from exc
        if start != START:
            raise self._foreign()
        return package("tokenizers").Tokenizer.from_str(told)

    def _foreign(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.vocabulary} is not the lyric vocabulary of ACE-Step v1, or only a part of it: delete it and fetch it again"
        )


def _spoken(line: str, tongue: str) -> str:
    return "en" if language.is_tag(line) else tongue
