"""`data:` URIs (RFC 2397) as people, mail programs and models write them."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote, unquote_to_bytes

_INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]")
_SCHEME = re.compile(rf"(?:\s|{_INVISIBLE.pattern})*data:", re.IGNORECASE)
# A quoted parameter such as name="a, b.wav" may hold a comma.
_HEAD = re.compile(r'(?:[^,"]|"[^"]*")*,')
_BASE64 = re.compile(r"(?:^|;)\s*base64\s*(?:;|$)", re.IGNORECASE)
_ESCAPED_COMMA = re.compile(r"%2c", re.IGNORECASE)
_LONGEST_HEAD = 4096
# White space also comes as the escapes \n, \r and \t of a text that was escaped twice.
_ESCAPED_SPACE = re.compile(rb"\\[nrt]")
_DROPPED = b" \t\n\v\f\r\\"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def is_data_uri(text: str) -> bool:
    """Whether it has the scheme `data`, in any case and after white space and invisible characters."""
    return _SCHEME.match(text) is not None


def read_data_uri(uri: str) -> bytes:
    """The content of a `data:` URI; its media type and parameters do not matter.

    In base64, white space anywhere, percent escapes (also twice), the URL-safe alphabet and missing padding are accepted. A fragment
    is not part of the content. Raises ValueError, which says what is wrong, for anything else.
    """
    scheme = _SCHEME.match(uri)
    rest = uri[scheme.end() :] if scheme else uri
    if "," not in rest[:_LONGEST_HEAD]:
        rest = _ESCAPED_COMMA.sub(",", rest, count=1)
    head = _HEAD.match(rest, 0, _LONGEST_HEAD)
    end = head.end() if head else rest.find(",", 0, _LONGEST_HEAD) + 1
    if scheme is None or not end:
        raise ValueError("it must look like data:audio/wav;base64,UklGR...")
    body = rest[end:].partition("#")[0].strip()
    if not body.isascii():
        body = _INVISIBLE.sub("", body)
    content = unquote_to_bytes(body) if "%" in body else body.encode()
    return _decoded(unquote_to_bytes(content)) if _BASE64.search(unquote(rest[: end - 1])) else content


def _decoded(body: bytes) -> bytes:
    """Padding ends a group; what follows it is another one, as in parts that were encoded one by one."""
    text = (_ESCAPED_SPACE.sub(b"", body) if b"\\" in body else body).translate(_URL_SAFE, _DROPPED)
    try:
        groups = [group + b"=" * (-len(group) % 4) for group in re.split(b"=+", text) if group]
        return b"".join(base64.b64decode(group, validate=True) for group in groups)
    except binascii.Error as exc:
        raise ValueError(f"its base64 cannot be decoded ({exc})") from exc
