"""How words are sung: where their stressed syllables fall, and what else sounds with them."""

from functools import cache
from itertools import pairwise

import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose, sketch
from acestep_mcp.engines.draft.english_stress import english_stress
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.line_language import language_of
from acestep_mcp.engines.draft.score import Score
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.syllables import syllables
from acestep_mcp.engines.draft.word_stress import stresses

# A syllable in capitals is stressed.
_LINES = (
    "the CIT-y SINGS a-BOVE the BAY", "to-MOR-row i'll re-MEM-ber ALL the RAIN",
    "and WAIT be-NEATH the WIN-dow OF the TRAIN", "UN-der SIL-ver LIGHT",
)  # fmt: skip
_STRESSED = {
    line.lower().replace("-", ""): [one.isupper() for word in line.split() for one in word.split("-")]
    for line in _LINES
}
_LYRICS = "[verse]\n" + "\n".join(_STRESSED)


@cache
def song(tags: str, lyrics: str = _LYRICS, seconds: float = 40, seed: int = 5) -> Score:
    return compose(ComposeRequest(tags, lyrics, seconds, Seeds(seed)))


def sung_beats(score: Score) -> list[float]:
    grid = Grid.from_plan(score.plan["frame"])
    assert grid is not None
    voice = next(part for part in score.parts if part.name == "voice")
    return [(note.start - grid.phase) / grid.beat_seconds for note in voice.notes]


def share_on_beat(score: Score) -> tuple[float, float]:
    """The shares of stressed and of unstressed syllables that fall on a beat."""
    expected = [stressed for section in score.form for line in section.lines for stressed in _STRESSED[line]]
    on_beat = [abs(beat - round(beat)) < 0.13 for beat in sung_beats(score)]
    strong = [found for found, stressed in zip(on_beat, expected, strict=True) if stressed]
    weak = [found for found, stressed in zip(on_beat, expected, strict=True) if not stressed]
    return sum(strong) / len(strong), sum(weak) / len(weak)


@pytest.mark.parametrize("tags", ["pop, 110 bpm", "reggae, 90 bpm", "funk, 100 bpm", "metal, 150 bpm", "jazz, 120 bpm"])
def test_stressed_syllables_fall_on_beats_and_others_between_them(tags: str):
    strong, weak = share_on_beat(song(tags))
    assert strong >= 0.8
    assert weak <= 0.4


def test_genres_sing_the_same_words_to_rhythms_of_their_own():
    rhythms = set()
    for genre in ("pop", "reggae", "funk", "salsa", "ballad", "jazz"):
        beats = sung_beats(song(f"{genre}, 100 bpm, C major, 4/4"))[:20]
        rhythms.add(tuple(round(4 * (later - earlier)) for earlier, later in pairwise(beats)))
    assert len(rhythms) >= 5


def test_a_rap_stays_near_one_pitch():
    voice = next(part for part in song("hip hop, rap, 90 bpm").parts if part.name == "voice")
    assert max(note.pitch for note in voice.notes) - min(note.pitch for note in voice.notes) <= 5


def test_a_rap_runs_in_sixteenths_and_repeats_its_pitch():
    score = song("hip hop, rap, 90 bpm")
    voice = next(part for part in score.parts if part.name == "voice")
    steps = [later - earlier for earlier, later in pairwise(sung_beats(score))]
    within = [step for step in steps if step < 1]
    assert sum(abs(step - 0.25) < 0.1 for step in within) >= 0.8 * len(within)
    moves = [abs(later.pitch - earlier.pitch) for earlier, later in pairwise(voice.notes)]
    assert sum(move <= 1 for move in moves) >= 0.8 * len(moves)


@pytest.mark.parametrize("tags", ["pop", "synthwave", "ballad", "bossa nova"])
def test_chords_stay_below_the_tune_while_it_sounds(tags: str):
    score = song(tags)
    tune = [note for part in score.parts if part.name in {"voice", "lead"} for note in part.notes]
    together = above = 0
    for part in score.parts:
        for note in () if part.lead or part.drums or part.name == "bass" else part.notes:
            pitches = [one.pitch for one in tune if min(one.end, note.end) - max(one.start, note.start) > 0.05]
            together += bool(pitches)
            above += bool(pitches) and note.pitch >= min(pitches)
    assert together > 20
    assert above < 0.1 * together


