"""Which addresses are of the open internet, in every dress an address can wear."""

from __future__ import annotations

import pytest

from acestep_mcp.net.addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "192.88.99.1", "::1", "::", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fc00::1",
        "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "2002:0808:0808::", "100::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8",
        "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "3fff::1", "5f00::1",
        "", "localhost", "0x7f.1", "8.8.8", "1.1.1.1.1", "[::1]",
    ],
)  # fmt: skip
def test_it_is_not_public(address):
    assert is_public(address) is False


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "151.101.1.1",
        "2606:4700:4700::1111",
        "2a00:1450:4001::8a",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_it_is_public(address):
    assert is_public(address) is True
