"""Our server with the fixtures that the conformance suite asks for, so that more of it crosses our own classes.

Run as a script with our settings in the environment; it serves HTTP on a free port and names it on stderr. Only what
this MCP server offers is here: it never asks the client for anything.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument, UserMessage
from mcp.types import (
    AudioContent,
    CallToolResult,
    CompleteResult,
    Completion,
    EmbeddedResource,
    ImageContent,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
    Tool,
)

from acestep_mcp.api import logs
from acestep_mcp.server import http
from acestep_mcp.server.app import AceStepServer, studio_opener
from acestep_mcp.settings import load

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
WAV = base64.b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0").decode()

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
    "properties": {
        "name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}, "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"}, "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}  # fmt: skip


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, words: str, mime_type: str = "text/plain") -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=words)
    return EmbeddedResource(type="resource", resource=contents)


ANSWERS = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [image()],
    "test_audio_content": [AudioContent(type="audio", data=WAV, mime_type="audio/wav")],
    "test_embedded_resource": [embedded("test://embedded-resource", "This is an embedded resource content.")],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
    ],
    "test_error_handling": [text("This tool intentionally returns an error for testing")],
    "test_tool_with_progress": [text("done")],
    "json_schema_2020_12_tool": [text("done")],
}
RESOURCES = {
    "test://static-text": ("text/plain", "This is the content of the static text resource."),
    "test://static-binary": ("image/png", base64.b64decode(PNG)),
    "test://watched-resource": ("text/plain", "watched"),
}


class Fixtures(AceStepServer):
    """Ours, plus the fixtures."""

    async def list_tools(self) -> list[Tool]:
        schemas = {name: {"type": "object"} for name in ANSWERS} | {"json_schema_2020_12_tool": SCHEMA}
        return [
            *await super().list_tools(),
            *(Tool(name=name, description="A fixture.", input_schema=schema) for name, schema in schemas.items()),
        ]

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> CallToolResult:
        if name not in ANSWERS:
            return await super().call_tool(name, arguments, context)
        if name == "test_tool_with_progress":
            for step in (0, 50, 100):
                await context.report_progress(step, 100)
                await anyio.sleep(0.05)
        return CallToolResult(content=ANSWERS[name], is_error=name == "test_error_handling")

    async def read_resource(self, uri: Any, context: Any = None) -> Any:
        name = str(uri)
        if name in RESOURCES:
            mime_type, content = RESOURCES[name]
            return [ReadResourceContents(content=content, mime_type=mime_type)]
        if name.startswith("test://template/"):
            found = name.removeprefix("test://template/").removesuffix("/data")
            told = {"id": found, "templateTest": True, "data": f"Data for ID: {found}"}
            return [ReadResourceContents(content=json.dumps(told), mime_type="application/json")]
        return await super().read_resource(uri, context)

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        ours = await super().list_resource_templates()
        return [*ours, ResourceTemplate(uri_template="test://template/{id}/data", name="fixture")]

    async def get_prompt(self, name: str, arguments: Any = None, context: Any = None) -> Any:
        if name.startswith("test_"):
            return await MCPServer.get_prompt(self, name, arguments, context)
        return await super().get_prompt(name, arguments, context)

    async def _complete(self, ctx: Any, params: Any) -> CompleteResult:
        if getattr(params.ref, "name", "").startswith("test_"):
            return CompleteResult(completion=Completion(values=["paris", "park", "party"], total=3, has_more=False))
        return await super()._complete(ctx, params)

    async def _list_resources(self, ctx: Any, params: Any) -> Any:
        page = await super()._list_resources(ctx, params)
        page.resources += [Resource(uri=uri, name=uri, mime_type=mime) for uri, (mime, _) in RESOURCES.items()]
        return page


def add_prompts(server: AceStepServer) -> None:
    async def simple() -> list[UserMessage]:
        return [UserMessage("This is a simple prompt for testing.")]

    async def arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]

    async def resource(resourceUri: str) -> list[UserMessage]:
        content = embedded(resourceUri, "Embedded resource content for testing.")
        return [UserMessage(content), UserMessage("Please process the embedded resource above.")]

    async def picture() -> list[UserMessage]:
        return [UserMessage(image()), UserMessage("Please analyze the image above.")]

    for name, names, render in (
        ("test_simple_prompt", (), simple),
        ("test_prompt_with_arguments", ("arg1", "arg2"), arguments),
        ("test_prompt_with_embedded_resource", ("resourceUri",), resource),
        ("test_prompt_with_image", (), picture),
    ):
        asked = [PromptArgument(name=one, description="A fixture.", required=True) for one in names]
        server.add_prompt(Prompt(name=name, description="A fixture.", arguments=asked, fn=render))


if __name__ == "__main__":
    settings = load()
    logs.configure(settings.log_level)
    server = Fixtures(studio_opener(settings), settings, "http")
    add_prompts(server)
    http.run_server(server, settings, host="127.0.0.1", port=0)
