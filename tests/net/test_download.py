"""Files from elsewhere: whole on disk, or an error and nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from acestep_mcp.api.errors import QueueError, StorageError
from acestep_mcp.net.download import download
from acestep_mcp.net.ssrf import Reach, origin
from acestep_mcp.net.timeouts import Timeouts
from tests.support.loopback import Reply, Script, Server, listening

pytestmark = pytest.mark.anyio

HASTY = Timeouts(connect=2, answer=2, silence=0.02, transfer=5, outage=1, first_wait=0.01, longest_wait=0.02)
SHORT = Timeouts(connect=2, answer=2, silence=0.1, transfer=5, outage=1, first_wait=0.01, longest_wait=0.05)
SONG = b"RIFF" + bytes(range(256)) * 9000


async def fetched(script: Script, path: Path, **limits) -> tuple[int, Server]:
    async with listening(script) as server:
        near = Reach(origins=frozenset({origin(server.url)}))
        timeouts = limits.pop("timeouts", SHORT)
        with anyio.fail_after(20):
            return await download(f"{server.url}/song.wav", path, reach=near, timeouts=timeouts, **limits), server


async def test_a_file_arrives_whole(tmp_path: Path):
    size, server = await fetched(lambda _: Reply(200, SONG), tmp_path / "a", size=len(SONG))
    assert (tmp_path / "a").read_bytes() == SONG and size == len(SONG) and len(server.seen) == 1
    assert "authorization" not in server.seen[0].headers and "cookie" not in server.seen[0].headers


async def test_faults_of_the_wire_are_begun_anew_and_leave_no_seam(tmp_path: Path):
    faults = iter(
        [
            Reply(reset=True),
            Reply(200, SONG, cut=len(SONG) // 2),
            Reply(503),
            Reply(200, stream=[SONG[:9]], clean=False),
        ]
    )
    await fetched(lambda _: next(faults, None) or Reply(200, SONG), tmp_path / "a", size=len(SONG))
    assert (tmp_path / "a").read_bytes() == SONG


async def test_a_short_file_that_says_it_is_whole_is_not_believed(tmp_path: Path):
    short = iter([Reply(200, SONG[:-1])])
    await fetched(lambda _: next(short, None) or Reply(200, SONG), tmp_path / "a", size=len(SONG))
    assert (tmp_path / "a").read_bytes() == SONG


@pytest.mark.parametrize(
    ("reply", "words", "tries"),
    [
        (Reply(200, SONG, cut=100), "broke off", 6),
        (Reply(200, stream=[SONG[:50]], hang=True), "no answer came in time", 6),
        (Reply(503), "503", 6),
        (Reply(404), "404", 1),
        (Reply(403, b"<xml>AccessDenied</xml>"), "403", 1),
        (Reply(429, b"", {"retry-after": "3600"}), "429", 1),
        (Reply(200, SONG, {"content-encoding": "gzip"}), "encoding", 1),
        (Reply(206, SONG), "206", 1),
    ],
)
async def test_what_does_not_arrive_leaves_no_file(reply, words, tries, tmp_path: Path):
    seen = []
    timeouts = HASTY if reply.hang or tries == 1 else SHORT
    with pytest.raises(QueueError, match=words):
        await fetched(lambda request: seen.append(request) or reply, tmp_path / "a", size=len(SONG), timeouts=timeouts)
    assert len(seen) == tries
    assert not (tmp_path / "a").exists()


async def test_a_stated_size_that_two_whole_files_contradict_is_wrong(tmp_path: Path):
    size, server = await fetched(lambda _: Reply(200, SONG), tmp_path / "a", size=len(SONG) + 1)
    assert (size, len(server.seen)) == (len(SONG), 2)
    assert (tmp_path / "a").read_bytes() == SONG


async def test_files_of_another_size_at_each_try_are_not_kept(tmp_path: Path):
    sizes = iter(range(1, 100))
    with pytest.raises(QueueError, match="should have 1000"):
        await fetched(lambda _: Reply(200, SONG[: next(sizes)]), tmp_path / "a", size=1000)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("same", [True, False])
async def test_a_file_that_ends_at_the_same_byte_at_each_try_is_cut_for_good(same, tmp_path: Path):
    cuts = iter(range(100, 1000))
    with pytest.raises(QueueError, match="broke off") as error:
        await fetched(lambda _: Reply(200, SONG, cut=100 if same else next(cuts)), tmp_path / "a")
    assert error.value.is_permanent is same
    assert ("after 100 bytes at each of 6 tries" in error.value.message) is same


@pytest.mark.slow
async def test_a_file_that_comes_too_slowly_is_given_up(tmp_path: Path):
    slow = Timeouts(silence=0.1, slowest=10_000, transfer=5, first_wait=0.01, longest_wait=0.01)
    with pytest.raises(QueueError, match="bytes per second"):
        await fetched(lambda _: Reply(200, stream=[b"x"] * 100, pause=0.005), tmp_path / "a", timeouts=slow)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("reply", [Reply(200, SONG), Reply(200, stream=[SONG])], ids=["said", "unsaid"])
async def test_a_file_larger_than_the_limit_is_not_kept(reply, tmp_path: Path):
    with pytest.raises(QueueError, match="bytes") as error:
        await fetched(lambda _: reply, tmp_path / "a", max_bytes=1000)
    assert error.value.is_permanent
    assert not (tmp_path / "a").exists()


async def test_a_file_that_trickles_for_ever_ends_at_the_time_limit(tmp_path: Path):
    slow = Timeouts(silence=5, transfer=0.03, first_wait=0.01, longest_wait=0.01)
    with pytest.raises(QueueError, match="in time"):
        await fetched(lambda _: Reply(200, stream=[b"x"], hang=True), tmp_path / "a", timeouts=slow)
    assert not (tmp_path / "a").exists()


async def test_a_folder_that_is_not_there_is_the_disks_fault(tmp_path: Path):
    with pytest.raises(StorageError, match="Cannot write"):
        await fetched(lambda _: Reply(200, SONG), tmp_path / "no" / "a")


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
async def test_a_disk_that_takes_no_more_is_the_disks_fault_and_keeps_no_part(tmp_path: Path):
    """In a process of its own, which may write files of 100 kB at most."""
    async with listening(lambda _: Reply(200, SONG)) as server:
        done = await anyio.run_process([sys.executable, "-c", LIMITED, server.url, str(tmp_path / "a")])
    assert done.stdout.decode().startswith("StorageError")
    assert "Cannot write" in done.stdout.decode()
    assert not (tmp_path / "a").exists()


LIMITED = """
import resource, signal, sys
from pathlib import Path
import anyio
from acestep_mcp.api.errors import StorageError
from acestep_mcp.net.ssrf import Reach
from acestep_mcp.net.download import download

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

async def main(url, path):
    try:
        await download(f"{url}/song.wav", Path(path), reach=Reach(origins=frozenset({url})))
    except StorageError as exc:
        print("StorageError", exc.message)

anyio.run(main, *sys.argv[1:])
"""
