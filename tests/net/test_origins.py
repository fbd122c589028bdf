"""The Host and Origin of requests: what counts as this server's own."""

import pytest

from acestep_mcp.net.origins import OwnHosts, authority

OWN = OwnHosts(["localhost", "127.0.0.1", "[::1]", "music.example", "proxy.example:8443"])

NOT_OURS = [
    "", "evil.example", "127.0.0.1:evil", "127.0.0.1:", "127.0.0.1:80:80", "127.0.0.1:999999", "localhost.evil.example",
    "localhost@evil.example", "evil.example@localhost", "localhost:80@evil.example", "localhost/", "localhost?x", "localhost#x",
    "localhost\\", " localhost", "localhost ", "localhost\t", "localhost\n", "[::1", "::1]", "[::1]:", "[::1]x", "[localhost]",
    "[::1%25eth0]", "[::1%eth0]", "0x7f.1", "127.1", "2130706433", "lo\u0441alhost", "localhost.", ".localhost", "localhost..",
    "proxy.example", "proxy.example:1", "a.music.example", "[::ffff:127.0.0.1]", "127.0.0.1,evil.example",
    "l" * 400, "\u0661\u0662\u0667.0.0.1", "127.0.0.1:\u0668\u0660",
]  # fmt: skip


@pytest.mark.parametrize("host", NOT_OURS)
def test_a_host_that_is_not_exactly_one_of_the_names_is_foreign(host):
    assert not OWN.has(host)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:65535",
        "[::1]",
        "[::1]:80",
        "[0:0:0:0:0:0:0:1]",
        "music.example:9",
        "proxy.example:8443",
    ],
)
def test_our_names_are_ours_on_every_port(host):
    assert OWN.has(host)


def test_addresses_and_every_name_can_be_allowed_but_no_text_that_is_no_name():
    assert OwnHosts([], addresses=True).has("192.0.2.7:1")
    assert not OwnHosts([], addresses=True).has("gpu-box")
    assert OwnHosts([], every=True).has("gpu-box:8765")
    assert not OwnHosts([], every=True).has("127.0.0.1:evil")


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "localhost:8766", "http://localhost", "http://localhost:8765", "http://localhost:x", "http://localhost:x.evil.test",
        "http://localhost:8766.evil.test", "http://localhost:8766/", "http://localhost:8766/x", "http://localhost:8766#", "HTTP//localhost:8766",
        "http://x@localhost:8766", "http://localhost:8766@evil.test", "ftp://localhost:8766", "file://localhost:8766", "chrome-extension://localhost:8766",
        "http://127.0.0.1:8766", "http://[::1]:8766", "http://evil.test", "https://localhost", "http://localhost:8766,http://evil.test",
        "http://localhost:8766 http://evil.test", "https://proxy.example", "http://music.example:8766", "http:///localhost:8766",
    ],
)  # fmt: skip
def test_a_page_of_another_origin_or_port_is_foreign(origin):
    assert not OWN.is_own(origin, "localhost:8766")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8766", "localhost:8766"),
        ("https://localhost:8766", "localhost:8766"),  # TLS ends at a proxy
        ("http://LOCALHOST:8766", "localhost:8766"),
        ("http://[::1]:8766", "[::1]:8766"),
        ("http://127.0.0.1", "127.0.0.1:80"),
        ("http://127.0.0.1:80", "127.0.0.1"),
        ("https://music.example", "127.0.0.1:8766"),  # the proxy changes Host
        ("https://proxy.example:8443", "127.0.0.1:8766"),
    ],
)
def test_the_servers_own_pages_are_not(origin, host):
    assert OWN.is_own(origin, host)


def test_a_port_is_read_as_a_number_and_a_name_in_lower_case():
    assert authority("LocalHost:0080") == ("localhost", 80)
    assert authority("[::0001]") == ("::1", None)
