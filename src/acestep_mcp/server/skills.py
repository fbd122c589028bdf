"""The prompts as Agent Skills, by the extension `io.modelcontextprotocol/skills` (SEP-2640).

A skill is a folder with a `SKILL.md`: what a prompt says, for a model that finds out its arguments by itself. The SDK does
not serve skills yet; this file goes when it does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from mcp import MCPError
from mcp.server.extension import Extension, MethodBinding
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import INVALID_PARAMS, PaginatedRequestParams, RequestParams

if TYPE_CHECKING:
    from acestep_mcp.server.prompts import PromptFile

SCHEME = "skill://"
_TYPE = "text/markdown"
_DEFAULT = re.compile(r" (?:Default: |If omitted, )[^.]*\.$")
_CACHING = {"ttlMs": 3_600_000, "cacheScope": "public"}
"""They change only with the version of the package."""


class SkillParams(RequestParams):
    uri: str


class Skills(Extension):
    """`skills/list` and `skills/get`. Each skill is one file, read as a resource."""

    identifier = "io.modelcontextprotocol/skills"

    def methods(self) -> Sequence[MethodBinding]:
        return (
            MethodBinding("skills/list", PaginatedRequestParams, self._list),
            MethodBinding("skills/get", SkillParams, self._get),
        )

    async def _list(self, _: Any, params: PaginatedRequestParams) -> dict[str, Any]:
        if params.cursor:
            raise MCPError(INVALID_PARAMS, "cursor: skills/list has one page; leave it out.")
        return {"skills": [_entry(uri) for uri in _texts()], **_CACHING}

    async def _get(self, _: Any, params: SkillParams) -> dict[str, Any]:
        return {"skill": _entry(params.uri), **_CACHING}


def read(uri: str) -> ReadResourceContents:
    """A skill's file. Raises MCPError (INVALID_PARAMS) that lists the skills."""
    return ReadResourceContents(content=_text(uri)[1], mime_type=_TYPE)


def skill_text(prompt: PromptFile) -> str:
    """The `SKILL.md` of a prompt."""
    inputs = [
        f"- {argument.name}: {_DEFAULT.sub('', argument.description or '')}"
        + ("" if argument.required else f" If nothing is said of it: {prompt.defaults[argument.name]}.")
        for argument in prompt.arguments
    ]
    body = re.sub(r"\{([a-z_]+)\}", r"<\1>", prompt.body)
    return "\n".join(
        [
            "---",
            f"name: {prompt.name}",
            f"description: {json.dumps(prompt.description, ensure_ascii=False)}",
            "---",
            f"# {prompt.title}",
            "",
            *(["First find out, from what the user has said or else by asking:", "", *inputs, ""] if inputs else []),
            body,
            "",
        ]
    )


def _entry(uri: str) -> dict[str, Any]:
    prompt, text = _text(uri)
    content = text.encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {
        "uri": uri,
        "frontmatter": {"name": prompt.name, "description": prompt.description},
        "resources": [{"uri": uri, "digest": digest, "size": len(content)}],
    }


def _text(uri: str) -> tuple[PromptFile, str]:
    found = _texts().get(uri)
    if found is None:
        raise MCPError(INVALID_PARAMS, f"There is no skill {uri[:200]!r}. The skills are {', '.join(_texts())}.")
    return found


@cache
def _texts() -> dict[str, tuple[PromptFile, str]]:
    """By the URI of its SKILL.md; read at the first request for skills."""
    from acestep_mcp.server.prompts import load

    return {f"{SCHEME}{prompt.name}/SKILL.md": (prompt, skill_text(prompt)) for prompt in load()}
