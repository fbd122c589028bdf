"""Several songs in one file: all of them are read, also where their formats, rates and channels differ."""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.containers import flac
from acestep_mcp.audio.read import probe, probe_source, read
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import convert_file
from tests.audio.files import RATE, encoded, id3, tone
from tests.support.parameters import few

LOSSLESS = ["WAV", "WAVEX PCM_24", "WAV FLOAT", "RF64", "W64", "AIFF", "AIFF FLOAT", "AU", "CAF", "CAF ALAC_16", "FLAC"]
FORMS = [*LOSSLESS, "OGG", "OGG OPUS", "MP3"]
SHORT_LIST = ["WAV", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"]
TAGS = b"TAG".ljust(128, b"\0") + b"APETAGEX" + bytes(4) + (32).to_bytes(4, "little") + bytes(16)


def seconds_of(path, data: bytes) -> float:
    """What `probe_source` and `read` agree on."""
    path.write_bytes(data)
    stated = probe_source(path, max_seconds=600).seconds
    sound = read(path)
    assert sound.seconds == pytest.approx(stated, abs=0.001)
    last = sound.pcm[-sound.sample_rate // 2 : -sound.sample_rate // 10]
    assert np.abs(last).max() > 2**28
    return sound.seconds


def rate_for(form: str) -> int:
    return 48_000 if "OPUS" in form else RATE


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Callable[[str, int], Sound]:
    """What is read of a file with one song of this format and rate."""

    @cache
    def sound(form: str, rate: int) -> Sound:
        path = tmp_path_factory.mktemp("alone") / "plain"
        path.write_bytes(encoded(form, 0.9, rate))
        return read(path)

    return sound


@pytest.mark.parametrize("form", FORMS)
def test_every_song_of_a_joined_file_is_read(tmp_path, form):
    rate = rate_for(form)
    one, two = encoded(form, 0.9, rate), encoded(form, 0.6, rate)
    path = tmp_path / "joined"
    padded = 0.08 if "ALAC" in form else 0.002  # libsndfile counts whole packets
    assert seconds_of(path, one + two) == pytest.approx(1.5, abs=2 * padded)
    assert not probe(path).is_plain
    assert seconds_of(path, one + two + one) == pytest.approx(2.4, abs=3 * padded)
    assert seconds_of(path, one + id3(1000) + two) == pytest.approx(1.5, abs=2 * padded)


@pytest.mark.parametrize("form", FORMS)
def test_parts_of_other_rates_and_channels_take_the_highest_rate_and_most_channels(tmp_path, form):
    rate = rate_for(form)
    one, two = encoded(form, 0.9, rate, 2), encoded(form, 0.6, 24_000, 1)
    for data in (one + two, two + one):
        assert seconds_of(tmp_path / "mixed", data) == pytest.approx(1.5, abs=0.16)
        got = read(tmp_path / "mixed")
        assert (got.sample_rate, got.channels) == (rate, 2)
        assert np.array_equal(got.pcm[:, 0], got.pcm[:, 1]) or form in ("OGG", "OGG OPUS", "MP3")


@pytest.mark.parametrize(
    ("first", "second"), few([(one, two) for one in SHORT_LIST for two in SHORT_LIST if one != two], 4)
)
@pytest.mark.parametrize("between", [b"", id3(1000), bytes(3000)], ids=["nothing", "a tag", "zeros"])
def test_files_of_different_formats_are_read_one_after_the_other(tmp_path, first, second, between):
    data = encoded(first, 0.9) + between + encoded(second, 0.6)
    assert seconds_of(tmp_path / "joined", data) == pytest.approx(1.5, abs=0.002)
    assert read(tmp_path / "joined").notes == ()


@pytest.mark.parametrize("form", ["WAV", "AIFF", "CAF", "FLAC", "OGG", "OGG OPUS", "MP3"])
def test_many_bytes_behind_a_song_that_are_no_song_are_noted(tmp_path, form):
    path = tmp_path / "followed"
    noise = np.random.default_rng(1).integers(0, 255, 200_000, np.uint8).tobytes()  # never 255: no MP3 frame
    path.write_bytes(encoded(form, 0.9, rate_for(form)) + noise)
    (note,) = read(path).notes
    assert note.startswith("The last ")
    assert "kB of the file are no audio that can be read here" in note
    path.write_bytes(encoded(form, 0.9, rate_for(form)) + TAGS + bytes(100_000))
    assert read(path).notes == ()


def test_a_flac_file_ends_where_the_mp3_file_behind_it_begins(tmp_path):
    data = encoded("FLAC", 0.9)
    path = tmp_path / "song"
    path.write_bytes(data + encoded("MP3", 0.6))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert flac.part(content, 0).end == len(data)


@pytest.mark.parametrize("blocks", [0, 127, 128, 2047, 2048, 65_535, 65_536, 0x10FFFF])
def test_the_numbers_of_flac_frames_are_coded_like_characters(blocks):
    assert flac.coded(blocks) == chr(blocks).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("junk", [bytes(5000), b"no music " * 500, TAGS], ids=["zeros", "text", "tags"])
def test_what_follows_and_is_no_song_is_left_out(tmp_path, alone, form, junk):
    rate = rate_for(form)
    (tmp_path / "followed").write_bytes(encoded(form, 0.9, rate) + junk)
    expected = alone(form, rate)
    assert probe_source(tmp_path / "followed", max_seconds=600).seconds == pytest.approx(expected.seconds, abs=0.001)
    assert np.array_equal(read(tmp_path / "followed").pcm, expected.pcm)


@pytest.mark.parametrize("form", FORMS)
def test_a_joined_file_of_which_one_part_is_cut_is_refused(tmp_path, form):
    rate = rate_for(form)
    one, two = encoded(form, 3.0, rate), encoded(form, 2.0, rate)
    for data in (one[: len(one) // 2] + two, two + one[: len(one) // 2]):
        (tmp_path / "cut").write_bytes(data)
        with pytest.raises(InvalidRequest, match="not whole"):
            probe_source(tmp_path / "cut", max_seconds=600)


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_joined_mp3_streams_keep_their_exact_length(tmp_path, mode):
    one = encoded("MP3", 0.75, bitrate_mode=mode)
    assert seconds_of(tmp_path / "joined.mp3", one * 8) == 6.0


def test_the_length_that_is_accepted_counts_all_parts(tmp_path):
    (tmp_path / "joined.wav").write_bytes(encoded("WAV", 3.0) * 2)
    with pytest.raises(InvalidRequest, match=r"6\.0 s long; at most 5 s"):
        probe_source(tmp_path / "joined.wav", max_seconds=5)


def test_a_second_data_chunk_is_read(tmp_path):
    whole = encoded("WAV", 0.6)
    data = whole[36:]
    assert seconds_of(tmp_path / "two.wav", whole[:4] + bytes(4) + whole[8:36] + data + data) == 1.2


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_joined_file_becomes_one_song_when_it_is_tagged(tmp_path, form):
    source = tmp_path / "joined"
    source.write_bytes(encoded(form.upper(), 0.9) + encoded(form.upper(), 0.6))
    expected = read(source).pcm
    convert_file(source, tmp_path / "one", format=form, tags=FileTags(title="One"))
    assert probe(tmp_path / "one").is_plain
    assert np.array_equal(read(tmp_path / "one").pcm, expected)


def test_too_many_parts_are_refused(tmp_path):
    (tmp_path / "many.au").write_bytes(encoded("AU", 0.001) * 1001)
    with pytest.raises(InvalidRequest, match="more than 1000"):
        probe_source(tmp_path / "many.au", max_seconds=600)


def test_a_part_above_full_scale_turns_all_parts_down(tmp_path):
    hot = io.BytesIO()
    soundfile.write(hot, 4 * tone(0.6), RATE, format="WAV", subtype="FLOAT")
    (tmp_path / "joined.wav").write_bytes(encoded("WAV", 0.6) + hot.getvalue())
    got = read(tmp_path / "joined.wav")
    assert got.gain == pytest.approx(10 ** (-0.1 / 20) / 1.2, rel=0.001)
    expected = got.gain * np.concatenate([tone(0.6), 4 * tone(0.6)])
    assert np.abs(got.pcm / 2**31 - expected).max() < 2**-14
