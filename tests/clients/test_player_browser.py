"""The player in a stand-in chat, in a real browser, against a real server that makes drafts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.xdist_group("browser")]

HERE = Path(__file__).parent
MOST_PIXELS = 500


@pytest.fixture
def visit(browser: str, node: str, served: Callable[..., str], environment: dict[str, str]) -> Callable[[str], dict]:
    """Run one scene and give what was seen; the page never breaks, and asks nobody but its host."""

    def run(scene: str) -> dict:
        plan = {"scene": scene, "url": served(), "browser": browser}
        done = subprocess.run(
            [node, HERE / "page_player.mjs", json.dumps(plan)], env=environment, capture_output=True, text=True,
            encoding="utf-8", timeout=55, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        saw = json.loads(done.stdout)
        assert (saw["elsewhere"], saw["broken"]) == ([], [])
        return saw

    return run


def test_the_player_fits_a_chat_of_any_width_in_both_themes_and_can_be_read_and_pressed_by_all(visit):
    looks = visit("look")["looks"]
    assert [(look["theme"], look["width"]) for look in looks] == [
        ("light", 320), ("dark", 480), ("light", 720), ("dark", 1280),
    ]  # fmt: skip
    for look in looks:
        assert look["serious"] == [], "what axe-core finds serious or critical"
        assert look["small"] == [], "every target is at least 44 pixels wide and high"
        assert look["scrolls"] == []
        assert (look["sideways"], look["below"]) == (0, 0)
        assert 300 < max(look["sizes"]) <= MOST_PIXELS
        assert look["body"] == look["page"] == "rgba(0, 0, 0, 0)"


def test_everything_is_reached_by_keyboard_and_two_takes_are_compared_in_place(visit):
    saw = visit("keys")
    assert saw["order"][:2] == ["ui/initialize", "ui/notifications/initialized"]
    assert saw["images"] == 0
    assert "<i>Rain</i> <script>alert(1)</script>" in saw["lyrics"], "text is text"
    assert saw["stops"][:10] == [
        "Play", "Position in the song", "Loop off", "Volume", "Another take", "Save", "B seed 2", "Match loudness",
        "Lyrics", "Next page",
    ]  # fmt: skip
    assert saw["moves"] == [
        ["ArrowRight", 5], ["ArrowRight", 10], ["ArrowLeft", 5], ["Home", 0], ["PageUp", 4], ["PageDown", 0], ["End", 12],
    ]  # fmt: skip
    assert saw["text"] == "0:00 of 0:12, verse"
    assert 1 <= saw["after"] <= 6, "the other take goes on where the first was left"
    assert saw["loop"] == ["Loop section: chorus", 1]
    first, second = saw["ids"]
    asked = [(method, text) for method, text in saw["messages"] if method != "ui/initialize"]
    calls = [json.loads(text) for method, text in asked if method == "tools/call"]
    called = [(one["name"], one["arguments"].get("track_id")) for one in calls]
    made = called[4][1]
    assert called == [
        ("player_audio", second), ("player_audio", first), ("status", None), ("remake_track", first),
        ("play_track", made), ("player_audio", made),
    ]  # fmt: skip
    assert made not in saw["ids"]
    assert (saw["takes"], saw["made"].split()[0], saw["busy"]) == (3, "C", False), "it is shown among the versions"
    told = [text for method, text in asked if method == "ui/update-model-context"]
    assert f"listening to track {first}" in told[0]
    assert f"listening to track {made}" in told[1]
    assert f"/tracks/{made}/" in dict(asked)["ui/open-link"]
    assert "ui/message" not in dict(asked)
    assert "waltz" not in "".join(told), "no text of a song speaks to the model"


def test_takes_are_played_as_loud_as_the_quietest_until_that_is_switched_off(visit):
    saw = visit("sound")
    matched, plain = saw["volumes"]
    assert matched == pytest.approx(10 ** (-6 / 20), abs=0.001), "-10 LUFS beside -16 LUFS"
    assert plain == 1
    assert saw["besideAWhisper"] == pytest.approx(10 ** (-15 / 20), abs=0.001), "a take of -60 LUFS silences no other"


def test_a_refused_song_a_lost_file_and_a_host_that_passes_only_parts_on_are_said_or_worked_round(visit):
    saw = visit("trouble")
    assert saw["refused"] == "not_found: <b>no</b> such track"
    assert saw["failed"] == "storage: the file is gone\nTry again"
    assert saw["actions"] == ["Another take"], "no button for what the host cannot do"
    assert saw["alert"] is False
    assert saw["asked"] == ["ui/initialize", "tools/call", "tools/call", "resources/read"]
    [said] = saw["said"]
    assert f"another take of track {saw['ids'][1]}" in said
    assert saw["paid"] == [0, 1], "what costs money is made only after its price was shown"
