"""Five good songs among 500 whose sidecars are damaged: the good are all listed, and each bad one is named or listed."""

from __future__ import annotations

import json
import random
from contextlib import closing

import pytest

from acestep_mcp.assembly import tracks_of
from acestep_mcp.library.database import Database
from acestep_mcp.settings import load
from acestep_mcp.studio.build_views import track_row

pytestmark = pytest.mark.slow
BAD = 500
ODD = [
    None, True, -1, 0, 1.5, 1e308, 10**400, float("nan"), float("inf"), "", "x", "\ud83d", "../../etc/passwd", "\x1b[31m", "x" * 5000, [], [1], {}, {"a": 1},
    [{"name": 7, "start": "x"}], [[[]]], "2026-99-99", "text/html", "9" * 400,
]  # fmt: skip
RAW = [b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b"{" * 5000, b"[" * 100_000, b'{"id": "a", "id": 7}', b"\0" * 100]


def good(track_id):
    audio = {"duration": 1.0, "size": 44, "content_type": "audio/wav", "sha256": "0" * 64}
    return {"id": track_id, "created_at": "2026-11-22T12:00:00+00:00", "title": "Rain", "request": {"tags": "a"}, "audio": audio,
            "sections": [{"name": "verse", "start": 0, "end": 1}], "checks": {"lufs": -14.0}, "notes": ["a"], "seed": 7, "parent": "x"}  # fmt: skip


def damaged(track_id, chance):
    if chance.random() < 0.2:
        return chance.choice(RAW)
    sidecar = good(track_id)
    for _ in range(chance.choice([1, 1, 3])):
        holder = chance.choice(
            [sidecar, sidecar, sidecar["audio"] if isinstance(sidecar.get("audio"), dict) else sidecar]
        )
        name = chance.choice(sorted(holder)) if holder else "id"
        holder[name] = chance.choice(ODD)
    return json.dumps(sidecar).encode()


def test_five_good_songs_among_five_hundred_damaged_ones_are_listed_and_the_bad_are_named(tmp_path):
    chance = random.Random(5)
    settings = load()
    settings.music_dir.mkdir(parents=True)
    names = {f"good{number}": json.dumps(good(f"good{number}")).encode() for number in range(5)}
    names |= {f"bad{number:03}": damaged(f"bad{number:03}", chance) for number in range(BAD)}
    for name, content in names.items():
        (settings.music_dir / f"{name}.wav").write_bytes(b"RIFF" + bytes(40))
        (settings.music_dir / f"{name}.json").write_bytes(content)
    with closing(Database(tmp_path / "acestep.sqlite3")) as database:
        tracks = tracks_of(settings, database)
        found = tracks.find("", 1000, None)[0]
        problems = "\n".join(tracks.problems())
        listed = {track.path.stem for track in found}
        assert {f"good{number}" for number in range(5)} <= listed
        assert [name for name in names if name not in listed and name not in problems] == []
        assert 0 < len(listed) < len(names)
        for track in found:
            json.dumps(track_row(track).facts(), allow_nan=False, ensure_ascii=False).encode()