@pytest.mark.parametrize("tags", ["pop", "edm", "country"])
def test_no_long_note_of_the_tune_lies_a_semitone_from_its_chord(tags: str):
    outline = sketch(ComposeRequest(tags, _LYRICS, 40, Seeds(5)))
    beat = outline.grid.beat_seconds
    voice = next(part for part in song(tags).parts if part.name == "voice")
    long = [note for note in voice.notes if note.end - note.start >= 0.95 * beat and note.end < outline.beats * beat]
    assert long
    for note in long:
        tones = outline.chord_at(note.start / beat + 0.1).tones
        assert not any((note.pitch - tone) % 12 in {1, 11} for tone in tones)


_KNOWN = """be-LIEVE SHAD-ow to-NIGHT to-MOR-row re-MEM-ber EV-ery BEAU-ti-ful e-MO-tion cel-e-BRA-tion im-pos-si-BIL-i-ty HAR-mo-ny
ac-CI-dent? de-CID-ed BRO-ken un-BRO-ken DREAM-er LONE-li-ness my-SELF en-GAGE? gui-TAR u-NI-ted PAR-a-dise pho-TOG-ra-phy mu-SI-cian
e-TER-ni-ty RHYTH-mic? FAM-i-ly dis-COV-er ad-VEN-ture CAN-dle CEN-tu-ry FAC-to-ry GEN-tle ho-RI-zon im-AG-ine HUN-dreds LAN-tern
ma-JES-tic OR-phan PAS-sen-ger po-TEN-tial SPLEN-did SYM-pa-thy VIN-tage WAN-der UN-der a-CROSS a-DRIFT be-TRAY BOR-der COT-ton"""


def test_most_english_words_are_stressed_as_they_are_spoken():
    words = [word for word in _KNOWN.split() if not word.endswith("?")]
    right = 0
    for word in words:
        spoken = word.split("-")
        at = next(number for number, one in enumerate(spoken) if one.isupper())
        right += english_stress("".join(spoken).lower(), len(spoken)) == at
    assert right >= 0.9 * len(words)


@pytest.mark.parametrize(
    ("word", "count", "language", "stressed"),
    [
        ("corazón", 3, "es", 2), ("noche", 2, "es", 0), ("vivir", 2, "es", 1), ("città", 2, "it", 1), ("amore", 3, "it", 1),
        ("saudade", 3, "pt", 1), ("coração", 3, "pt", 2), ("kocham", 2, "pl", 0), ("jamais", 2, "fr", 1), ("talo", 2, "fi", 0),
        ("láska", 2, "cs", 0), ("szerelem", 3, "hu", 0), ("verloren", 3, "de", 1), ("Liebe", 2, "de", 0), ("αγάπη", 3, "el", 1),
    ],
)  # fmt: skip
def test_a_word_is_stressed_by_the_rule_of_its_language(word: str, count: int, language: str, stressed: int):
    found = stresses(word, count, language)
    assert found.index(max(found)) == stressed


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("Quiero vivir contigo en la noche", "es"), ("Je ne regrette rien de ma vie", "fr"), ("No more tears tonight", "en"),
        ("Ich bin so wie du, die Nacht ist lang", "de"), ("Kocham cię jak nikt, nie ma dla mnie nic", "pl"), ("桜の花が", "even"),
    ],
)  # fmt: skip
def test_the_language_of_a_line_is_told_by_its_small_words(line: str, language: str):
    assert language_of([line]) == language


def test_words_of_other_languages_keep_the_vowels_that_english_drops():
    assert len(syllables("La noche que me quiere", "es")) == 7
    assert len(syllables("Liebe ohne Ende", "de")) == 6


def test_japanese_is_set_evenly():
    assert {one.stress for one in syllables("さくらのはな")} == {0.5}
