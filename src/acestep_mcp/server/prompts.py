"""The prompts: one Markdown file each in `prompts/`, with front matter between two `---` lines.

    ---
    title: Extend a track
    description: Add new music before a song or after it.
    arguments:
      - name: track
        description: The song, by its track id.
        required: true
        suggest: tracks
      - name: seconds
        required: false
        default: 30
        suggest: 10, 20, 30
    ---
    Extend {track} by {seconds} seconds.

A value is the rest of its line. An optional argument has a `default`, the words used when it is absent. `suggest` is
what completion offers, parted by commas; `tracks` alone stands for the ids of recent tracks.
"""  # noqa: D214, D405, D411, D413 - `arguments:` is the file's own key

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from mcp import MCPError
from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument
from mcp.types import INVALID_PARAMS, GetPromptResult, PromptMessage, TextContent

MOST_COMPLETIONS = 100
"""The protocol's limit of values in one answer."""
_TRACKS = "tracks"
_PLACE = re.compile(r"\{([a-z_]+)\}")
_ENTRY = re.compile(r"(?P<indent> *)(?P<item>- )?(?P<key>[a-z_]+):(?: (?P<value>.*))?")
_PROMPT_KEYS = frozenset({"title", "description", "arguments"})
_ARGUMENT_KEYS = frozenset({"name", "description", "required", "default", "suggest"})


class PromptFile(NamedTuple):
    """A prompt as its file has it. All places in `body` are declared; `defaults` and `suggestions` are by argument."""

    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]
    body: str
    defaults: Mapping[str, str]
    suggestions: Mapping[str, tuple[str, ...]]

    def prompt(self) -> Prompt:
        """For `MCPServer.add_prompt`, which lists it. Answer `prompts/get` with `get`: the SDK's errors say too little."""

        async def fill(**arguments: Any) -> str:
            return self.filled(arguments)

        return Prompt(
            name=self.name,
            title=self.title,
            description=self.description,
            arguments=list(self.arguments),
            fn=fill,
            context_kwarg=None,
        )

    def filled(self, arguments: Mapping[str, Any]) -> str:
        """The body with every place filled, in one pass: braces in what the user wrote stay what they are.

        Raises MCPError (INVALID_PARAMS) that names what is missing or unknown.
        """
        given = {name: str(value).strip() for name, value in arguments.items() if value is not None}
        self._check(given)
        values = {**self.defaults, **{name: value for name, value in given.items() if value}}
        return _PLACE.sub(lambda place: values[place[1]], self.body)

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
                INVALID_PARAMS, f"Prompt {self.name!r} has no argument {unknown[0]!r}. Its arguments are {names}."
            )


def load() -> tuple[PromptFile, ...]:
    """Every prompt that is shipped, by name. Raises ValueError for a file that breaks the format."""
    files = sorted((file for file in _folder().iterdir() if file.name.endswith(".md")), key=lambda file: file.name)
    return tuple(parse(file.name.removesuffix(".md"), file.read_text(encoding="utf-8")) for file in files)


def get(name: str, arguments: Mapping[str, Any] | None, prompts: Iterable[PromptFile]) -> GetPromptResult:
    """The answer to `prompts/get`. Raises MCPError (INVALID_PARAMS) that says what to change."""
    prompt = named(name, prompts)
    text = TextContent(type="text", text=prompt.filled(arguments or {}))
    return GetPromptResult(description=prompt.description, messages=[PromptMessage(role="user", content=text)])


def named(name: str, prompts: Iterable[PromptFile]) -> PromptFile:
    """The prompt of that name. Raises MCPError (INVALID_PARAMS) that lists the names there are."""
    by_name = {prompt.name: prompt for prompt in prompts}
    if name not in by_name:
        raise MCPError(INVALID_PARAMS, f"There is no prompt {name!r}. The prompts are {', '.join(by_name)}.")
    return by_name[name]


def wants_tracks(prompt: PromptFile, argument: str) -> bool:
    """Whether completing this argument needs the ids of recent tracks."""
    return prompt.suggestions.get(argument) == (_TRACKS,)


