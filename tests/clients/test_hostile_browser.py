"""The pages in a real browser, with songs whose every text is markup, and within a page of another origin."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.test_gallery_browser import add_song

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.xdist_group("browser")]

HERE = Path(__file__).parent
TOKEN = "sesame-5d21be"
MARKUP = (
    '<img src=x onerror="window.xss=1;alert(1)">', "<svg/onload=alert(1)>", "</script><script>alert(1)</script>", "<iframe srcdoc='<script>alert(1)</script>'>",
    '"><img src=x onerror=alert(1)>', "' onmouseover=alert(1) x='", "javascript:alert(1)", "<a href=javascript:alert(1)>x</a>", "<base href=//evil.example>",
    "<form action=//evil.example><input name=token>", "<style>*{background:url(//evil.example)}</style>", "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>", "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "\u202e<img src=x onerror=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<template><script>alert(1)</script></template>", "&lt;img src=x onerror=alert(1)&gt;",
)  # fmt: skip


def test_no_text_of_a_song_becomes_markup_and_no_page_frames_the_gallery(
    browser: str, node: str, served: Callable[..., str], environment: dict[str, str]
) -> None:
    music = Path(environment["ACESTEP_MUSIC_DIR"])
    music.mkdir(parents=True)
    every = " ".join(MARKUP)
    for number, text in enumerate((every, MARKUP[0])):
        add_song(
            music, f"song{number}", number, title=f"{number} {text}", tags=text, lyrics=f"[{text}]\n{text}", engine={"name": text},
            endpoint=text, notes=[text], heard={"summary": text, "key": text}, remade=text, parent={"id": "song0"} if number else None,
            edit={"kind": text, "start": 1, "end": 2}, sections=[{"name": text, "start": 0, "end": 6}], request={"tags": text, text: text},
        )  # fmt: skip
    url = served(ACESTEP_TOKEN=TOKEN).removesuffix("mcp")
    done = subprocess.run(
        [node, HERE / "page_hostile.mjs", json.dumps({"url": url, "browser": browser, "token": TOKEN})], env=environment,
        capture_output=True, text=True, encoding="utf-8", timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert saw["songs"] == 2
    assert (saw["dialogs"], saw["ran"], saw["handlers"], saw["elsewhere"]) == ([], [], [], [])
    assert saw["elements"] <= 0, "the page has no more scripts, frames, forms, images or styles than it began with"
    assert MARKUP[0] in saw["text"], "it is shown as text"
    assert saw["broken"] == []
    assert [text for text in saw["framed"] if "refused to connect" not in text] == []
    assert len(saw["framed"]) == 3
    assert saw["cookies"] == [{"httpOnly": True, "sameSite": "Strict"}]


@pytest.fixture
def visited(browser: str, node: str, served: Callable[..., str], environment: dict[str, str]) -> Callable[..., dict]:
    """What a script saw at a server's page; nothing in it ever ran, broke or asked another host."""

    def visit(script: str, address: str) -> dict:
        plan = {"url": address, "browser": browser, "markup": " ".join(MARKUP)}
        done = subprocess.run(
            [node, HERE / script, json.dumps(plan)], env=environment, capture_output=True, text=True, encoding="utf-8",
            timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        saw = json.loads(done.stdout)
        assert (saw["dialogs"], saw["active"], saw["elsewhere"], saw["broken"]) == ([], [], [], [])
        assert saw["elements"] <= 0
        return saw

    return visit


def test_no_text_of_an_engine_becomes_markup_and_no_page_frames_its_page(visited, served):
    url = served(sys.executable, "-m", "acestep_mcp", "engine", "--port", "0").removesuffix("mcp")
    saw = visited("page_hostile_engine.mjs", url)
    for where in ("running", "done", "about", "download", "refused"):
        assert MARKUP[0].lower() in saw[where].lower(), where
    assert [text for text in saw["framed"] if "refused to connect" not in text] == []
    assert len(saw["framed"]) == 3


def test_no_text_of_a_song_becomes_markup_in_the_player_or_speaks_to_the_model(visited, served):
    saw = visited("page_hostile_player.mjs", served())
    for where in ("lyrics", "text", "failed"):
        assert MARKUP[0] in saw[where], where
    assert "<" not in "".join(saw["told"])
