"""Files that libsndfile does not read: decoded where `av` is installed, and named with what to do where it is not."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.containers import multimedia
from acestep_mcp.audio.preview import mp3_preview
from acestep_mcp.audio.read import probe, probe_source, read
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import convert_file
from tests.audio.files import by_ffmpeg, chunk, encoded, id3, riff, tone
from tests.support.parameters import few

SECONDS = 1.6
MADE = [
    # name, FFmpeg's muxer and codec, rate, label in messages, content type
    ("memo.m4a", "ipod", "aac", 44_100, "M4A", "audio/mp4"),
    ("exact.m4a", "ipod", "alac", 44_100, "M4A", "audio/mp4"),
    ("sound.mp4", "mp4", "aac", 44_100, "MP4", "audio/mp4"),
    ("sound.mov", "mov", "aac", 44_100, "MOV", "audio/quicktime"),
    ("voice.3gp", "3gp", "libopencore_amrnb", 8000, "3GP", "audio/3gpp"),
    ("voice.amr", "amr", "libopencore_amrnb", 8000, "AMR", "audio/amr"),
    ("radio.aac", "adts", "aac", 44_100, "AAC", "audio/aac"),
    ("clip.webm", "webm", "libopus", 48_000, "WebM", "audio/webm"),
    ("song.mka", "matroska", "flac", 44_100, "Matroska", "audio/x-matroska"),
    ("film.avi", "avi", "libmp3lame", 44_100, "AVI", "audio/x-msvideo"),
    ("film.flv", "flv", "aac", 44_100, "FLV", "audio/x-flv"),
    ("film.ts", "mpegts", "aac", 44_100, "transport stream", "audio/mp2t"),
    ("song.wv", "wv", "wavpack", 44_100, "WavPack", "audio/x-wavpack"),
    ("song.tta", "tta", "tta", 44_100, "TTA", "audio/x-tta"),
]
EXACT = {"exact.m4a", "song.mka"}
NAMED = [
    ("memo.m4a", b"\0\0\0\x1cftypM4A \0\0\2\0M4A isommp42\0\0\0\x08free" + bytes(2000), "M4A"),
    ("radio.aac", (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)) * 50, "AAC"),
    ("tagged.aac", id3(500) + (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)) * 50, "AAC"),
    ("clip.webm", b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(500), "WebM"),
    ("old.wma", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(500), "WMA"),
    ("voice.amr", b"#!AMR\n" + bytes(500), "AMR"),
    ("wide.amr", b"#!AMR-WB\n" + bytes(500), "AMR"),
    ("film.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + bytes(500), "MP4"),
    ("film.avi", b"RIFF\0\0\1\0AVI LIST" + bytes(500), "AVI"),
    ("song.ape", b"MAC \x96\x0f" + bytes(500), "APE"),
    ("song.caf", b"caff\0\1\0\0desc" + struct.pack(">qd4sIIIII", 32, 44_100.0, b"aac ", 0, 0, 1024, 2, 0)
     + b"data" + struct.pack(">q", 504) + bytes(504), "CAF"),
    ("codec.wav", riff(chunk(b"fmt ", struct.pack("<HHIIHHH", 0x161, 2, 44_100, 16_000, 1024, 16, 0)),
                       chunk(b"data", bytes(500))), "WMA"),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Each of `MADE`, as long, stereo where the codec allows it."""
    folder = tmp_path_factory.mktemp("made")
    for name, muxer, codec, rate, *_ in MADE:
        (folder / name).write_bytes(by_ffmpeg(muxer, codec, SECONDS, rate))
    return folder