def complete(prompt: PromptFile, argument: str, prefix: str, track_ids: Sequence[str] = ()) -> list[str]:
    """What could stand for an argument, in the file's order or newest track first.

    What begins with the prefix comes before what merely contains it. At most MOST_COMPLETIONS; nothing for an
    argument that is free text.
    """
    values = track_ids if wants_tracks(prompt, argument) else prompt.suggestions.get(argument, ())
    typed = prefix.strip().casefold()
    begins = [value for value in values if value.casefold().startswith(typed)]
    contains = [value for value in values if typed in value.casefold() and value not in begins]
    return [*begins, *contains][:MOST_COMPLETIONS]


def parse(name: str, text: str) -> PromptFile:
    """Read one file. Raises ValueError that names the file and what is wrong with it."""
    parts = re.split(r"(?m)^---[ \t]*\r?$\n?", text, maxsplit=2)
    if len(parts) != 3 or parts[0].strip():
        raise ValueError(f"prompts/{name}.md: the front matter between two '---' lines is missing")
    head, arguments = _front_matter(name, parts[1])
    body = parts[2].strip()
    _check_places(name, body, arguments)
    return PromptFile(
        name=name,
        title=head["title"],
        description=head["description"],
        arguments=tuple(_argument(one) for one in arguments),
        body=body,
        defaults={one["name"]: one["default"] for one in arguments if "default" in one},
        suggestions={one["name"]: tuple(_parted(one["suggest"])) for one in arguments if "suggest" in one},
    )


def _folder() -> Traversable:
    """`prompts/` in the installed package; in a clone, at its root."""
    shipped = resources.files("acestep_mcp") / "prompts"
    return shipped if shipped.is_dir() else Path(__file__).resolve().parents[3] / "prompts"


def _front_matter(name: str, text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The head's values, and one table for each argument."""
    head: dict[str, str] = {}
    arguments: list[dict[str, str]] = []
    for line in filter(str.strip, text.splitlines()):
        entry = _ENTRY.fullmatch(line.rstrip())
        if not entry:
            raise ValueError(f"prompts/{name}.md: not a 'key: value' line: {line!r}")
        if entry["item"]:
            arguments.append({})
        nested = bool(entry["indent"])
        table = arguments[-1] if nested and arguments else head
        key, value = entry["key"], (entry["value"] or "").strip()
        if key in table or key not in (_ARGUMENT_KEYS if nested else _PROMPT_KEYS):
            raise ValueError(f"prompts/{name}.md: unexpected key {key!r}")
        table[key] = value
    _check_complete(name, head, arguments)
    return head, arguments


def _check_complete(name: str, head: Mapping[str, str], arguments: Sequence[Mapping[str, str]]) -> None:
    absent = [key for key in ("title", "description") if not head.get(key)]
    for argument in arguments:
        absent += [f"{argument.get('name', '?')}.{key}" for key in ("name", "description") if not argument.get(key)]
        if argument.get("required") not in {"true", "false"}:
            absent.append(f"{argument.get('name', '?')}.required (true or false)")
        elif (argument["required"] == "true") is bool(argument.get("default")):
            absent.append(f"{argument['name']}.default (for an optional argument, and only for one)")
    if absent:
        raise ValueError(f"prompts/{name}.md: wrong or missing: {', '.join(absent)}")


def _check_places(name: str, body: str, arguments: Sequence[Mapping[str, str]]) -> None:
    places, declared = set(_PLACE.findall(body)), {argument["name"] for argument in arguments}
    if places != declared:
        odd = ", ".join(sorted(places ^ declared))
        raise ValueError(f"prompts/{name}.md: places and arguments differ: {odd}")


def _argument(table: Mapping[str, str]) -> PromptArgument:
    return PromptArgument(name=table["name"], description=table["description"], required=table["required"] == "true")


def _parted(text: str) -> Iterator[str]:
    return (part.strip() for part in text.split(",") if part.strip())
