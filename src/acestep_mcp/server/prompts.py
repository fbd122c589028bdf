"""The prompts: one Markdown file each in `prompts/`, with TOML front matter between two `+++` lines.

    +++
    title = "Extend a track"
    description = "Add new music before a song or after it."

    [[arguments]]
    name = "track"
    description = "The song, by its track id."
    required = true
    suggest = "tracks"

    [[arguments]]
    name = "seconds"
    description = "How many seconds to add. Absent, 30."
    required = false
    default = "30"
    suggest = ["10", "20", "30"]
    +++
    Extend {track} by {seconds} seconds.

An optional argument has a `default`, the text used when the argument is absent. `suggest` lists what completion
offers; "tracks" stands for the ids of recent tracks.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from mcp import MCPError
from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument
from mcp.types import INVALID_PARAMS, GetPromptResult, PromptMessage, TextContent

MOST_COMPLETIONS = 100
"""The protocol's limit on values in one completion."""
_TRACKS = "tracks"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_PROMPT_KEYS = {"title": "a text", "description": "a text", "arguments": "[[arguments]] tables"}
_ARGUMENT_KEYS = {
    "name": "a text",
    "description": "a text",
    "required": "true or false",
    "default": "a text",
    "suggest": 'a list of texts or "tracks"',
}


class PromptFile(NamedTuple):
    """A parsed prompt file. Every placeholder in `body` is a declared argument; `defaults` and `suggestions` are by argument name."""

    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]
    body: str
    defaults: Mapping[str, str]
    suggestions: Mapping[str, tuple[str, ...]]

    def prompt(self) -> Prompt:
        """For `MCPServer.add_prompt`, which lists it. Answer `prompts/get` with `get`, whose errors name the argument."""

        async def render(**arguments: Any) -> str:
            return self.render(arguments)

        return Prompt(
            name=self.name,
            title=self.title,
            description=self.description,
            arguments=list(self.arguments),
            fn=render,
            context_kwarg=None,
        )

    def render(self, arguments: Mapping[str, Any]) -> str:
        """The body with every placeholder replaced, in one pass: braces in the user's text are not expanded.

        Raises MCPError (INVALID_PARAMS) that names the missing or unknown argument.
        """
        given = {name: str(value).strip() for name, value in arguments.items() if value is not None}
        self._check(given)
        values = {**self.defaults, **{name: value for name, value in given.items() if value}}
        return _PLACEHOLDER.sub(lambda match: values[match[1]], self.body)

    def _check(self, given: Mapping[str, str]) -> None:
        declared = self.arguments
        missing = [argument for argument in declared if argument.required and not given.get(argument.name)]
        if missing:
            needs = "; ".join(f"{argument.name}: {argument.description}" for argument in missing)
            raise MCPError(INVALID_PARAMS, f"Prompt {self.name!r} needs {needs}")
        unknown = sorted(set(given) - {argument.name for argument in declared})
        if unknown:
            names = ", ".join(argument.name for argument in declared)
            raise MCPError(
                INVALID_PARAMS, f"Prompt {self.name!r} has no argument {unknown[0][:80]!r}. Its arguments are {names}."
            )


def load() -> tuple[PromptFile, ...]:
    """The shipped prompts, sorted by name. Raises ValueError for an invalid file."""
    files = sorted((file for file in _folder().iterdir() if file.name.endswith(".md")), key=lambda file: file.name)
    return tuple(parse(file.name.removesuffix(".md"), file.read_text(encoding="utf-8")) for file in files)


def get(name: str, arguments: Mapping[str, Any] | None, prompts: Iterable[PromptFile]) -> GetPromptResult:
    """The result of `prompts/get`. Raises MCPError (INVALID_PARAMS) that says what to change."""
    prompt = named(name, prompts)
    text = TextContent(type="text", text=prompt.render(arguments or {}))
    return GetPromptResult(description=prompt.description, messages=[PromptMessage(role="user", content=text)])


def named(name: str, prompts: Iterable[PromptFile]) -> PromptFile:
    """The prompt of that name. Raises MCPError (INVALID_PARAMS) that lists the known names."""
    by_name = {prompt.name: prompt for prompt in prompts}
    if name not in by_name:
        raise MCPError(INVALID_PARAMS, f"There is no prompt {name[:80]!r}. The prompts are {', '.join(by_name)}.")
    return by_name[name]


