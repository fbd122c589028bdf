"""The guard, against real servers with real certificates: only what was checked is ever connected to."""

from __future__ import annotations

import ssl
from pathlib import Path

import anyio
import pytest

from acestep_mcp.api.errors import InvalidRequest, QueueError
from acestep_mcp.net.http_responses import NoResponse
from acestep_mcp.net.ssrf import Body, Reach, origin, send
from acestep_mcp.net.timeouts import Timeouts
from tests.support.certificates import authority
from tests.support.loopback import Reply, Server, free_port, listening

pytestmark = pytest.mark.anyio

NOTHING = Body()
SHORT = Timeouts(connect=2, answer=2, silence=1, transfer=5, outage=1, first_wait=0.01, longest_wait=0.05)
NAME = "songs.example"


class Names:
    """A resolver that answers from a list, one entry per lookup, the last one repeatedly."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, name: str, port: int) -> list[str]:
        self.asked.append((name, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def reach(names: Names, certificates: ssl.SSLContext | None = None, **more) -> Reach:
    """127.0.0.1 stands for a public address here; 127.0.0.2 does not."""
    return Reach(resolve=names, admits=lambda address: address == "127.0.0.1", certificates=certificates, **more)


def url_of(server: Server, path: str = "/a") -> str:
    return f"https://{NAME}:{server.port}{path}"


async def ask(url: str, reach: Reach, method: str = "GET", body: Body = NOTHING):
    with anyio.fail_after(10):
        return await send(method, url, body=body, reach=reach, timeouts=SHORT)


async def test_the_connection_goes_to_the_checked_address_under_the_hosts_name(tmp_path: Path):
    tls, trusting = authority(tmp_path, NAME)
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with listening(lambda _: Reply(200, {"ok": 1}), tls=tls) as server:
        answer = await ask(url_of(server, "/a?b=c"), reach(names, trusting))
    [seen] = server.seen
    assert answer.json() == {"ok": 1}
    assert (seen.target, seen.headers["host"]) == ("/a?b=c", f"{NAME}:{server.port}")
    assert names.asked == [(NAME, server.port)], "a name that is asked twice can mean two hosts"


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path):
    tls, trusting = authority(tmp_path, "other.example")
    async with listening(lambda _: Reply(200), tls=tls) as server:
        with pytest.raises(NoResponse, match="certificate was refused") as error:
            await ask(url_of(server), reach(Names(["127.0.0.1"]), trusting))
    assert server.seen == [] and error.value.sent is False


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path):
    tls, _ = authority(tmp_path, NAME)
    async with listening(lambda _: Reply(200), tls=tls) as server:
        with pytest.raises(NoResponse, match="certificate was refused"):
            await ask(url_of(server), reach(Names(["127.0.0.1"])))
    assert server.seen == []


@pytest.mark.parametrize("found", [["127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], []])
async def test_one_address_that_is_not_public_closes_the_whole_host(found, tmp_path: Path):
    tls, trusting = authority(tmp_path, NAME)
    async with listening(lambda _: Reply(200), tls=tls) as server:
        with pytest.raises(InvalidRequest, match="not a public host"):
            await ask(url_of(server), reach(Names(found), trusting))
    assert server.seen == []


async def test_a_private_host_is_refused_by_the_real_rules():
    async with listening(lambda _: Reply(200)) as server:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"):
            with pytest.raises((InvalidRequest, NoResponse)):
                await ask(f"https://{host}:{server.port}/", Reach())
    assert server.seen == []


async def test_plain_http_is_refused_but_for_the_origins_named(tmp_path: Path):
    async with listening(lambda _: Reply(200, {"ok": 1})) as server:
        with pytest.raises(InvalidRequest, match="plain http"):
            await ask(f"{server.url}/", reach(Names(["127.0.0.1"])))
        assert server.seen == []
        allowed = reach(Names(["127.0.0.2"]), origins=frozenset({origin(server.url)}))
        assert (await ask(f"{server.url}/x", allowed)).status == 200
        with pytest.raises(InvalidRequest, match="plain http"):
            await ask(server.url.replace("127.0.0.1", "127.0.0.3"), allowed)


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "file:///etc/passwd", "https://", "nonsense", "https://u:p@a.example/", "https://a b/"]
)
async def test_an_odd_address_is_refused(url):
    names = Names(["127.0.0.1"])
    with pytest.raises(InvalidRequest):
        await ask(url, reach(names))
    assert names.asked == []


async def test_an_address_that_does_not_answer_gives_way_to_the_next(tmp_path: Path):
    tls, trusting = authority(tmp_path, NAME)
    async with listening(lambda _: Reply(200, {"ok": 1}), tls=tls) as server:
        both = Reach(resolve=Names(["127.0.0.7", "127.0.0.1"]), admits=lambda _: True, certificates=trusting)
        assert (await ask(url_of(server), both)).json() == {"ok": 1}


async def test_each_redirect_is_checked_anew(tmp_path: Path):
    tls, trusting = authority(tmp_path, NAME)
    async with listening(lambda _: Reply(200, b"secret")) as private:
        for target in (
            f"{private.url}/",
            f"https://inside.example:{private.port}/",
            "ftp://x/",
            "https://u:p@x.example",
        ):
            names = Names(["127.0.0.1"], ["127.0.0.2"])
            away = Reply(302, b"", {"location": target})
            async with listening(lambda _, away=away: away, tls=tls) as server:
                with pytest.raises(InvalidRequest):
                    await ask(url_of(server), reach(names, trusting))
    assert private.seen == []


async def test_a_redirect_to_a_checked_host_is_followed_and_a_circle_is_not(tmp_path: Path):
    tls, trusting = authority(tmp_path, NAME)
    hops = iter([Reply(301, b"", {"location": "/next"}), Reply(307, b"", {"location": "?x=1"})])
    async with listening(lambda _: next(hops, None) or Reply(200, {"ok": 1}), tls=tls) as server:
        names = Names(["127.0.0.1"])
        assert (await ask(url_of(server), reach(names, trusting))).json() == {"ok": 1}
        assert [seen.target for seen in server.seen] == ["/a", "/next", "/next?x=1"]
        assert len(names.asked) == 3
        server.script = lambda _: Reply(302, b"", {"location": "/again"})
        with pytest.raises(QueueError, match="redirects more than 5 times"):
            await ask(url_of(server), reach(names, trusting))


async def test_what_is_sent_is_not_sent_on_by_a_redirect(tmp_path: Path):
    tls, trusting = authority(tmp_path, NAME)
    body = Body(b'{"song": 1}', headers={"Content-Type": "application/json", "X-Signature": "s"})
    async with listening(lambda _: Reply(307, b"", {"location": "/b"}), tls=tls) as server:
        answer = await ask(url_of(server), reach(Names(["127.0.0.1"]), trusting), "POST", body)
    assert answer.status == 307
    [seen] = server.seen
    assert (seen.body, seen.headers["x-signature"]) == (b'{"song": 1}', "s")


async def test_an_answer_too_large_for_an_answer_is_cut_off(tmp_path: Path):
    tls, trusting = authority(tmp_path, NAME)
    async with listening(lambda _: Reply(200, stream=[bytes(1 << 20)] * 9), tls=tls) as server:
        with pytest.raises(NoResponse, match="larger than"):
            await ask(url_of(server), reach(Names(["127.0.0.1"]), trusting))


async def test_a_name_that_does_not_exist_is_said_to_be_one():
    async def nothing(name, port):
        raise OSError("no such name")

    with pytest.raises(NoResponse, match="could not be resolved") as error:
        await ask("https://nowhere.example/", Reach(resolve=nothing))
    assert error.value.sent is False


async def test_a_port_where_nothing_listens_is_said_to_be_one():
    with pytest.raises(NoResponse, match="nothing listens there"):
        await ask(f"https://{NAME}:{free_port()}/", reach(Names(["127.0.0.1"])))


async def test_no_proxy_of_the_environment_gets_between(tmp_path: Path, monkeypatch):
    tls, trusting = authority(tmp_path, NAME)
    async with listening(lambda _: Reply(200)) as proxy, listening(lambda _: Reply(200), tls=tls) as server:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        await ask(url_of(server), reach(Names(["127.0.0.1"]), trusting))
    assert (len(proxy.seen), len(server.seen)) == (0, 1)


def test_an_origin_is_scheme_host_and_port():
    assert origin("HTTP://Example.COM:80/a?b") == "http://example.com"
    assert origin("https://[::1]:8443/a") == "https://[::1]:8443"
    assert origin("https://bücher.example/") == "https://xn--bcher-kva.example"
