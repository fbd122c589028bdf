"""Addresses that must never be reached: private hosts in every notation, and texts that only look like public ones."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.192",
]  # fmt: skip


def notations(address: str) -> Iterator[str]:
    """The same IPv4 address as systems and libraries also read it."""
    yield address
    number, parts = int(ipaddress.IPv4Address(address)), [int(part) for part in address.split(".")]
    yield str(number)
    yield hex(number)
    yield f"0{number:o}"
    yield ".".join(map(hex, parts))
    yield ".".join(f"0{part:o}" for part in parts)
    yield f"{parts[0]}.{number & 0xFFFFFF}"
    yield f"{address}."
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]"
    yield f"[::{address}]"
    yield f"[64:ff9b::{address}]"
    yield f"[64:ff9b:1::{address}]"
    yield f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::]"


HOSTS = [
    *(f"[{address}]" for address in (
        "::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::", "fe80::1", "fc00::1", "fd00:ec2::254",
        "ff02::1", "fec0::1", "2001::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1", "::1%25lo", "fe80::1%25eth0",
        "fe80::1%eth0", "2606:4700::1%25eth0", "::ffff:0:127.0.0.1", "::1]@[::1",
    )),
    "127.1", "127.0.1", "0", "0x0", "127.0.0.1.", "0127.0.0.1", "0x7f.1", "127.0.0.1%00.example.com", "1.1.1.1@127.0.0.1",
    "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "127\u30020\u30020\u30021", "127\uff0e0\uff0e0\uff0e1",
    "localhost", "LOCALHOST", "localhost.", "loc\u00adalhost", "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3", "%6c%6f%63alhost", "%31%32%37.0.0.1",
    "public.example@localhost", "public.example:443@localhost", "user:pass@public.example", "localhost\\@public.example",
    "localhost#@public.example", "localhost?@public.example", "public.example\\.localhost", "public.example\t.localhost",
    "localhost\n", "\tlocalhost", "localhost\x00.public.example", "xn--", "xn--localhost-", "public..example", "*", "-", "",
]  # fmt: skip

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "ip6-localhost": ["::1"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "host.docker.internal": ["192.168.65.2"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "a.localtest.me": ["127.0.0.1"],
    "spoofed.example": ["::ffff:127.0.0.1"],
    "first-public.example": ["1.1.1.1", "127.0.0.1"],
    "last-public.example": ["127.0.0.1", "1.1.1.1"],
    "both.example": ["1.1.1.1", "::1"],
    "many-public.example": ["1.1.1.1", "8.8.8.8", "9.9.9.9", "1.0.0.1", "10.0.0.1"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "sixtofour.example": ["2002:a00:1::"],
    "linklocal.example": ["fe80::1%eth0"],
    "nothing.example": [],
    "b\u00fccher.example": ["10.0.0.2"],
}
_ASCII = {name.encode("idna").decode(): found for name, found in NAMES.items()}
SCHEMES = [
    "http://public.example/", "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:6379/_",
    "dict://127.0.0.1:11211/", "ldap://127.0.0.1/", "jar:https://127.0.0.1!/", "unix:///var/run/docker.sock",
    "http+unix://%2fvar%2frun%2fdocker.sock/", "ws://127.0.0.1/", "javascript:fetch('//127.0.0.1')", "data:audio/wav;base64,AAAA",
    "//127.0.0.1/", "///127.0.0.1", "\\\\127.0.0.1\\share", "https:127.0.0.1", "https:/127.0.0.1/", "https:///127.0.0.1/",
    "127.0.0.1", "https://public.example:0/", "https://public.example:65536/", "https://public.example:-1/",
    "https://public.example:80:80/", "HTTPS://LOCALHOST/", "https://\r\nHost: localhost\r\n/", "https://[::1", "https://::1/",
]  # fmt: skip


def vectors(port: int) -> list[str]:
    """Each with this port, where it has a host of its own."""
    hosts = [*dict.fromkeys([*HOSTS, *(host for address in PRIVATE for host in notations(address)), *NAMES])]
    return [f"https://{host}:{port}/a.wav" for host in hosts] + SCHEMES


async def resolve(name: str, port: int) -> list[str]:
    """The table, and numbers as the system reads them."""
    if name.rstrip(".").lower() in _ASCII:
        return _ASCII[name.rstrip(".").lower()]
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(address[0]) for *_, address in found]
