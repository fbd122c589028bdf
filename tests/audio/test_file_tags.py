"""Tags are read back by this package and by an independent reader."""

from __future__ import annotations

import io
import json
import struct
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from tinytag import TinyTag

from acestep_mcp.api.errors import InvalidRequest, StorageError
from acestep_mcp.audio.read import read
from acestep_mcp.audio.tags import id3, ogg, vorbis
from acestep_mcp.audio.tags.file_tags import FileTags, read_tags, retag
from acestep_mcp.audio.write import write
from acestep_mcp.files import atomic
from tests.support.parameters import few

FORMATS = ["wav", "flac", "mp3", "ogg"]
formats = pytest.mark.parametrize("form", FORMATS)


def other(found: TinyTag, name: str) -> str:
    return found.other[name][0]


@formats
def test_tags_come_back_in_every_script(folder, noise, words, form):
    path = folder / f"夜.{form}"
    write(path, noise(0.1), format=form, tags=words)
    assert read_tags(path) == words


@formats
def test_another_reader_finds_the_same(folder, noise, words, form):
    path = folder / f"song.{form}"
    write(path, noise(0.5), format=form, tags=words)
    found = TinyTag.get(path)
    assert (found.title, found.genre, found.comment) == (words.title, words.tags, words.comment)
    assert other(found, "lyrics") == words.lyrics
    assert other(found, "seed") == str(words.seed)
    assert found.duration == pytest.approx(0.5, abs=0.05)


def write_tags(path, form, tags):
    """Replace a file's tags with no other change."""
    with atomic(path) as temp, path.open("rb") as source, temp.open("wb") as target:
        retag(source, target, form, tags)


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_the_decoding_library_finds_the_title_too(folder, noise, words, form):
    path = folder / f"song.{form}"
    write(path, noise(0.1), format=form, tags=words)
    with soundfile.SoundFile(path) as file:
        assert file.title == words.title


@formats
def test_tags_replace_tags_and_leave_every_sample(folder, noise, words, form):
    path = folder / f"song.{form}"
    write(path, noise(0.3), format=form, tags=words)
    before = read(path)
    for tags in (FileTags(title="new"), FileTags(), FileTags(lyrics="la\n" * 50_000), FileTags(seed=0, comment="x")):
        write_tags(path, form, tags)
        assert read_tags(path) == tags
        assert np.array_equal(read(path).pcm, before.pcm)
    assert list(folder.iterdir()) == [path]


@formats
def test_lyrics_longer_than_many_pages_come_back(folder, noise, form):
    tags = FileTags(lyrics="".join(chr(0x3041 + i % 80) for i in range(150_000)))
    path = folder / f"song.{form}"
    write(path, noise(0.3), format=form, tags=tags)
    assert read_tags(path) == tags
    assert len(read(path).pcm) == 14_400


@formats
@pytest.mark.parametrize("length", few([*range(248, 262), *range(503, 517)], 8))
def test_lyrics_of_any_length_come_back(folder, noise, form, length):
    path = folder / f"song.{form}"
    tags = FileTags(title="t" * length)
    write(path, noise(0.05), format=form, tags=tags)
    assert read_tags(path) == tags
    assert len(read(path).pcm) == 2400


@formats
def test_characters_that_no_format_can_hold_are_left_out(folder, noise, form):
    path = folder / f"song.{form}"
    write(path, noise(0.1), format=form, tags=FileTags(title="a\0b\ud800c", comment="x" * (1024 * 1024 + 5)))
    assert read_tags(path) == FileTags(title="abc", comment="x" * 1024 * 1024)


@formats
def test_other_programs_fields_stay_when_tags_are_replaced(folder, noise, form):
    path = folder / f"song.{form}"
    with soundfile.SoundFile(path, "w", 48_000, 2, format=form.upper()) as file:
        file.artist, file.title, file.date = "Somebody", "Old", "1999"
        file.write(noise(0.1).pcm)
    write_tags(path, form, FileTags(title="New"))
    found = TinyTag.get(path)
    assert (found.title, found.artist) == ("New", "Somebody")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"just text, no audio at all", b"ID3\4\0\0\0\0\1\0TIT2"])
def test_a_file_without_tags_has_empty_ones(folder, content):
    path = folder / "x.mp3"
    path.write_bytes(content)
    assert read_tags(path) == FileTags()


@formats
def test_damaged_tags_raise_nothing(folder, noise, words, form):
    """Every byte of the head and tail replaced, many at once, and cut anywhere."""
    path = folder / f"song.{form}"
    write(path, noise(0.05), format=form, tags=words)
    data = path.read_bytes()
    random = np.random.default_rng(3)
    for round_ in range(80):
        broken = bytearray(data)
        for at in random.integers(0, min(len(data), 1500), 1 + round_ % 30):
            broken[at] = random.integers(0, 256)
            broken[-at - 1] = random.integers(0, 256)
        path.write_bytes(broken[: random.integers(1, len(data))] if round_ % 3 == 0 else broken)
        assert isinstance(read_tags(path), FileTags)
        with suppress(InvalidRequest), path.open("rb") as source:
            retag(source, io.BytesIO(), form, words)


def test_a_wrong_size_is_ignored(folder):
    path = folder / "wrong.mp3"
    path.write_bytes(b"ID3\4\0\0\x7f\x7f\x7f\x7f" + b"TIT2\x7f\x7f\x7f\x7f\0\0\3Title")
    assert read_tags(path) == FileTags()
    assert vorbis.decode(struct.pack("<I", 2**32 - 1) + b"xx") == {}
    assert vorbis.decode(struct.pack("<II", 0, 2**32 - 1) + b"xx") == {}


