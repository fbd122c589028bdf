"""Fonts that the user names: played at the built-in font's loudness, or refused with the file's name."""

import os
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from acestep_mcp.api.errors import ConfigurationError, GenerationFailed
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.audio.measure import loudness
from acestep_mcp.engines.draft import DraftEngine
from acestep_mcp.engines.draft.render import Playback, available, render
from acestep_mcp.engines.draft.score import RATE, Note, Part
from acestep_mcp.engines.draft.soundfont import check, font_bytes
from tests.engines.draft.small_soundfont import small_soundfont

pytestmark = pytest.mark.skipif(available() != "soundfont", reason="no SoundFont renderer on this machine")
TONE = Part("tone", 0, (Note(0, 0.9, 60, 100), Note(1, 1.9, 67, 100)), reverb=0)


def heard(font: Path | None) -> np.ndarray:
    out = np.zeros((2 * RATE, 2), np.float32)
    list(render((TONE,), Playback("soundfont", soundfont=font), out))
    return out


def saved(folder: Path, data: bytes) -> Path:
    path = folder / "my font.sf2"
    path.write_bytes(data)
    return path


def test_a_font_that_is_named_plays_instead_of_the_built_in_one(tmp_path):
    spectrum = np.abs(np.fft.rfft(heard(saved(tmp_path, small_soundfont()))[: RATE // 2, 0]))
    strongest = np.fft.rfftfreq(RATE // 2, 1 / RATE)[int(spectrum.argmax())]
    assert strongest == pytest.approx(250, abs=4)  # the sine of pitch 72 an octave lower
    assert spectrum[spectrum.argmax() * 2 - 3 : spectrum.argmax() * 2 + 4].max() < 0.02 * spectrum.max()


@pytest.mark.parametrize("loud", [0.3, 0.1])
def test_a_louder_or_softer_font_plays_as_loud_as_the_built_in_one(tmp_path, loud):
    difference = loudness(heard(saved(tmp_path, small_soundfont(loud=loud))), RATE) - loudness(heard(None), RATE)
    assert abs(difference) < 2.5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not a SoundFont 2"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "is not a SoundFont 2"),
        (small_soundfont()[:-700], "was cut off"),
        (small_soundfont(major=3), "is a SoundFont 3, whose samples are compressed"),
        (small_soundfont(kind=0x11), "is a SoundFont 3, whose samples are compressed"),
        (small_soundfont().replace(b"shdr", b"junk"), "is damaged: it has no shdr"),
        (small_soundfont().replace(struct.pack("<Hh", 53, 0), struct.pack("<Hh", 53, 9)), "is damaged: it names"),
        (small_soundfont().replace(struct.pack("<3I", 0, 960, 48), struct.pack("<3I", 0, 1 << 30, 48)), "lie outside"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_with_its_name_and_what_to_do(tmp_path, data, reason):
    path = saved(tmp_path, data)
    with pytest.raises(ConfigurationError) as refused:
        font_bytes(path)
    assert reason in refused.value.message
    assert str(path) in refused.value.message
    assert "ACESTEP_SOUNDFONT" in refused.value.message


def test_what_is_no_file_is_refused_without_being_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.sf2")
    for path in (tmp_path, tmp_path / "absent.sf2", tmp_path / "pipe.sf2"):
        with pytest.raises(ConfigurationError, match="ACESTEP_SOUNDFONT"):
            DraftEngine(soundfont=path)


def test_a_file_that_has_changed_is_read_again(tmp_path):
    path = saved(tmp_path, small_soundfont())
    font_bytes(path)
    path.write_bytes(b"not a font any more")
    with pytest.raises(ConfigurationError):
        font_bytes(path)


def test_damaged_fonts_are_refused_or_played():
    good = small_soundfont()
    tables = good.index(b"pdta")
    from acestep_mcp.engines.draft.soundfont_damage import damage_of

    refused = 0
    for seed in range(200):
        rng, data = random.Random(seed), bytearray(good)
        for _ in range(rng.choice((1, 2, 5))):
            data[rng.randrange(tables, len(data))] = rng.choice((0, 1, 128, 255))
        try:
            refused += damage_of(bytes(data)) is not None
        except (ValueError, KeyError, struct.error):
            refused += 1
    assert 40 < refused < 200


@pytest.mark.process
def test_a_song_is_made_with_the_font_and_a_damaged_one_is_named_in_the_error(tmp_path):
    path = saved(tmp_path, small_soundfont())
    engine = DraftEngine(soundfont=path)
    assert engine.model == "midi+my font"
    request = TextToAudio(tags="piano", duration=5, seed=1)
    *_, audio = engine.generate(request, None)
    assert audio.plan["made_by"][1] == "soundfont my font"
    data = bytearray(small_soundfont())
    data[data.index(b"pbag") + 8] = 200
    path.write_bytes(data)
    with pytest.raises(GenerationFailed, match=r"my font\.sf2 \(ACESTEP_SOUNDFONT\) is damaged"):
        list(engine.generate(request, None))
    engine.close()


def test_the_built_in_font_passes_its_own_check(tmp_path):
    path = tmp_path / "copy.sf2"
    path.write_bytes(font_bytes())
    assert check(path)[1] == len(font_bytes())
    assert font_bytes(path) == font_bytes()
    shutil.rmtree(tmp_path)
