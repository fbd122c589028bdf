"""A preview is the whole song within its size limit."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.preview import mp3_preview
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import write


def repeated(sound: Sound, seconds: float) -> Sound:
    times = round(seconds / sound.seconds)
    return Sound(np.tile(sound.pcm, (times, 1)), sound.sample_rate, sound.bits)


@pytest.fixture
def beats() -> Sound:
    """Two seconds with sharp attacks and rests, for which an average bit rate is hard to keep."""
    random = np.random.default_rng(0)
    envelope = np.exp(-(np.arange(96_000) % 12_000) / 900)
    wave = envelope * (random.normal(0, 0.2, 96_000) + 0.3 * np.sin(np.arange(96_000) / 30))
    pcm = (wave * 32_000).astype(np.int32) << 16
    return Sound(np.repeat(pcm[:, None], 2, axis=1), 48_000)


@pytest.mark.parametrize("seconds", [2, 12, 68, *(pytest.param(n, marks=pytest.mark.slow) for n in (6, 24, 48))])
@pytest.mark.parametrize("kind", ["beats", "noise"])
@pytest.mark.slow
def test_the_whole_song_fits_into_a_tenth_of_a_message_whatever_its_length(folder, beats, noise, kind, seconds):
    """70 KiB for 68 s is as tight as 700 KiB for 680 s."""
    path = folder / "song.wav"
    write(path, repeated(beats if kind == "beats" else noise(2.0), seconds), format="wav", tags=FileTags())
    preview = mp3_preview(path, max_bytes=70 * 1024)
    assert len(preview) <= 70 * 1024
    info = soundfile.info(io.BytesIO(preview))
    assert info.format == "MP3"
    assert info.duration == pytest.approx(seconds, abs=0.3)
    assert len(preview) > min(40 * 1024, seconds * 15_000)


def test_a_short_song_keeps_its_rate_and_channels_and_sounds_like_itself(folder, sine):
    path = folder / "song.flac"
    write(path, sine(1.5, 44_100), format="flac", tags=FileTags())
    samples, rate = soundfile.read(io.BytesIO(mp3_preview(path)))
    assert rate == 44_100
    assert samples.shape == (66_150, 2)
    assert np.corrcoef(samples[:, 0], sine(1.5, 44_100).pcm[:, 0])[0, 1] > 0.99


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22_050, 1), (37_000, 2), (96_000, 2)])
def test_songs_of_every_rate_get_a_preview_of_their_length(folder, sine, rate, channels):
    path = folder / "song.wav"
    write(path, sine(2.0, rate, channels), format="wav", tags=FileTags())
    for size in (700 * 1024, 6 * 1024):
        preview = mp3_preview(path, max_bytes=size)
        assert len(preview) <= size
        info = soundfile.info(io.BytesIO(preview))
        assert info.duration == pytest.approx(2.0, abs=0.3)
        assert info.channels <= channels


def test_a_song_too_long_for_the_lowest_bit_rate_fades_out_where_the_space_ends(folder, beats):
    path = folder / "song.wav"
    write(path, repeated(beats, 30), format="wav", tags=FileTags())
    preview = mp3_preview(path, max_bytes=20 * 1024)
    assert len(preview) <= 20 * 1024
    samples, rate = soundfile.read(io.BytesIO(preview))
    assert 15 < len(samples) / rate < 20
    assert np.abs(samples[-rate // 4 :]).max() < 0.05 < np.abs(samples[: -2 * rate]).max()


def test_a_small_mp3_is_its_own_preview(folder, sine):
    path = folder / "song.mp3"
    write(path, sine(1.0), format="mp3", tags=FileTags(title="x"))
    assert mp3_preview(path) == path.read_bytes()
    assert len(mp3_preview(path, max_bytes=6000)) <= 6000


def test_one_frame_has_a_preview_and_a_hundred_bytes_are_too_few(folder, sine):
    path = folder / "song.wav"
    write(path, Sound(sine(1.0).pcm[:1], 48_000), format="wav", tags=FileTags())
    assert soundfile.info(io.BytesIO(mp3_preview(path))).frames >= 1
    write(path, sine(1.0), format="wav", tags=FileTags())
    with pytest.raises(InvalidRequest, match=r"song\.wav"):
        mp3_preview(path, max_bytes=100)


def test_a_song_above_full_scale_is_turned_down_and_not_cut(folder):
    hot = (1.6 * np.sin(np.arange(96_000) / 20)).astype(np.float32)
    soundfile.write(folder / "song.wav", hot, 48_000, subtype="FLOAT")
    samples = soundfile.read(io.BytesIO(mp3_preview(folder / "song.wav")))[0].reshape(len(hot), -1)[:, 0]
    inner = slice(2000, -2000)
    gain = samples[inner] @ hot[inner] / (hot[inner] @ hot[inner])
    assert gain == pytest.approx(10 ** (-0.1 / 20) / 1.6, rel=0.05)
    assert np.abs(samples - gain * hot)[inner].max() < 0.05
