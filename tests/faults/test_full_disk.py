"""A real small disk that is full: what is there can be read, also by a server that starts then."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from acestep_mcp.api.errors import NotFound, StorageError
from acestep_mcp.assembly import open_studio
from acestep_mcp.library.database import Database
from acestep_mcp.settings import Settings
from tests.faults.places import small_disk
from tests.support.requests import request

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.process,  # `mount`
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="disks are mounted"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with ExitStack() as mounted:
        try:
            mounted.enter_context(small_disk(folder, "2m"))
        except (subprocess.CalledProcessError, OSError) as exc:
            pytest.skip(f"no disk can be mounted: {exc}")
        yield folder


@pytest.fixture
def settings(disk: Path) -> Settings:
    """A library with two songs."""
    settings = Settings(music_dir=disk / "music", data_dir=disk / "data", backend="draft")
    settings.music_dir.mkdir()
    for name in ("one", "two"):
        (settings.music_dir / f"{name}.wav").write_bytes(b"RIFF")
        (settings.music_dir / f"{name}.json").write_text(
            f'{{"id": "{name}", "title": "{name}", "created_at": "2026-11-22T00:00:00+00:00", "request": {{}}, '
            '"audio": {"duration": 1, "size": 4, "content_type": "audio/wav"}}'
        )
    return settings


@pytest.fixture
def full(disk: Path) -> Iterator[Callable[[], None]]:
    """A function that fills the disk to its last byte."""

    def fill() -> None:
        with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    yield fill
    (disk / "ballast").unlink(missing_ok=True)


async def test_a_studio_that_opens_on_a_full_disk_shows_what_is_there_and_writes_when_there_is_room(
    settings: Settings, disk: Path, full: Callable[[], None]
) -> None:
    async with open_studio(settings) as studio:
        assert (await studio.catalogue.page()).total == 2
    full()
    async with open_studio(settings) as studio:
        page = await studio.catalogue.page()
        assert {track.id for track in page.tracks} == {"one", "two"}
        assert ["Free some space" in problem or "free space" in problem for problem in page.problems] == [True]
        assert (await studio.status()).problems == list(page.problems)
        assert (await studio.catalogue.get("one.wav")).title == "one"
        with pytest.raises(NotFound):
            await studio.catalogue.get("three.wav")
        assert await studio.jobs() == []
        with pytest.raises(StorageError, match="Nothing was submitted"):
            await studio.start(request("text_to_audio", {"tags": "lofi"}))
        (disk / "ballast").unlink()
        (settings.music_dir / "two.wav").rename(settings.music_dir / "renamed.wav")
        page = await studio.catalogue.page()
        assert {track.path.name for track in page.tracks} == {"one.wav", "renamed.wav"}
        assert page.problems == ()
    async with open_studio(settings) as studio:
        assert (await studio.catalogue.get("two")).path.name == "renamed.wav"


def test_what_is_written_on_a_full_disk_is_refused_and_not_kept_in_memory(
    settings: Settings, disk: Path, full: Callable[[], None]
) -> None:
    Database(settings.database).close()
    full()
    database = Database(settings.database)
    for _ in range(2):
        with pytest.raises(StorageError), database.writing() as db:
            db.execute("INSERT INTO notices (text) VALUES ('x')")
        with pytest.raises(StorageError):
            database.execute("INSERT INTO notices (text) VALUES ('x')", ())
    (disk / "ballast").unlink()
    database.execute("INSERT INTO notices (text) VALUES ('y')", ())
    with database.reading() as db:
        assert [row["text"] for row in db.execute("SELECT text FROM notices")] == ["y"]
    database.close()
