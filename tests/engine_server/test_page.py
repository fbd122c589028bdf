"""The page at the root: what it is made of, and who may have it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import acestep_mcp.web

pytestmark = pytest.mark.anyio

ASSETS = Path(acestep_mcp.web.__file__).parent / "assets"
PARTS = [ASSETS / name for name in ("page.css", "elements.js", "wire.js", "form.js", "songs.js")]
KEY = "kid:secret"


class Outline(HTMLParser):
    """Tags with their attributes, and the text of style and script elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.cdata_elem in {"style", "script"}:
            self.inside.append((self.cdata_elem, data))


def _text(page: str, element: str) -> str:
    return "".join(data for name, data in Outline(page).inside if name == element)


async def test_the_page_needs_no_key_and_holds_nothing_of_the_engine(embedded):
    async with embedded(key=KEY) as desk:
        locked = await desk.http.get("/")
        head = await desk.http.head("/")
        posted = await desk.http.post("/")
    async with embedded() as desk:
        await desk.submit(body={"tags": "nobody else's business"})
        opened = await desk.http.get("/")
    assert (locked.status_code, head.status_code, posted.status_code) == (200, 200, 401)
    assert locked.headers["content-type"] == "text/html; charset=utf-8"
    assert locked.text == opened.text
    assert KEY not in locked.text


async def test_only_the_pages_own_style_and_script_may_run(embedded):
    async with embedded() as desk:
        reply = await desk.http.get("/")
    policy = dict(rule.split(" ", 1) for rule in reply.headers["content-security-policy"].split("; "))
    for element in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(_text(reply.text, element).encode()).digest()).decode()
        assert policy[f"{element}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["connect-src"] == policy["media-src"] == "'self'"
    assert not [value for value in policy.values() if "unsafe" in value or "*" in value or "http" in value]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"


async def test_the_page_asks_nothing_of_anybody_else_and_takes_no_text_for_markup(embedded):
    async with embedded() as desk:
        page = (await desk.http.get("/")).text
    tags = Outline(page).tags
    assert not [value for _, attributes in tags for name, value in attributes.items() if name.startswith("on")]
    links = {value for _, attributes in tags for name, value in attributes.items() if name in {"src", "href"}}
    assert {link for link in links if not link.startswith("data:")} == {"openapi.json"}
    for vendored in ("wavesurfer.js", "waveform.js"):  # the policy's trusted types hold them to one template
        page = page.replace((ASSETS / vendored).read_text(encoding="utf-8"), "")
    assert not re.findall(r"https?://\w", page.replace("http://www.w3.org/2000/svg", ""))
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|@import|url\(", page)


async def test_the_page_repeats_no_number_and_no_choice_of_the_published_schemas(embedded):
    async with embedded() as desk:
        schemas = (await desk.http.get("/openapi.json")).json()["components"]["schemas"]
    source = "\n".join(file.read_text(encoding="utf-8") for file in (ASSETS / "engine.html", *PARTS[1:]))
    fields = {name: field for schema in schemas.values() for name, field in schema.get("properties", {}).items()}
    choices = {choice for name in ("scheduler", "guidance_type", "edit_mode") for choice in fields[name]["enum"]}
    assert not [choice for choice in choices - {"lyrics"} if re.search(rf"\b{choice}\b", source)]
    assert not [name for name in ("number_of_steps", "guidance", "granularity", "duration:") if name in source]
    assert not re.search(r"\b(240|27)\b", source)
    assert not [field["description"] for field in fields.values() if field.get("description", "\0") in source]


async def test_every_element_that_the_script_names_is_in_the_page():
    page = (ASSETS / "engine.html").read_text(encoding="utf-8")
    scripts = "".join(file.read_text(encoding="utf-8") for file in PARTS[1:])
    named = set(re.findall(r'\b(?:at|copy)\("([\w-]+)"\)', scripts))
    assert len(named) > 20
    assert named <= set(re.findall(r'\bid="([\w-]+)"', page))


async def test_a_page_of_another_origin_may_look_but_not_ask(embedded):
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    async with embedded() as desk:
        page = await desk.http.get("/", headers=foreign)
        asked = await desk.http.post("/fal-ai/ace-step", json={"tags": "x"}, headers=foreign)
        named = await desk.http.get("/", headers={"host": "evil.example"})
    assert (page.status_code, asked.status_code, named.status_code) == (200, 403, 421)
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in page.headers if name.startswith("access-control")]


async def test_the_page_and_all_its_parts_are_what_the_package_holds(embedded):
    async with embedded() as desk:
        page = (await desk.http.get("/")).text
    assert all(file.read_text(encoding="utf-8") in page for file in PARTS)
    assert "/* style */" not in page
    assert "/* script */" not in page
