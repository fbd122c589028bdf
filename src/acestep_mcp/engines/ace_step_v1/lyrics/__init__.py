"""Lyrics to the model's token ids: the language of each line, text cleaning, and the vocabulary."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.requests import INSTRUMENTAL
from acestep_mcp.engines.ace_step_v1.lyrics.cleaning import clean, lower
from acestep_mcp.engines.model import language
from acestep_mcp.engines.model.language import printable
from acestep_mcp.engines.model.packages import import_for_lyrics

START = 261
LINE_END = 2
UNKNOWN = 1
LANGUAGE_MARKS = {"zh": "zh-cn"}


class LyricTokenizer:
    """`vocabulary` is the model's `vocab.json`, which is read for the first line."""

    def __init__(self, vocabulary: Path) -> None:
        self.vocabulary = vocabulary

    def ids(self, text: str, languages: Sequence[str] | None = None) -> list[int]:
        r"""`[261]`, then for each line its ids and 2; an empty line is 2 alone.

        `languages` has one entry per line of `text.split("\n")`; None detects them.
        """
        found = [START]
        for line, code in _lines(text, languages):
            found += self.line_ids(line, code)
            found.append(LINE_END)
        return found

    def line_ids(self, line: str, language_code: str) -> list[int]:
        """The language mark's id and the line's ids; nothing for an empty line.

        Tags are always English. Words of another language beside them are read as a line of their own.
        """
        found: list[int] = []
        for text in self._texts(line, language_code):
            found += [LINE_END] if found else []
            found += self._tokenizer.encode(text).ids
        return found

    def clean(self, line: str, language_code: str) -> str:
        """The line before tokenization: lower case, numbers and symbols spelt out, CJK romanised."""
        return " ".join(clean(part, code) for part, code in _parts(line, language_code))

    def unknown_letters(self, text: str, languages: Sequence[str] | None = None) -> str:
        """The letters of a text that the vocabulary does not have, each once, in order."""
        texts = [part for line, code in _lines(text, languages) for part in self._texts(line, code)]
        unknown = (
            part[begin:end]
            for part, encoding in zip(texts, self._tokenizer.encode_batch(texts), strict=True)
            for token, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if token == UNKNOWN
        )
        written = "".join(lower(printable(line), "") for line in text.split("\n"))
        return "".join(
            c for c in dict.fromkeys("".join(unknown)) if unicodedata.category(c)[0] in "LM" and c in written
        )

    def _texts(self, line: str, language_code: str) -> Iterator[str]:
        """What of a line is tokenized, with its language in front."""
        for part, code in _parts(line, language_code):
            if cleaned := clean(part, code):
                yield f"[{LANGUAGE_MARKS.get(code, code)}]" + cleaned.replace(" ", "[SPACE]")

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            content = self.vocabulary.read_text(encoding="utf-8")
            start = json.loads(content)["model"]["vocab"]["[START]"]
        except OSError as exc:
            raise ConfigurationError(f"the lyric vocabulary {self.vocabulary} cannot be read: {exc.strerror}") from exc
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise self._invalid() from exc
        if start != START:
            raise self._invalid()
        try:
            return import_for_lyrics("tokenizers").Tokenizer.from_buffer(content.encode())
        except ValueError as exc:
            raise self._invalid() from exc

    def _invalid(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.vocabulary} is not the lyric vocabulary of ACE-Step v1, or only a part of it: delete it and fetch it again"
        )


def _lines(text: str, languages: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """Each line with its language. `[instrumental]`, which has no token, becomes `[inst]`, which has one."""
    lines = [line.strip() for line in text.split("\n")]
    codes = language.detect(lines) if languages is None else languages
    for line, code in zip(lines, codes, strict=True):
        yield (INSTRUMENTAL if line.lower() == "[instrumental]" else line), code


def _parts(line: str, language_code: str) -> list[tuple[str, str]]:
    """What is read apart, each with its language."""
    if language_code == "en":
        return [(line, "en")]
    return [(part, "en" if language.is_tag(part) else language_code) for part in language.split_tags(line)]
