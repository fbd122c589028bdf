"""The voice of drafts: its vowels, its pitch, and its place beside the band."""

import importlib.util
from functools import cache

import numpy as np
import pytest

from acestep_mcp.audio.measure import loudness, measure
from acestep_mcp.engines import Audio
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.render import Playback, available, render
from acestep_mcp.engines.draft.score import RATE, SUNG_RATE, Note, Part, Score
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.singer import phrases, sing
from acestep_mcp.engines.draft.sung_syllables import SungSyllable, sung_syllables
from acestep_mcp.engines.draft.syllables import syllables
from acestep_mcp.engines.draft.vowel_formants import FORMANTS

LYRICS = "[verse]\nQuiet is the morning, slowly comes the light\n[chorus]\nNow the day is burning\nEverything is bright"
VOWELS = "aeiou"


def tone(singer: str, vowel: str, pitch: int, seconds: float = 0.8) -> np.ndarray:
    """A sung vowel, from a quarter of a second after its beginning to its end."""
    start, sound = sing((Note(0, seconds, pitch, 90, SungSyllable(vowel, "", vowel, "")),), singer, "voice")
    return sound[round((0.25 - start) * SUNG_RATE) : round((seconds - 0.05 - start) * SUNG_RATE)].astype(float)


def formants(sound: np.ndarray, top: float) -> list[float]:
    """The first two formants in Hz by linear prediction up to `top` Hz: the median over windows of 40 ms."""
    spectrum = np.fft.rfft(sound)
    kept = round(2 * top / SUNG_RATE * len(sound)) // 2 + 1
    low = np.fft.irfft(spectrum[:kept], 2 * (kept - 1))
    low = low[1:] - 0.95 * low[:-1]
    found = []
    size = round(0.04 * 2 * top)
    for first in range(0, len(low) - size, size // 2):
        part = low[first : first + size] * np.hamming(size)
        lags = np.correlate(part, part, "full")[size - 1 : size + 10]
        matrix = lags[np.abs(np.subtract.outer(np.arange(10), np.arange(10)))]
        roots = np.roots(np.concatenate([[1.0], -np.linalg.solve(matrix + 1e-6 * lags[0] * np.eye(10), lags[1:])]))
        narrow = [root for root in roots if root.imag > 0 and -np.log(abs(root)) * 2 * top / np.pi < 500]
        found.append(sorted(np.angle(root) * top / np.pi for root in narrow)[:2])
    return [float(value) for value in np.median([pair for pair in found if len(pair) == 2], axis=0)]


@pytest.mark.parametrize(("singer", "top"), [("man", 5000), ("woman", 5600)])
@pytest.mark.parametrize("step", [0, pytest.param(4, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow)])
def test_each_of_five_vowels_is_the_nearest_to_its_published_formants(singer: str, top: float, step: int):
    pitch = {"man": 47, "woman": 57}[singer] + step
    for vowel in VOWELS:
        measured = formants(tone(singer, vowel, pitch), top)
        distances = {
            other: sum(np.log(one / known) ** 2 for one, known in zip(measured, FORMANTS[singer][other], strict=False))
            for other in VOWELS
        }
        assert min(distances, key=distances.__getitem__) == vowel, (vowel, measured)


def pitch_track(sound: np.ndarray, f0: float) -> np.ndarray:
    """The fundamental in Hz every 10 ms, from the phase of the sound around it."""
    spectrum = np.fft.fft(sound)
    at = np.fft.fftfreq(len(sound), 1 / SUNG_RATE)
    spectrum[(at < 0.6 * f0) | (at > 1.4 * f0)] = 0
    phase = np.unwrap(np.angle(np.fft.ifft(spectrum)))
    return np.diff(phase[::240]) * SUNG_RATE / 240 / (2 * np.pi)


@pytest.mark.parametrize(("singer", "pitch"), [("man", 45), ("woman", 76)])
def test_a_long_note_is_in_tune_and_swings_about_six_times_a_second(singer: str, pitch: int):
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    track = pitch_track(tone(singer, "a", pitch, 3.0), f0)[30:-10]
    cents = 1200 * np.log2(track / f0)
    spectrum = np.abs(np.fft.rfft((cents - cents.mean()) * np.hanning(len(cents)), 4096))
    rate = np.argmax(spectrum) / 4096 * 100
    assert abs(cents.mean()) < 5
    assert 5 <= rate <= 6.5
    assert 15 < (cents.max() - cents.min()) / 2 < 60


def test_a_note_does_not_swing_at_its_beginning():
    start, sound = sing((Note(0, 2, 60, 90, SungSyllable("a", "", "a", "")),), "woman", "voice")
    early = sound[round((0.1 - start) * SUNG_RATE) : round((0.28 - start) * SUNG_RATE)].astype(float)
    cents = 1200 * np.log2(pitch_track(early, 261.63)[3:-3] / 261.63)
    assert cents.max() - cents.min() < 15


def test_no_click_where_notes_begin_and_end():
    """A click has more at 8 to 11 kHz than the vowels around it, which have next to nothing there."""
    notes = [
        Note(0.4 * n, 0.4 * n + 0.4, 60 + 2 * (n % 4), 90, SungSyllable(v, "", v, "")) for n, v in enumerate(VOWELS)
    ]
    _, sound = sing(notes, "woman", "voice")
    windows = sound[: len(sound) // 240 * 240].reshape(-1, 240)
    high = np.abs(np.fft.rfft(windows * np.hanning(240), axis=1))[:, 80:110].max(axis=1)
    assert high.max() < 6 * np.median(high[high > 0.1 * high.max()])
    assert np.abs(np.diff(sound)).max() < 0.5 * np.abs(sound).max()
    assert np.abs(sound[:20]).max() < 0.01
    assert np.abs(sound[-20:]).max() < 0.01


def test_the_same_phrase_sounds_the_same_wherever_it_is():
    notes = tuple(Note(0.3 * n, 0.3 * n + 0.3, 62 + n, 80, SungSyllable("la", "l", "a", "")) for n in range(4))
    later = tuple(note._replace(start=note.start + 41.5, end=note.end + 41.5) for note in notes)
    (first, one), (second, other) = sing(notes, "woman", "voice"), sing(later, "woman", "voice")
    assert second - first == pytest.approx(41.5)
    assert np.allclose(one, other, atol=1e-4)


def test_a_breath_begins_a_phrase():
    notes = [Note(0, 0.5, 60, 90), Note(0.55, 1, 62, 90), Note(1.3, 2, 60, 90)]
    assert [len(phrase) for phrase in phrases(notes)] == [2, 1]


@cache
def song(tags: str) -> Score:
    return compose(ComposeRequest(tags, LYRICS, 24, Seeds(4)))


def voices(tags: str) -> list[Part]:
    return [part for part in song(tags).parts if part.singer]


def test_tags_choose_a_man_or_a_woman():
    assert {part.singer for part in voices("pop, male vocals")} == {"man"}
    assert {part.singer for part in voices("pop, female vocals")} == {"woman"}


@pytest.mark.parametrize("tags", ["pop", pytest.param("synthwave, male vocals", marks=pytest.mark.slow)])
def test_backing_voices_sing_the_chorus_in_thirds(tags: str):
    lead, *backing = voices(tags)
    (chorus,) = [section for section in song(tags).sections if section.kind == "chorus"][:1]
    assert [part.name for part in backing] == ["voice third above", "voice third below"]
    tune = {round(note.start, 1): note.pitch for note in lead.notes}
    for part, side in zip(backing, (1, -1), strict=True):
        intervals = [
            side * (note.pitch - tune[round(note.start, 1)]) for note in part.notes if round(note.start, 1) in tune
        ]
        assert all(chorus.start - 1 <= note.start for note in part.notes)
        assert sum(interval in {3, 4} for interval in intervals) > len(intervals) / 2
        assert all(note.sung.vowels for note in part.notes)


def test_a_rap_has_no_backing_voices():
    assert len(voices("hip hop, rap")) == 1


@pytest.mark.parametrize("tags", ["pop, no vocals", "chiptune"])
def test_nothing_is_synthesised_where_no_voice_sings(tags: str):
    assert not any(Playback("numpy").sings(part) for part in song(tags).parts)


def test_the_setting_chooses_what_sings():
    parts = song("chiptune").parts
    assert any(Playback("numpy", "synth").sings(part) for part in parts)
    assert not any(Playback("numpy", "font").sings(part) for part in song("pop").parts)


def notes_of(voice: str, tags: str = "pop", lyrics: str = LYRICS) -> tuple[str, ...]:
    *_, audio = run_job(
        DraftJob("TextToAudio", {"tags": tags, "lyrics": lyrics, "duration": 5, "seed": 1}, available(), None, voice)
    )
    assert isinstance(audio, Audio)
    return audio.notes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("voice", "tags", "words"),
    [
        ("auto", "pop", "sings their vowels"),
        ("font", "pop", "an instrument plays"),
        ("auto", "pop, no vocals", "an instrument plays"),
    ],
)
def test_one_note_says_what_is_sung(voice: str, tags: str, words: str):
    (note,) = [note for note in notes_of(voice, tags) if "Nobody sings" in note]
    assert words in note


@pytest.mark.slow
def test_an_instrumental_has_no_note_about_the_voice():
    assert not any("sings" in note for note in notes_of("auto", lyrics="[inst]"))


@pytest.mark.slow
@pytest.mark.skipif(
    not importlib.util.find_spec("midirenderer"), reason="levels are set for the SoundFont's instruments"
)
def test_the_voice_is_heard_beside_the_band_and_the_song_keeps_its_level():
    score = song("pop")
    both = [np.zeros((24 * RATE, 2), np.float32) for _ in range(2)]
    for out, parts in zip(both, (voices("pop"), [part for part in score.parts if not part.singer]), strict=True):
        list(render(parts, Playback(available()), out))
    voice, band = (loudness(out, RATE) for out in both)
    assert band - 8 < voice < band + 3
    *_, audio = run_job(
        DraftJob("TextToAudio", {"tags": "pop", "lyrics": LYRICS, "duration": 24, "seed": 4}, available())
    )
    assert isinstance(audio, Audio)
    found = measure(audio.sound)
    assert abs(found.lufs + 16) < 0.5
    assert found.peak_dbfs <= -1


@pytest.mark.parametrize(
    ("words", "language", "vowels"),
    [
        ("stay with me tonight", "en", "eI I i u aI"), ("love never lies", "en", "V E 3 aI"), ("light of the moon", "en", "aI V @ u"),
        ("hold on to the shadow", "en", "oU A u @ { oU"), ("la noche", "es", "a o e"), ("quiero vivir", "es", "e o i i"),
        ("je t'aime toujours", "fr", "@ E u u"), ("schöne Träume", "de", "2 @ OI @"), ("さくら", "even", "a u a"), ("きょう", "even", "o u"),
        ("사랑", "even", "a a"), ("моя любовь", "ru", "o a u o"), ("αγάπη μου", "el", "a a i u"), ("città", "it", "i a"), ("szerelem", "hu", "E E E"),
    ],
)  # fmt: skip
def test_syllables_sound_as_they_are_spelled(words: str, language: str, vowels: str):
    assert [one.sung.vowels for one in syllables(words, language)] == vowels.split()


@pytest.mark.parametrize("word", ["zzz", "hmm", "24", "x", "東京", "שלום", "नहीं", "ß", "ـ", "xyzzy", "a'b"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_word_has_as_many_sung_syllables_as_notes(word: str, count: int):
    found = sung_syllables(word, count, "en")
    assert len(found) == count
    assert all(1 <= len(one.vowels) <= 2 for one in found)


def test_the_letters_of_syllables_are_those_of_the_word():
    for word in ("every", "beautiful", "walking", "tomorrow", "rhythm", "people"):
        assert "".join(one.text for one in sung_syllables(word, 3, "en")) == word
