"""The MCP server: tools from a table, tracks as resources, and a studio that is opened at the first call."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.to_thread
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.apps import Apps, client_supports_apps
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.types import (
    SERVER_INFO_META_KEY,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptResult,
    ListResourcesResult,
    PaginatedRequestParams,
    PromptReference,
    ResourceTemplate,
    ResourceTemplateReference,
)
from mcp.types import Prompt as PromptEntry
from mcp.types import Tool as ToolEntry

from acestep_mcp import __version__, __website__
from acestep_mcp.api import logs
from acestep_mcp.api.errors import AceStepError, InvalidRequest
from acestep_mcp.server import player_app, resources, sdk, skills
from acestep_mcp.server.delivery import Calls, Deliveries
from acestep_mcp.server.icon import icons
from acestep_mcp.server.lazy_studio import LazyStudio, OpenStudio, lazy_studio
from acestep_mcp.server.notifications import ChangeNotifier
from acestep_mcp.server.tools.context import ToolContext
from acestep_mcp.server.tools.published import entries
from acestep_mcp.settings import Settings

if TYPE_CHECKING:
    from acestep_mcp.library.models import Track
    from acestep_mcp.server.prompts import PromptFile
    from acestep_mcp.studio.studio import Studio

logger = logging.getLogger(__name__)

Transport = Literal["stdio", "http"]

INSTRUCTIONS = """\
Makes music. Write tags and lyrics yourself and call text_to_audio; use prompt_to_audio only for a quick try.
A tool that makes a song answers with it, or with a job_id: then call get_job until it is done, and start nothing twice.
Songs are saved as files; give their file_path to the user. A cost is in US dollars. Edits take a track id as audio_url, and the original tags \
and lyrics from get_track. Engine "draft" makes a sketch, not ACE-Step; status says which engine is in use."""

IDEMPOTENCY_KEY = "acestep/idempotencyKey"


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of one running server."""

    studio: LazyStudio
    calls: Calls
    notifier: ChangeNotifier


RequestContext = ServerRequestContext[ServerState, Any]


class AceStepServer(MCPServer[ServerState]):
    """See `create_server`. `deliveries` is set by a transport that can observe when an answer is sent."""

    def __init__(self, open_studio: OpenStudio, settings: Settings, transport: Transport) -> None:
        self._open_studio = open_studio
        self._studio_settings = settings
        self._transport = transport
        bus = InMemorySubscriptionBus()
        self._bus = bus
        self._states: list[ServerState] = []
        self.deliveries: Deliveries | None = None
        self._dispatch: Any = None
        super().__init__(
            "acestep-mcp",
            title="ACE-Step",
            instructions=INSTRUCTIONS,
            version=__version__,
            website_url=__website__,
            icons=icons(),
            log_level=settings.log_level,
            lifespan=_lifespan,
            subscriptions=bus,
            middleware=[_middleware],
            extensions=[
                Apps(),
                skills.Skills(),
            ],  # Apps only announces: the tools are in the table, the page in player_app
        )
        add = sdk.lowlevel(self).add_request_handler
        add("resources/list", PaginatedRequestParams, self._list_resources)
        add("completion/complete", CompleteRequestParams, self._complete)

    def end_waits(self) -> None:
        """The process is about to end: waiting calls answer with their job's id now."""
        for state in self._states:
            state.studio.end_waits()

    async def open_studio(self) -> Studio:
        """The studio, for the HTTP routes beside MCP, while the server runs."""
        return await self._states[0].studio()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ServerState]:
        """The state of the server while it runs."""
        notifier = ChangeNotifier(self._bus)
        async with lazy_studio(self._open_studio, notifier.follow) as studio:
            state = ServerState(studio, Calls(studio, self.deliveries), notifier)
            self._states.append(state)
            try:
                yield state
            finally:
                self._states.remove(state)

    async def list_tools(self) -> list[ToolEntry]:
        return list(entries())

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[ServerState, Any] | None = None
    ) -> CallToolResult:
        if context is None:
            raise ToolError("A tool of this server is called within a request.")
        if self._dispatch is None:
            # In a thread, so that pings are answered meanwhile.
            self._dispatch = await anyio.to_thread.run_sync(import_module, "acestep_mcp.server.tools.dispatch")
        problems = self._studio_settings.problems
        answer: CallToolResult = await self._dispatch.call_tool(
            name, arguments, lambda: self._tool_context(context), problems
        )
        return answer

    def _tool_context(self, context: Context[ServerState, Any]) -> ToolContext:
        request = context.request_context
        state = request.lifespan_context
        key = (request.meta or {}).get(IDEMPOTENCY_KEY)
        if key is not None and not isinstance(key, str):
            raise InvalidRequest(f"_meta[{IDEMPOTENCY_KEY!r}] must be a string.")
        return ToolContext(
            studio=state.studio,
            calls=state.calls,
            call=state.calls.of(request),
            settings=self._studio_settings,
            url=self._track_url(request),
            report=context.report_progress,
            idempotency_key=key,
            apps=client_supports_apps(context),
        )

    def _track_url(self, request: RequestContext) -> Callable[[Track], str]:
        http = request.request
        if self._transport == "stdio" or http is None:
            return lambda track: track.path.as_uri()
        from acestep_mcp.server.transfers import download_url

        return lambda track: download_url(http, track, self._studio_settings)

    async def _list_resources(self, ctx: RequestContext, params: PaginatedRequestParams) -> ListResourcesResult:
        return await resources.page(await _studio(ctx), params.cursor)

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        return list(resources.TEMPLATES)

    async def read_resource(
        self, uri: Any, context: Context[ServerState, Any] | None = None
    ) -> Iterable[ReadResourceContents]:
        if context is None:
            raise ToolError("A resource of this server is read within a request.")
        if str(uri) == player_app.URI:
            return [await anyio.to_thread.run_sync(player_app.read)]
        if str(uri).startswith(skills.SCHEME):
            return [skills.read(str(uri))]
        return [await resources.read(await _studio(context.request_context), str(uri))]

    @cached_property
    def _prompts(self) -> tuple[PromptFile, ...]:
        """The prompt files, read at the first request for prompts."""
        from acestep_mcp.server.prompts import load

        prompts = load()
        for prompt in prompts:
            self.add_prompt(prompt.prompt())
        return prompts

    async def list_prompts(self) -> list[PromptEntry]:
        return await super().list_prompts() if self._prompts else []

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[ServerState, Any] | None = None,  # noqa: ARG002 - the SDK's signature
    ) -> GetPromptResult:
        from acestep_mcp.server.prompts import get

        return get(name, arguments, self._prompts)

    async def _complete(self, ctx: RequestContext, params: CompleteRequestParams) -> CompleteResult:
        name, start = params.argument.name, params.argument.value
        values: list[str] = []
        if isinstance(params.ref, PromptReference):
            values = await self._complete_prompt(ctx, params.ref.name, name, start)
        elif isinstance(params.ref, ResourceTemplateReference) and name == "id":
            values = await resources.complete_id(await _studio(ctx), start)
        return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))

    async def _complete_prompt(self, ctx: RequestContext, prompt_name: str, argument: str, start: str) -> list[str]:
        from acestep_mcp.server.prompts import complete, named, wants_tracks

        prompt = named(prompt_name, self._prompts)
        ids = await resources.recent_ids(await _studio(ctx)) if wants_tracks(prompt, argument) else []
        return complete(prompt, argument, start, ids)