def test_a_missing_file_is_named(folder):
    with pytest.raises(StorageError, match=r"gone\.mp3"):
        read_tags(folder / "gone.mp3")


def test_tags_for_the_wrong_format_leave_the_file_alone(folder, noise):
    path = folder / "song.wav"
    write(path, noise(0.1), format="wav", tags=FileTags())
    before = path.read_bytes()
    for form in ("flac", "ogg"):
        with pytest.raises(InvalidRequest):
            write_tags(path, form, FileTags(title="x"))
    assert path.read_bytes() == before
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        (b"\0", "Über".encode("latin-1")),
        (b"\1", "Über 夜".encode("utf-16")),
        (b"\2", "Über 夜".encode("utf-16-be")),
        (b"\3", "Über 夜".encode()),
    ],
    ids=["latin-1", "utf-16", "utf-16-be", "utf-8"],
)
def test_older_tags_in_every_encoding_are_read(encoding, text):
    def frame(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(">IH", len(body), 0) + body

    end = b"\0\0" if encoding in (b"\1", b"\2") else b"\0"
    mark = text[:2] if encoding == b"\1" else b""
    frames = frame(b"TIT2", encoding + text + end) + frame(b"COMM", encoding + b"eng" + mark + end + text)
    tag = b"ID3\3\0\0" + bytes([0, 0, len(frames) >> 7, len(frames) & 127]) + frames + bytes(30)
    found = id3.decode(tag + bytes(10))
    assert found["title"].startswith("Über")
    assert found["comment"] == found["title"]


def test_a_three_letter_tag_is_read():
    body = b"\0Song"
    frames = b"TT2" + len(body).to_bytes(3, "big") + body
    assert id3.decode(b"ID3\2\0\0\0\0\0" + bytes([len(frames)]) + frames) == {"title": "Song"}


def test_a_comment_with_a_description_is_not_the_comment():
    tag = id3.encode({}, [id3.Id3Frame(b"COMM", b"\3engiTunNORM\x00 00000")])
    assert id3.decode(tag) == {}


def test_an_id3v1_tag_is_removed_when_tags_are_written(folder, noise):
    path = folder / "song.mp3"
    write(path, noise(0.3), format="mp3", tags=FileTags())
    path.write_bytes(path.read_bytes() + b"TAG" + b"Old title".ljust(125, b"\0"))
    write_tags(path, "mp3", FileTags(title="New"))
    assert b"Old title" not in path.read_bytes()
    assert len(read(path).pcm) == 14_400
    assert TinyTag.get(path).title == "New"


def test_an_id3v1_tag_is_read_where_there_is_no_other(folder, noise):
    path = folder / "song.mp3"
    write(path, noise(0.1), format="mp3", tags=FileTags())
    path.write_bytes(path.read_bytes() + b"TAG" + "Über".encode("latin-1").ljust(125, b"\0"))
    assert read_tags(path) == FileTags(title="Über")


@pytest.mark.parametrize("lyrics", ["la", "la la\n" * 60_000])
def test_every_page_of_an_ogg_file_carries_the_right_number_position_and_check_sum(folder, noise, lyrics):
    path = folder / "song.ogg"
    write(path, noise(), format="ogg", tags=FileTags(lyrics=lyrics))
    data = path.read_bytes()
    found = list(ogg.pages(io.BytesIO(data)))
    assert [page.number for page in found] == list(range(len(found)))
    assert {page.granule for page in found if min(page.segments) == 255} <= {-1}
    assert b"".join(page.packed() for page in found) == data
    first = data[: len(found[0].packed())]
    assert struct.unpack_from("<I", first, 22)[0] == slow_checksum(first[:22] + bytes(4) + first[26:])


def slow_checksum(page: bytes) -> int:
    """RFC 3533: polynomial 0x04C11DB7, highest bit first, from 0."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


@pytest.mark.parametrize("frames", [3, 4])
def test_chunks_of_odd_length_are_padded_and_skipped_right(folder, frames):
    path = folder / "odd.wav"
    soundfile.write(path, np.zeros(frames), 8000, subtype="PCM_U8")
    for title in ("even", "odd!!", "again"):
        write_tags(path, "wav", FileTags(title=title, seed=1))
        assert read_tags(path) == FileTags(title=title, seed=1)
        assert soundfile.info(path).frames == frames
        assert path.stat().st_size % 2 == 0
        assert struct.unpack_from("<I", path.read_bytes(), 4)[0] == path.stat().st_size - 8


def test_opus_in_ogg_is_tagged_too(folder, noise, words):
    path = folder / "song.opus"
    soundfile.write(path, noise(0.3).pcm, 48_000, format="OGG", subtype="OPUS")
    before = read(path)
    write_tags(path, "ogg", words)
    assert read_tags(path) == words
    assert np.array_equal(read(path).pcm, before.pcm)


def test_a_plan_in_the_comment_survives_as_json(folder, noise):
    plan = {"bpm": 92.5, "chords": ["Am", "F", "C", "G"] * 40, "title": "夜"}
    for form in FORMATS:
        path = folder / f"song.{form}"
        write(path, noise(0.1), format=form, tags=FileTags(comment=json.dumps(plan, ensure_ascii=False)))
        assert json.loads(read_tags(path).comment) == plan
