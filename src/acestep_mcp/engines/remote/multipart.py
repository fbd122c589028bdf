"""Forms with files (RFC 7578), and answers of several parts (RFC 2046, 5.1)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from itertools import islice, pairwise

_BOUNDARY = re.compile(r'(?:^|;)\s*boundary=("?)([0-9A-Za-z\'()+_,./:=? -]{1,70})\1\s*(?:;|$)', re.IGNORECASE)
_MOST_PARTS = 64


def form(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """The body and its content type. Every file is a WAV file."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode() + b"\r\n"
        for name, value in fields.items()
    ]
    for name, content in files.items():
        about = f'name="{name}"; filename="source.wav"\r\nContent-Type: audio/wav'
        parts += [f"--{boundary}\r\nContent-Disposition: form-data; {about}\r\n\r\n".encode(), content, b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def parts(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """The content type in lower case and the bytes of each whole part; one that was cut is left out.

    Raises ValueError for a content type without a boundary.
    """
    found = _BOUNDARY.search(content_type)
    if not found:
        raise ValueError("it names no boundary")
    body = b"\r\n" + body
    line = re.compile(rb"\r\n--" + re.escape(found[2].rstrip().encode()) + rb"(--)?[ \t]*(?=\r\n|\Z)")
    lines = list(islice(line.finditer(body), _MOST_PARTS))
    for begin, end in pairwise(lines):
        if begin[1]:
            return
        head, gap, content = body[begin.end() : end.start()].partition(b"\r\n\r\n")
        if gap:
            yield _type_of(head), content


def _type_of(head: bytes) -> str:
    for field in head.decode("latin-1").split("\r\n"):
        name, _, value = field.partition(":")
        if name.strip().lower() == "content-type":
            return value.partition(";")[0].strip().lower()
    return ""
