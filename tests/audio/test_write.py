"""Songs are written atomically and with the samples they were given."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest, StorageError
from acestep_mcp.audio import Sound
from acestep_mcp.audio.read import probe, read
from acestep_mcp.audio.tags.file_tags import FileTags, read_tags
from acestep_mcp.audio.write import convert_and_remove, convert_file, write

FORMATS = ["wav", "flac", "mp3", "ogg"]
formats = pytest.mark.parametrize("form", FORMATS)
on_unix = pytest.mark.skipif(os.name == "nt", reason="limits of files and folders are Unix's")


@pytest.mark.parametrize("form", ["wav", "flac"])
@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (48_000, 2), (96_000, 2)])
def test_lossless_formats_give_every_sample_back(folder, noise, words, form, bits, rate, channels):
    sound = noise(0.277, rate, channels, bits)
    path = folder / f"夜.{form}"
    write(path, sound, format=form, tags=words)
    got = read(path)
    assert (got.sample_rate, got.bits) == (rate, bits)
    assert np.array_equal(got.pcm, sound.pcm)
    assert soundfile.info(path).subtype == f"PCM_{bits}"


@formats
@pytest.mark.parametrize("frames", [1, 479, 24_001])
def test_any_length_is_kept_to_the_frame(folder, sine, form, frames):
    path = folder / f"song.{form}"
    write(path, Sound(sine(0.6).pcm[:frames], 48_000, 16), format=form, tags=FileTags())
    assert len(read(path).pcm) == frames


@formats
def test_equal_songs_are_equal_files(folder, noise, words, form):
    one, two = folder / f"one.{form}", folder / f"two.{form}"
    for path in (one, two):
        write(path, noise(0.5), format=form, tags=words)
    assert one.read_bytes() == two.read_bytes()


@formats
@pytest.mark.parametrize("rate", [8000, 37_000, 96_000])
def test_a_rate_that_a_format_lacks_becomes_the_nearest_one(folder, sine, form, rate):
    path = folder / f"song.{form}"
    write(path, sine(0.7, rate), format=form, tags=FileTags())
    got = read(path)
    assert got.sample_rate == ({37_000: 44_100, 96_000: 48_000}.get(rate, rate) if form == "mp3" else rate)
    assert got.seconds == pytest.approx(0.7, abs=0.001)
    assert np.abs(got.pcm).max() / 2**31 == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
def test_a_minute_of_ogg_does_not_crash(folder, noise):
    """libsndfile's Vorbis encoder crashes the process on as much in one call."""
    path = folder / "long.ogg"
    write(path, Sound(np.tile(noise(10.0).pcm, (6, 1)), 48_000, 16), format="ogg", tags=FileTags())
    assert probe(path).seconds == 60


def test_a_song_replaces_the_one_that_was_there(folder, noise):
    path = folder / "song.wav"
    write(path, noise(2.0), format="wav", tags=FileTags(title="old"))
    write(path, noise(1.0), format="wav", tags=FileTags(title="new"))
    assert probe(path).seconds == 1.0
    assert read_tags(path).title == "new"
    assert list(folder.iterdir()) == [path]


def test_a_missing_folder_is_named_with_what_to_do(folder, noise):
    with pytest.raises(StorageError, match=r"gone.song\.wav: the folder does not exist\. Create it"):
        write(folder / "gone" / "song.wav", noise(0.1), format="wav", tags=FileTags())


@pytest.mark.process
@on_unix
def test_a_read_only_folder_is_named_and_unchanged(tmp_path, folder):
    """In a process without root's right to write anywhere."""
    folder.chmod(0o555)
    code = f"""
        os.setuid(65534) if os.getuid() == 0 else None
        try:
            write(pathlib.Path({str(folder / "歌.wav")!r}), sound, format="wav", tags=FileTags())
        except StorageError as exc:
            print(exc.message)
    """
    tmp_path.chmod(0o755)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        os.chmod(parent, 0o755)
    assert "access is denied" in in_a_process(code)
    assert list(folder.iterdir()) == []


@pytest.mark.process
@on_unix
@formats
@pytest.mark.parametrize("limit", [100, 20_000])
def test_a_full_disk_leaves_the_earlier_file_and_nothing_else(folder, noise, form, limit):
    path = folder / f"song.{form}"
    write(path, noise(0.05), format=form, tags=FileTags(title="old"))
    before = path.read_bytes()
    code = f"""
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        for action in (
            lambda: write(path, sound, format={form!r}, tags=FileTags(lyrics="la" * 30_000)),
            lambda: convert_file(path, path.with_stem("copy"), format="wav", tags=FileTags(lyrics="la" * 30_000)),
        ):
            try:
                action()
            except StorageError as exc:
                print(exc.message)
    """
    said = in_a_process(f"        path = pathlib.Path({str(path)!r})\n{code}")
    assert said.count("larger than is allowed") == 2
    assert path.read_bytes() == before
    assert list(folder.iterdir()) == [path]


