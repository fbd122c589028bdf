"""Lyrics to the model's token ids: the language of each line, text cleaning, and the vocabulary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1.lyrics.cleaning import clean
from acestep_mcp.engines.model import language
from acestep_mcp.engines.model.packages import import_for_lyrics

START = 261
LINE_END = 2
LANGUAGE_MARKS = {"zh": "zh-cn"}


class LyricTokenizer:
    """`vocabulary` is the model's `vocab.json`, which is read for the first line."""

    def __init__(self, vocabulary: Path) -> None:
        self.vocabulary = vocabulary

    def ids(self, text: str, languages: Sequence[str] | None = None) -> list[int]:
        r"""`[261]`, then for each line its ids and 2; an empty line is 2 alone.

        `languages` has one entry per line of `text.split("\n")`; None detects them. A line that begins with a `[...]`
        tag is always English.
        """
        lines = [line.strip() for line in text.split("\n")]
        codes = language.detect(lines) if languages is None else languages
        found = [START]
        for line, code in zip(lines, codes, strict=True):
            found += self.line_ids(line, code)
            found.append(LINE_END)
        return found

    def line_ids(self, line: str, language_code: str) -> list[int]:
        """The language mark's id and the line's ids; nothing for an empty line."""
        text = self.clean(line, language_code)
        if not text:
            return []
        sung = _sung_language(line, language_code)
        mark = LANGUAGE_MARKS.get(sung, sung)
        return list(self._tokenizer.encode(f"[{mark}]" + text.replace(" ", "[SPACE]")).ids)

    def clean(self, line: str, language_code: str) -> str:
        """The line before tokenization: lower case, numbers and symbols spelt out, CJK romanised."""
        return clean(line, _sung_language(line, language_code))

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            content = self.vocabulary.read_text(encoding="utf-8")
            start = json.loads(content)["model"]["vocab"]["[START]"]
        except OSError as exc:
            raise ConfigurationError(f"the lyric vocabulary {self.vocabulary} cannot be read: {exc.strerror}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise self._invalid() from exc
        if start != START:
            raise self._invalid()
        return import_for_lyrics("tokenizers").Tokenizer.from_str(content)

    def _invalid(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.vocabulary} is not the lyric vocabulary of ACE-Step v1, or only a part of it: delete it and fetch it again"
        )


def _sung_language(line: str, language_code: str) -> str:
    return "en" if language.is_tag(line) else language_code
