"""Reading keeps every sample; other files are refused with a message."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.measure import measure
from acestep_mcp.audio.read import probe, read


def refused(path: Path, **options) -> str:
    """The message, after checking that it names the field and the file."""
    with pytest.raises(InvalidRequest) as caught:
        read(path, **options)
    assert caught.value.fields[0].field == "audio_url"
    assert path.name in caught.value.message
    return f"{caught.value.fields[0].type}: {caught.value.message}"


@pytest.mark.parametrize("form", ["WAV", "FLAC", "AIFF", "RF64", "W64", "CAF"])
@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44_100, 2), (96_000, 2)])
def test_integer_samples_come_through_exactly(folder, noise, form, subtype, bits, rate, channels):
    sound = noise(0.51, rate, channels, bits)
    path = folder / "song.bin"
    soundfile.write(path, sound.pcm, rate, format=form, subtype=subtype)
    got = read(path)
    assert (got.sample_rate, got.channels, got.bits) == (rate, channels, bits)
    assert np.array_equal(got.pcm, sound.pcm)


def test_eight_bits_become_sixteen_without_a_change_in_value(folder):
    path = folder / "old.wav"
    steps = np.arange(-128, 128, dtype=np.int32)[:, None]
    soundfile.write(path, steps << 24, 22_050, subtype="PCM_U8")
    got = read(path)
    assert got.bits == 16
    assert got.sample_rate == 22_050
    assert np.array_equal(got.pcm, steps << 24)


def test_float_samples_become_24_bits_rounded_and_what_is_no_number_is_clipped(folder):
    path = folder / "float.wav"
    step = 2.0**-23
    values = [0.0, 0.25, -0.5, 3.4 * step, 3.6 * step, 1.0, -1.0, np.nan, np.inf, -np.inf]
    soundfile.write(path, np.array(values), 48_000, subtype="DOUBLE")
    got = read(path)
    top = 2**23 - 1
    assert got.bits == 24
    assert (got.pcm[:, 0] >> 8).tolist() == [0, 2**21, -(2**22), 3, 4, top, -top - 1, 0, top, -top - 1]


def test_32_bit_integers_are_rounded_to_24_and_full_scale_does_not_wrap(folder):
    path = folder / "wide.wav"
    values = np.array([0, 127, 128, -128, -129, 2**31 - 1, -(2**31)], np.int32)
    soundfile.write(path, values, 48_000, subtype="PCM_32")
    assert (read(path).pcm[:, 0] >> 8).tolist() == [0, 0, 1, 0, -1, 2**23 - 1, -(2**23)]


@pytest.mark.parametrize(("form", "rate"), [("MP3", 22_050), ("MP3", 44_100), ("OGG", 48_000), ("OGG", 37_000)])
def test_lossy_songs_keep_their_length_and_sound_like_themselves(folder, sine, form, rate):
    sound = sine(1.234, rate)
    path = folder / "song"
    soundfile.write(path, sound.pcm, rate, format=form)
    got = read(path)
    assert got.bits == 16
    assert got.pcm.shape == sound.pcm.shape
    assert not np.any(got.pcm & 0xFFFF)
    middle = slice(rate // 4, rate)
    assert np.corrcoef(got.pcm[middle, 0], sound.pcm[middle, 0])[0, 1] > 0.99


@pytest.mark.parametrize("form", ["OGG", "MP3"])
def test_a_lossy_song_that_decodes_above_full_scale_is_turned_down_as_a_whole(folder, form):
    square = np.sign(np.sin(np.arange(48_000) / 30)) * 0.999
    path = folder / "square"
    soundfile.write(path, square, 48_000, format=form)
    got, decoded = read(path), soundfile.read(path)[0]
    assert np.abs(decoded).max() > 1.05
    assert np.abs(got.pcm[:, 0] / 2**31 - got.gain * decoded).max() <= 2**-16
    assert measure(got).peak_dbfs == pytest.approx(20 * np.log10(np.abs(decoded).max()), abs=0.01)
    assert measure(got).clipped_samples == 0


@pytest.mark.parametrize("peak", [1.001, 1.6, 32_767.0, 2.0**31])
@pytest.mark.parametrize("form", ["WAV", "AIFF", "AU", "CAF"])
def test_floats_above_full_scale_are_turned_down_by_one_gain_and_none_is_cut(folder, form, peak):
    hot = (peak * np.sin(np.arange(5000) / 7)).astype(np.float32)
    path = folder / "hot"
    soundfile.write(path, hot, 44_100, format=form, subtype="FLOAT")
    got = read(path)
    assert got.gain == pytest.approx(10 ** (-0.1 / 20) / np.abs(hot).max())
    assert np.abs(got.pcm[:, 0] / 2**31 - got.gain * hot).max() <= 2**-23
    assert measure(got).peak_dbfs == pytest.approx(20 * np.log10(np.abs(hot).max()), abs=0.01)


@pytest.mark.parametrize("damage", [np.nan, np.inf, -np.inf, 1e30])
def test_a_damaged_float_does_not_turn_the_song_down(folder, damage):
    samples = np.array([0.5, damage, -0.25], np.float32)
    soundfile.write(folder / "damaged.wav", samples, 44_100, subtype="FLOAT")
    got = read(folder / "damaged.wav")
    assert got.gain == 1
    assert (got.pcm[[0, 2], 0] / 2**31).tolist() == [0.5, -0.25]


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3", "OGG"])
@pytest.mark.parametrize("frames", [1, 2, 4097])
def test_very_short_songs_are_read(folder, form, frames):
    path = folder / "short"
    soundfile.write(path, np.full((frames, 2), 0.25), 44_100, format=form)
    assert len(read(path).pcm) == frames


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3", "OGG"])
def test_a_truncated_song_is_refused(folder, noise, form):
    whole = folder / "whole"
    soundfile.write(whole, noise(1.5).pcm, 48_000, format=form)
    data = whole.read_bytes()
    path = folder / "半分.bin"
    for cut in (len(data) // 2, 60, 20, 3):
        path.write_bytes(data[:cut])
        assert "unsupported_audio_format" in refused(path)


def test_a_wav_of_unknown_size_is_read(folder, noise):
    sound = noise(0.5)
    path = folder / "piped.wav"
    soundfile.write(path, sound.pcm, 48_000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert np.array_equal(read(path).pcm, sound.pcm)


def test_a_flac_of_unknown_length_is_read(folder, noise):
    sound = noise(0.5)
    path = folder / "piped.flac"
    soundfile.write(path, sound.pcm, 48_000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert np.array_equal(read(path, max_seconds=0.5).pcm, sound.pcm)
    assert "audio_duration_too_long" in refused(path, max_seconds=0.4)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 5000, b"ID3", b"ID3\x04\0\0\0\0\x7f\x7f" + b"x" * 500, b"OggS" + b"\xff" * 400, b"fLaC" + b"\0" * 99],
    ids=["empty", "zeros", "id3", "id3 and text", "ogg", "flac"],
)
def test_other_files_are_refused_with_what_is_accepted(folder, content):
    path = folder / "secret.wav"
    path.write_bytes(content)
    assert "WAV, FLAC, MP3, OGG, AIFF, AU, CAF or W64" in refused(path)


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 0\n" * 50, "<html>not found</html>", "{}"])
def test_text_never_reaches_the_decoder(folder, content):
    path = folder / "page.mp3"
    path.write_text(content, encoding="utf-8")
    assert "not an audio file of a known kind" in refused(path)


def test_random_bytes_after_a_valid_start_raise_only_invalid_request(folder):
    random = np.random.default_rng(5)
    heads = [b"RIFF\x24\0\0\0WAVEfmt ", b"fLaC\x80\0\0\x22", b"OggS\0\2", b"\xff\xfb\x90\x44", b"ID3\x03\0\0\0\0\0\x20"]
    path = folder / "garbage"
    for head in heads * 20:
        path.write_bytes(head + random.bytes(3000))
        try:
            read(path, max_seconds=60)
        except InvalidRequest as exc:
            assert path.name in exc.message


def test_an_empty_song_is_refused(folder):
    path = folder / "nothing.wav"
    soundfile.write(path, np.zeros((0, 2)), 48_000)
    assert "no sound in it" in refused(path)


def test_more_than_two_channels_are_refused(folder):
    path = folder / "surround.wav"
    soundfile.write(path, np.zeros((100, 6)), 48_000)
    assert "6 channels" in refused(path)
    with pytest.raises(InvalidRequest):
        probe(path)


def test_a_missing_file_and_a_folder_are_refused_by_name(folder):
    assert "file_download_error" in refused(folder / "gone.wav")
    assert "file_download_error" in refused(folder)


def test_a_long_song_is_refused_with_its_length_and_the_limit_before_it_is_decoded(folder):
    path = folder / "long.wav"
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 4_000_000
    )
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 4_000_000)
    message = refused(path, max_seconds=240)
    assert "audio_duration_too_long" in message
    assert "500.0 s" in message
    assert "240 s" in message


def test_a_header_that_states_hours_takes_no_memory(folder, noise):
    path = folder / "wrong.flac"
    soundfile.write(path, noise(0.5).pcm, 48_000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert "audio_duration_too_long" in refused(path)


def test_unusual_rates_are_kept(folder):
    path = folder / "slow.wav"
    soundfile.write(path, np.zeros((10, 1)), 1234)
    assert read(path).sample_rate == 1234


@pytest.mark.parametrize(
    ("form", "subtype", "bits", "name", "content_type"),
    [
        ("WAV", "PCM_U8", 16, "wav", "audio/wav"),
        ("WAVEX", "PCM_24", 24, "wav", "audio/wav"),
        ("FLAC", "PCM_24", 24, "flac", "audio/flac"),
        ("OGG", "VORBIS", 16, "ogg", "audio/ogg"),
        ("MP3", "MPEG_LAYER_III", 16, "mp3", "audio/mpeg"),
    ],
)
def test_probe_returns_the_header(folder, noise, form, subtype, bits, name, content_type):
    path = folder / "ある歌.bin"
    soundfile.write(path, noise(0.75, 44_100).pcm, 44_100, format=form, subtype=subtype)
    got = probe(path)
    assert (got.format, got.content_type, got.bits, got.channels, got.sample_rate) == (
        name,
        content_type,
        bits,
        2,
        44_100,
    )
    assert got.seconds == 0.75
    assert got.size == os.path.getsize(path)