def in_a_process(code: str) -> str:
    """What Python prints for this code; `sound` is two seconds of noise."""
    head = """
        import os, pathlib, sys
        import numpy as np
        from acestep_mcp.audio import Sound
        from acestep_mcp.audio.tags.file_tags import FileTags
        from acestep_mcp.audio.write import convert_file, write
        from acestep_mcp.api.errors import StorageError
        sys.stdout.reconfigure(encoding="utf-8")
        pcm = np.random.default_rng(0).integers(-9999, 9999, (96_000, 2), dtype=np.int32) << 16
        sound = Sound(pcm, 48_000, 16)
    """
    whole = textwrap.dedent(head) + textwrap.dedent(code)
    run = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode("utf-8")


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_format_becomes_every_other_with_its_tags(folder, sine, words, source, target):
    old, new = folder / f"old.{source}", folder / f"new.{target}"
    write(old, sine(0.4), format=source, tags=FileTags(title="old"))
    convert_file(old, new, format=target, tags=words)
    before, after = read(old), read(new)
    assert probe(new).format == target
    assert read_tags(new) == words
    assert after.pcm.shape == before.pcm.shape
    assert np.corrcoef(after.pcm[:, 0], before.pcm[:, 0])[0, 1] > 0.99
    if source == target or target in ("wav", "flac"):
        assert np.array_equal(after.pcm, before.pcm)
    assert sorted(folder.iterdir()) == sorted([old, new])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"])
def test_retagging_a_wav_of_any_kind_leaves_its_samples_bit_for_bit(folder, noise, subtype):
    path = folder / "song.wav"
    soundfile.write(path, noise(0.5).pcm, 48_000, subtype=subtype)
    before = soundfile.read(path, dtype="float64")[0]
    convert_file(path, path, format="wav", tags=FileTags(title="x"))
    assert soundfile.info(path).subtype == subtype
    assert np.array_equal(soundfile.read(path, dtype="float64")[0], before)


@pytest.mark.parametrize("form", ["RF64", "WAVEX", "AIFF"])
def test_containers_we_do_not_write_become_plain_wav_with_the_same_samples(folder, noise, words, form):
    source, target = folder / "in", folder / "out.wav"
    soundfile.write(source, noise(0.5, bits=24).pcm, 48_000, format=form, subtype="PCM_24")
    convert_file(source, target, format="wav", tags=words)
    assert np.array_equal(read(target).pcm, read(source).pcm)
    assert target.read_bytes()[:4] == b"RIFF"
    assert read_tags(target) == words


@pytest.mark.parametrize("source", ["wav", *(pytest.param(form, marks=pytest.mark.slow) for form in FORMATS[1:])])
@pytest.mark.parametrize("target", FORMATS)
def test_convert_and_remove_gives_the_same_file_and_removes_the_source(folder, sine, words, source, target):
    old, new, other = folder / f"old.{source}", folder / f"new.{target}", folder / f"other.{target}"
    write(old, sine(0.3), format=source, tags=FileTags(title="old", comment="longer than what comes" * 9))
    convert_file(old, other, format=target, tags=words)
    convert_and_remove(old, new, format=target, tags=words)
    assert read_tags(new) == words
    assert new.read_bytes() == other.read_bytes()
    assert sorted(folder.iterdir()) == sorted([new, other])


CUE = b"cue \4\0\0\0\0\0\0\0"
BAD_SIZE = b"\xff\xff\xff\xff"


@pytest.mark.parametrize("kind", ["a chunk behind the tags", "an unknown size", "no pad byte at the end"])
def test_an_unusual_wav_file_gets_its_tags_too_and_keeps_its_samples(folder, noise, words, kind):
    path, target = folder / "old.wav", folder / "new.wav"
    write(path, noise(0.2), format="wav", tags=FileTags(title="old"))
    content = path.read_bytes()
    start = content.index(b"data")
    bare = content[: start + 8 + len(noise(0.2).pcm) * 4]
    match kind:
        case "a chunk behind the tags":
            content += CUE
        case "an unknown size":
            content = bare[: start + 4] + BAD_SIZE + bare[start + 8 :]
        case _:
            content = bare + b"note\1\0\0\0x"
    path.write_bytes(content)
    convert_and_remove(path, target, format="wav", tags=words)
    assert np.array_equal(soundfile.read(target, dtype="int16")[0], noise(0.2).pcm >> 16)
    assert read_tags(target) == words
    assert int.from_bytes(target.read_bytes()[4:8], "little") == target.stat().st_size - 8
    assert (CUE in target.read_bytes()) == (kind == "a chunk behind the tags")


def test_a_broken_source_is_refused_and_leaves_no_target(folder):
    source = folder / "broken.mp3"
    source.write_bytes(b"\xff\xfb\x90\x44" + bytes(50))
    with pytest.raises(InvalidRequest, match=r"broken\.mp3"):
        convert_file(source, folder / "out.mp3", format="mp3", tags=FileTags())
    assert list(folder.iterdir()) == [source]


def test_the_longest_possible_name_is_written(folder, noise):
    path = folder / f"{'長' * 83}.wav"
    write(path, noise(0.1), format="wav", tags=FileTags())
    assert probe(path).seconds == pytest.approx(0.1)


@formats
@pytest.mark.slow
def test_converting_a_long_song_takes_little_memory(folder, form):
    """Ten minutes, 19 MB decoded, in under 4 MB of Python's and NumPy's own."""
    source = folder / "long.wav"
    with soundfile.SoundFile(source, "w", 8000, 1) as file:
        for _ in range(60):
            file.write(np.zeros(80_000, np.int16))
    target = folder / f"out.{form}"
    tracemalloc.start()
    try:
        convert_file(source, target, format=form, tags=FileTags())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
    assert probe(target).seconds == pytest.approx(600, abs=0.01)
