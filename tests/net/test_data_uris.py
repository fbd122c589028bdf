"""`data:` URIs as they are found in the wild."""

import base64
import textwrap
from urllib.parse import quote, quote_from_bytes

import pytest

from acestep_mcp.net.data_uris import is_data_uri, read_data_uri

CONTENT = bytes(range(256)) * 3 + b"\xfb\xff\xfe"  # its base64 has + and /
ENCODED = base64.b64encode(CONTENT).decode()
URL_SAFE = base64.urlsafe_b64encode(CONTENT).decode()
LINES = "\r\n".join(textwrap.wrap(ENCODED, 76))

FORMS = {
    "plain": f"data:audio/wav;base64,{ENCODED}",
    "upper case": f"DATA:audio/wav;BASE64,{ENCODED}",
    "line ends": f"data:audio/wav;base64,\r\n{LINES}\n",
    "spaces": f" data:audio/wav;base64, {ENCODED[:8]} {ENCODED[8:]}\t",
    "line ends escaped twice": f"data:audio/wav;base64,{LINES}".replace("\r\n", "\\n"),
    "slashes escaped twice": f"data:audio/wav;base64,{ENCODED}".replace("/", "\\/"),
    "url-safe": f"data:audio/wav;base64,{URL_SAFE}",
    "no padding": f"data:audio/wav;base64,{base64.b64encode(CONTENT[:-2]).decode().rstrip('=')}",
    "percent forms": f"data:audio/wav;base64,{quote(ENCODED, safe='')}",
    "percent forms in the head": f"data:audio%2Fwav%3Bbase64,{ENCODED}",
    "parameters": f"data:audio/wav;charset=utf-8;name=my%20song.wav;base64,{ENCODED}",
    "parameters behind": f"data:audio/wav;base64;charset=utf-8,{ENCODED}",
    "a comma in a quoted parameter": f'data:audio/wav;name="a, b.wav";base64,{ENCODED}',
    "half a quoted parameter": f'data:audio/wav;name="a;base64,{ENCODED}',
    "spaces in the head": f"data:audio/wav; codecs=1 ; base64 ,{ENCODED}",
    "no media type": f"data:;base64,{ENCODED}",
    "only base64": f"data:base64,{ENCODED}",
    "invisible characters": f"\ufeff\u200bdata:audio/wav;base64,{ENCODED[:8]}\u200b{ENCODED[8:]}\u00a0\u200b",
    "percent forms of percent forms": f"data:audio/wav;base64,{quote(quote(ENCODED, safe=''))}",
    "a comma as a percent form": f"data:audio/wav;base64%2C{ENCODED}",
    "a fragment": f"data:audio/wav;base64,{ENCODED}#t=10",
    "parts encoded one by one": f"data:;base64,{base64.b64encode(CONTENT[:4]).decode()}{base64.b64encode(CONTENT[4:]).decode()}",
    "no base64": f"data:audio/wav,{quote_from_bytes(CONTENT)}",
    "nothing but bytes": f"data:,{quote_from_bytes(CONTENT, safe='')}",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_content(form):
    assert is_data_uri(FORMS[form])
    assert read_data_uri(FORMS[form]) == (CONTENT[:-2] if form == "no padding" else CONTENT)


@pytest.mark.parametrize(
    "uri",
    [
        "data:audio/wav;base64",
        "data:;base64,%%%",
        "data:;base64,AAAAA",
        "data:;base64,é",
        "data:,\ud800",
        "audio/wav,x",
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(uri):
    with pytest.raises(ValueError, match=r"must look like|cannot be decoded|surrogates"):
        read_data_uri(uri)


@pytest.mark.parametrize("text", ["database.wav", "my data: 1.wav", "https://data/", ""])
def test_other_text_is_no_data_uri(text):
    assert not is_data_uri(text)