@pytest.mark.parametrize(("name", "content_type"), few([(row[0], row[5]) for row in MADE], 3))
def test_with_av_they_are_read_whole(made, name, content_type):
    path = made / name
    sound, properties = read(path), probe(path)
    assert sound.seconds == pytest.approx(SECONDS, abs=0.06)
    assert probe_source(path, max_seconds=600).seconds == pytest.approx(sound.seconds, abs=0.001)
    assert properties.content_type == content_type
    assert not properties.is_plain
    rate = sound.sample_rate
    left = sound.pcm[rate // 2 : rate * 3 // 2, 0] / 2**31
    spectrum = np.abs(np.fft.rfft(left))
    assert np.argmax(spectrum) * rate / len(left) == pytest.approx(220, abs=2)
    assert np.sqrt(np.mean(left**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.2) or rate == 8000


@pytest.mark.parametrize("name", sorted(EXACT))
def test_lossless_samples_come_through(made, name):
    got = read(made / name)
    assert len(got.pcm) == SECONDS * 44_100
    assert np.abs(got.pcm / 2**31 - tone(SECONDS)).max() < 2**-14


@pytest.mark.parametrize(
    "name", ["memo.m4a", "voice.amr", "radio.aac", "clip.webm", "song.mka", "film.flv", "song.tta"]
)
def test_with_av_joined_files_are_read_whole(made, tmp_path, name):
    (tmp_path / name).write_bytes((made / name).read_bytes() * 2)
    sound = read(tmp_path / name)
    assert sound.seconds == pytest.approx(2 * SECONDS, abs=0.12)
    assert probe_source(tmp_path / name, max_seconds=600).seconds == pytest.approx(sound.seconds, abs=0.001)


def test_with_av_a_note_tells_that_only_the_first_of_two_tracks_is_used(tmp_path):
    path = tmp_path / "film.mka"
    with av.open(str(path), "w", format="matroska") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(2)]
        for number, stream in enumerate(streams, 1):
            samples = np.full((1, 8000), 8000 * number, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    sound = read(path)
    assert np.all(sound.pcm == 8000 << 16)
    assert sound.notes == (
        "The file has 2 audio tracks: the first one is used. For another one, save it as a file of its own.",
    )


def test_with_av_a_note_tells_what_is_left_out_behind_a_file(made, tmp_path):
    path = tmp_path / "joined.m4a"
    path.write_bytes((made / "memo.m4a").read_bytes() + encoded("MP3", 2.0))
    assert read(path).seconds == pytest.approx(SECONDS, abs=0.1)
    assert read(path).notes[0].startswith("The last ")
    assert read(made / "memo.m4a").notes == ()


@pytest.mark.parametrize("name", ["memo.m4a", "clip.webm", "song.mka", "film.flv"])
def test_with_av_a_download_that_stopped_is_refused(made, tmp_path, name):
    data = (made / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    for attempt in (probe_source, read):
        with pytest.raises(InvalidRequest, match="breaks off.*not whole"):
            attempt(tmp_path / name, max_seconds=600)


def test_with_av_a_cut_file_whose_table_comes_first_is_refused(made, tmp_path):
    encoded = tmp_path / "whole.m4a"
    with (
        av.open(str(made / "memo.m4a")) as source,
        av.open(str(encoded), "w", options={"movflags": "faststart"}) as copy,
    ):
        stream = copy.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    data = encoded.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert read(encoded).seconds == pytest.approx(SECONDS, abs=0.05)
    encoded.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InvalidRequest, match="not whole"):
        probe_source(encoded, max_seconds=600)


def test_with_av_limits_are_those_of_all_formats(made, tmp_path):
    with pytest.raises(InvalidRequest, match="at most 1 s are accepted"):
        probe_source(made / "radio.aac", max_seconds=1)
    (tmp_path / "surround.m4a").write_bytes(by_ffmpeg("ipod", "aac", SECONDS, 48_000, channels=6))
    with pytest.raises(InvalidRequest, match="has 6 channels"):
        probe(tmp_path / "surround.m4a")


def test_with_av_a_song_can_be_converted_and_previewed(made, tmp_path):
    convert_file(made / "exact.m4a", tmp_path / "song.flac", format="flac", tags=FileTags(title="Memo"))
    assert np.array_equal(read(tmp_path / "song.flac").pcm, read(made / "exact.m4a").pcm)
    assert len(mp3_preview(made / "memo.m4a")) > 1000


BROKEN = [row for row in NAMED if row[2] != "AMR"]  # any bytes are sound in AMR
named = pytest.mark.parametrize(("name", "content", "label"), NAMED, ids=[row[0] for row in NAMED])


@named
def test_without_av_they_are_named_with_both_ways_out(tmp_path, monkeypatch, name, content, label):
    monkeypatch.setitem(sys.modules, "av", None)  # what Python does for a package that is not installed: ImportError
    (tmp_path / name).write_bytes(content)
    for attempt in (probe, read):
        with pytest.raises(InvalidRequest) as caught:
            attempt(tmp_path / name)
        message = caught.value.message
        assert f"{name} is " in message
        assert label in message
        assert 'pip install "acestep-mcp[formats]"' in message
        assert f'ffmpeg -i "{name}"' in message
        assert f'"{Path(name).stem}.flac"' in message


@pytest.mark.parametrize("name", ["the data: URI", '$(rm -rf ~)".m4a', "-y.m4a", "a`b`.m4a"])
def test_a_name_that_a_shell_would_read_is_not_in_the_command(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "file").write_bytes(NAMED[0][1])
    with pytest.raises(InvalidRequest, match='ffmpeg -i "song.m4a" "song.flac"'):
        probe_source(tmp_path / "file", max_seconds=600, name=name)


@pytest.mark.parametrize(("name", "content", "label"), BROKEN, ids=[row[0] for row in BROKEN])
def test_with_av_broken_ones_are_named_and_refused(tmp_path, name, content, label):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRequest, match=f"{name} (is .*{label}|has no sound|cannot be decoded|breaks off)"):
        probe_source(tmp_path / name, max_seconds=600)


@pytest.mark.parametrize("kind", ["stsz", "trun"])
def test_tables_that_claim_billions_of_samples_are_refused_before_ffmpeg_reads_them(tmp_path, kind):
    size = bytes(4) if kind == "trun" else bytes(4) + struct.pack(">I", 1)
    table = chunk(
        b"moof" if kind == "trun" else b"moov", kind.encode() + size + struct.pack(">I", 0xFFFFFFF0), order=">"
    )
    box = struct.pack(">I", len(table)) + table[:4] + table[8:]
    (tmp_path / "bomb.m4a").write_bytes(b"\0\0\0\x10ftypM4A \0\0\0\0" + box)
    with pytest.raises(InvalidRequest, match="claims to hold 4294967280 samples"):
        probe(tmp_path / "bomb.m4a")
    assert multimedia._MOST_SAMPLES * 24 < 2**27


def test_random_bytes_behind_a_valid_head_raise_only_invalid_request(made, tmp_path):
    random = np.random.default_rng(3)
    for name in ("memo.m4a", "clip.webm", "radio.aac", "voice.amr", "film.avi"):
        data = bytearray((made / name).read_bytes())
        for _ in range(4):
            broken = bytearray(data)
            for at in random.integers(8, len(data), 30):
                broken[at] = random.integers(0, 256)
            (tmp_path / name).write_bytes(broken)
            try:
                read(tmp_path / name, max_seconds=60)
            except InvalidRequest as exc:
                assert name in exc.message
