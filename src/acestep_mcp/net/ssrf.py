"""Which hosts a request may go to, and the connection to one of their checked addresses."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.to_thread
import httpx

from acestep_mcp.api.errors import InvalidRequest, NoResponse, QueueError
from acestep_mcp.net.addresses import PORTS, Resolver, is_public, parse_url, system_resolver
from acestep_mcp.net.http_responses import HttpResponse, http_errors, read_response
from acestep_mcp.net.timeouts import DEFAULT_TIMEOUTS, Timeouts

MAX_REDIRECTS = 5
MAX_ADDRESSES = 4


@dataclass(frozen=True, slots=True)
class Reach:
    """Where requests may go: public https, and the `origins` named here (such as `http://127.0.0.1:8765`).

    Those origins may be private and plain http; `transport` replaces the network for them.
    """

    origins: frozenset[str] = frozenset()
    transport: httpx.AsyncBaseTransport | None = None
    resolve: Resolver = system_resolver
    admits: Callable[[str], bool] = is_public
    """Whether a resolved address may be connected to."""
    certificates: ssl.SSLContext | None = None
    """None: httpx's default trust store."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: bytes, or a function that starts a stream of `length` bytes for each attempt."""

    content: bytes | Callable[[], AsyncIterator[bytes]] = b""
    length: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


PUBLIC = Reach()
NOTHING = Body()


def origin(url: str) -> str:
    """Scheme, host and port (left out when it is the scheme's default). Raises InvalidRequest as `parse_url` does."""
    return _origin(parse_url(url))


def _origin(url: httpx.URL) -> str:
    name = url.raw_host.decode("ascii")
    name = f"[{name}]" if ":" in name else name
    own = url.port in (None, PORTS[url.scheme])
    return f"{url.scheme}://{name}" if own else f"{url.scheme}://{name}:{url.port}"


def host_of(url: str) -> str:
    """The host's name. Raises InvalidRequest as `parse_url` does."""
    return parse_url(url).host


async def _addresses(url: httpx.URL, reach: Reach) -> list[str]:
    """The checked addresses of a public https host, at most four. Raises InvalidRequest, NoResponse."""
    if url.scheme != "https":
        raise InvalidRequest(f"{_origin(url)} is plain http. Give an https address.")
    name = url.raw_host.decode("ascii")
    try:
        found = list(dict.fromkeys(await reach.resolve(name, url.port or 443)))
    except (OSError, UnicodeError) as exc:
        raise NoResponse(f"The name {name!r} could not be resolved.", sent=False) from exc
    if not found or not all(reach.admits(address) for address in found):
        raise InvalidRequest(f"{name!r} is not a public host, so it is not used. Give a public https address.")
    return found[:MAX_ADDRESSES]


def trust(scheme: str) -> ssl.SSLContext:
    """The certificates to trust: httpx's default (it honours SSL_CERT_FILE), and none where TLS is not used.

    Reading them takes up to 0.1 s: call it in a thread.
    """
    return httpx.create_ssl_context() if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@asynccontextmanager
async def _hop(
    method: str, url: httpx.URL, body: Body, reach: Reach, timeouts: Timeouts
) -> AsyncIterator[httpx.Response]:
    """One request without redirects, to a checked address or to one of `reach.origins`."""
    own = _origin(url) in reach.origins
    hosts = [url.host] if own else await _addresses(url, reach)
    timeout = httpx.Timeout(timeouts.silence, connect=timeouts.connect)
    transport = reach.transport if own else None
    certificates = reach.certificates
    if transport is None and certificates is None:
        certificates = await anyio.to_thread.run_sync(trust, url.scheme)
    client = httpx.AsyncClient(verify=certificates or True, transport=transport, trust_env=False, timeout=timeout)
    try:
        response = await _first_reached(client, partial(_request, client, method, url, body), hosts)
        try:
            yield response
        finally:
            await response.aclose()
    finally:
        if transport is None:  # a given transport is closed by its owner
            await client.aclose()


def _request(client: httpx.AsyncClient, method: str, url: httpx.URL, body: Body, host: str) -> httpx.Request:
    """A request to `host`, the URL's own or one of its addresses; Host header and certificate check use the name."""
    headers = {"Accept-Encoding": "identity", **body.headers, "Host": url.netloc.decode("ascii")}
    if body.length:
        headers["Content-Length"] = str(body.length)
    content = body.content() if callable(body.content) else body.content
    extensions = {"sni_hostname": url.raw_host.decode("ascii")}
    return client.build_request(
        method, url.copy_with(host=host), headers=headers, content=content, extensions=extensions
    )


async def _first_reached(
    client: httpx.AsyncClient, request: Callable[[str], httpx.Request], hosts: Sequence[str]
) -> httpx.Response:
    for host in hosts[:-1]:
        try:
            return await client.send(request(host), stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await client.send(request(hosts[-1]), stream=True)


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = str(url.join(location))
    except (httpx.InvalidURL, ValueError):
        target = location
    return parse_url(target)


@asynccontextmanager
async def opened(
    method: str, url: str, *, body: Body = NOTHING, reach: Reach = PUBLIC, timeouts: Timeouts = DEFAULT_TIMEOUTS,
    redirects: int = MAX_REDIRECTS,
) -> AsyncIterator[httpx.Response]:  # fmt: skip
    """A response whose body is not read yet. A GET follows that many redirects, with its headers, and checks each target.

    Raises InvalidRequest for an address that may not be used, NoResponse when none came.
    """
    target = parse_url(url)
    with http_errors(f"Asking {target.host}"):
        for _ in range(redirects + 1):
            async with _hop(method, target, body, reach, timeouts) as response:
                if method != "GET" or not redirects or not response.has_redirect_location:
                    yield response
                    return
                target = _redirected(target, response.headers["location"])
        message = f"{target.host} redirects more than {MAX_REDIRECTS} times. Give the final address."
        raise QueueError(message, is_permanent=True)


async def send(
    method: str, url: str, *, body: Body = NOTHING, reach: Reach = PUBLIC, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> HttpResponse:
    """Send one request once and read its small response, whatever its status. Raises InvalidRequest, NoResponse."""
    with http_errors(f"Asking {parse_url(url).host}"), anyio.fail_after(timeouts.transfer):
        async with opened(method, url, body=body, reach=reach, timeouts=timeouts) as response:
            return await read_response(response)


async def post(url: str, content: bytes, headers: Mapping[str, str]) -> int:
    """Post to a public address and return the status, without following redirects. Raises InvalidRequest, NoResponse."""
    return (await send("POST", url, body=Body(content, len(content), headers))).status