async def _studio(ctx: RequestContext) -> Any:
    """The studio, for requests other than tool calls: our errors become protocol errors."""
    try:
        return await ctx.lifespan_context.studio()
    except AceStepError as error:
        raise MCPError(-32603, f"{error.code}: {error.message}") from error


@asynccontextmanager
async def _lifespan(server: MCPServer[ServerState]) -> AsyncIterator[ServerState]:
    assert isinstance(server, AceStepServer)
    async with server.running() as state:
        yield state


async def _middleware(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
    """Follow calls to their end, and register legacy clients for change notifications."""
    logs.concern(call_id=ctx.request_id)
    if ctx.request_id is not None and ctx.method == "tools/call":
        return _briefly_stamped(await _follow_call(ctx, call_next))
    result = await call_next(ctx)
    if ctx.method != "server/discover":
        result = _briefly_stamped(result)
    if ctx.method == "initialize" and isinstance(result, dict):
        # Legacy servers advertise listChanged only through an option that no transport of MCPServer passes on.
        result["capabilities"]["resources"]["listChanged"] = True
    elif ctx.method == "notifications/initialized":
        ctx.lifespan_context.notifier.join(ctx)
    elif ctx.method == "notifications/cancelled":
        ctx.lifespan_context.calls.cancel(ctx)
    return result


def _briefly_stamped(result: HandlerResult) -> HandlerResult:
    """Without the icon, a kilobyte, in the server's info that the SDK puts into every answer: `server/discover` has it."""
    if isinstance(result, dict) and isinstance(stamp := (result.get("_meta") or {}).get(SERVER_INFO_META_KEY), dict):
        for name in ("icons", "websiteUrl"):
            stamp.pop(name, None)
    return result


async def _follow_call(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
    calls = ctx.lifespan_context.calls
    call, delivery = calls.begin(ctx)
    try:
        result = await call_next(ctx)
    except anyio.get_cancelled_exc_class():
        calls.interrupted(ctx, call)
        raise
    except MCPError:
        calls.end(ctx)
        raise
    calls.answered(ctx, call, delivery)
    return result


def studio_opener(settings: Settings) -> OpenStudio:
    """Opens the real studio; its imports happen only then."""

    @asynccontextmanager
    async def open_studio() -> AsyncIterator[Studio]:
        # In a thread, so that pings are answered meanwhile.
        assembly = await anyio.to_thread.run_sync(import_module, "acestep_mcp.assembly")
        async with assembly.open_studio(settings) as studio:
            yield studio

    return open_studio


def create_server(open_studio: OpenStudio, settings: Settings, *, transport: Transport) -> AceStepServer:
    """A server that opens its studio at the first call that needs it.

    `transport` decides only how the URLs of tracks look.
    """
    # Before `MCPServer` is built, which would install a rich handler.
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
    with sdk.without_rich():
        return AceStepServer(open_studio, settings, transport)