def wants_tracks(prompt: PromptFile, argument: str) -> bool:
    """Whether completing this argument needs the ids of recent tracks."""
    return prompt.suggestions.get(argument) == (_TRACKS,)


def complete(prompt: PromptFile, argument: str, prefix: str, track_ids: Sequence[str] = ()) -> list[str]:
    """Values for an argument, in the file's order or newest track first.

    Values that start with the prefix come before those that contain it. At most MOST_COMPLETIONS; empty for a
    free-text argument.
    """
    values = track_ids if wants_tracks(prompt, argument) else prompt.suggestions.get(argument, ())
    typed = prefix.strip().casefold()
    starts = [value for value in values if value.casefold().startswith(typed)]
    contains = [value for value in values if typed in value.casefold() and value not in starts]
    return [*starts, *contains][:MOST_COMPLETIONS]


def parse(name: str, text: str) -> PromptFile:
    """Parse one file. Raises ValueError that names the file and what is wrong with it."""
    parts = re.split(r"(?m)^\+\+\+[ \t]*\r?$\n?", text, maxsplit=2)
    if len(parts) != 3 or parts[0].strip():
        raise ValueError(f"prompts/{name}.md: the front matter between two '+++' lines is missing")
    head = _front_matter(name, parts[1])
    arguments: list[dict[str, Any]] = head.get("arguments", [])
    body = parts[2].strip()
    _check_placeholders(name, body, arguments)
    return PromptFile(
        name=name,
        title=head["title"],
        description=head["description"],
        arguments=tuple(_argument(one) for one in arguments),
        body=body,
        defaults={one["name"]: one["default"] for one in arguments if "default" in one},
        suggestions={one["name"]: _suggestions(one["suggest"]) for one in arguments if "suggest" in one},
    )


def _folder() -> Traversable:
    """`prompts/` inside the installed package, or at the root of a clone."""
    shipped = resources.files("acestep_mcp") / "prompts"
    return shipped if shipped.is_dir() else Path(__file__).resolve().parents[3] / "prompts"


def _front_matter(name: str, text: str) -> dict[str, Any]:
    """The TOML tables, with every key known and every value of its type."""
    try:
        head = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ValueError(f"prompts/{name}.md: the front matter is not valid TOML: {exc}") from exc
    problems = [*_type_problems(head, _PROMPT_KEYS, "")]
    if not problems:
        for argument in head.get("arguments", []):
            problems += _type_problems(argument, _ARGUMENT_KEYS, f"{argument.get('name', '?')}.")
    problems = problems or _missing(head)
    if problems:
        raise ValueError(f"prompts/{name}.md: {'; '.join(problems)}")
    return head


def _type_problems(table: Mapping[str, Any], keys: Mapping[str, str], prefix: str) -> Iterator[str]:
    for key, value in table.items():
        if key not in keys:
            yield f"unexpected key {prefix + key!r}"
        elif not _has_type(value, keys[key]):
            yield f"{prefix}{key} must be {keys[key]}, not {value!r}"


def _has_type(value: Any, kind: str) -> bool:
    match kind:
        case "a text":
            return isinstance(value, str)
        case "true or false":
            return isinstance(value, bool)
        case "[[arguments]] tables":
            return isinstance(value, list) and all(isinstance(one, dict) for one in value)
    return value == _TRACKS or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _missing(head: Mapping[str, Any]) -> list[str]:
    absent = [f"{key} is missing" for key in ("title", "description") if not head.get(key)]
    for argument in head.get("arguments", []):
        label = argument.get("name", "?")
        absent += [f"{label}.{key} is missing" for key in ("name", "description") if not argument.get(key)]
        if "required" not in argument:
            absent.append(f"{label}.required is missing (true or false)")
        elif argument["required"] is bool(argument.get("default")):
            absent.append(f"{label}.default belongs to every optional argument, and only to those")
    return absent


def _check_placeholders(name: str, body: str, arguments: Sequence[Mapping[str, Any]]) -> None:
    placeholders, declared = set(_PLACEHOLDER.findall(body)), {argument["name"] for argument in arguments}
    if placeholders != declared:
        odd = ", ".join(sorted(placeholders ^ declared))
        raise ValueError(f"prompts/{name}.md: placeholders and arguments differ: {odd}")


def _argument(table: Mapping[str, Any]) -> PromptArgument:
    return PromptArgument(name=table["name"], description=table["description"], required=table["required"])


def _suggestions(value: str | list[str]) -> tuple[str, ...]:
    return (_TRACKS,) if isinstance(value, str) else tuple(value)
