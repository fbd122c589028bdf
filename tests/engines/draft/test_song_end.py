"""The last words of a song, and its end."""

import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.form import make_form, sung_lines
from acestep_mcp.engines.draft.grid import new_grid
from acestep_mcp.engines.draft.score import Note, Score
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.song_end import unsung_note
from acestep_mcp.engines.draft.style import parse_style
from acestep_mcp.engines.draft.syllables import stress_count, syllables

LYRICS = """[verse]
The kettle sang at half past nine
I hung the washing on the line
The neighbour waved and crossed the street
A dog lay sleeping in the heat
The radio was soft and low
And played a song from long ago
[chorus]
Open the window, open the door
Summer is longer than ever before
Open the window, let me begin
Bring all the laughter and the music in
Open the window, open the door
Bring all the laughter and the music in
"""
SEEDS = range(1, 5)


def voice(score: Score) -> tuple[Note, ...]:
    return next(part.notes for part in score.parts if part.name == "voice")


@pytest.mark.parametrize("seconds", [28.0, 30.0])
@pytest.mark.parametrize(
    "tags",
    [
        "house, female voice",
        "house, 124 bpm",
        "synthwave",
        "r&b",
        "techno",
        "ambient",
        "world",
        "trip hop",
        "phonk",
        "hip hop, rap",
    ],
)
def test_every_syllable_is_sung_before_a_song_that_fades_ends(tags: str, seconds: float):
    wanted = [one.sung.text for line in sung_lines(LYRICS) for one in syllables(line)]
    for seed in SEEDS:
        score = compose(ComposeRequest(tags, LYRICS, seconds, Seeds(seed)))
        notes = voice(score)
        assert [note.sung.text for note in notes][: len(wanted)] == wanted
        assert len(notes) == sum(len(syllables(line)) for section in score.form for line in section.lines)
        assert notes[-1].start < seconds - 0.3
        assert notes[-1].end <= score.seconds == seconds
        assert score.sections[-1].end == seconds
        assert not [note for note in score.notes if "ends before" in note]


@pytest.mark.parametrize("tags", ["house", "synthwave", "r&b", "techno", "ambient", "world", "trip hop", "phonk"])
def test_the_music_lasts_until_a_song_that_fades_has_ended(tags: str):
    for seed in SEEDS:
        frame = compose(ComposeRequest(tags, LYRICS, 30, Seeds(seed))).plan["frame"]
        assert frame["bars"] * 4 * 60 / frame["tempo"] >= 30


def test_a_named_tempo_stays_where_the_words_need_room():
    for seed in SEEDS:
        assert compose(ComposeRequest("hip hop, 93 bpm", LYRICS, 30, Seeds(seed))).plan["tempo"] == 93


def test_an_intro_gives_room_before_the_tempo_does():
    style = parse_style("synthwave")
    for seed in SEEDS:
        grid = new_grid(style, 30, Seeds(seed), stress_count(sung_lines(LYRICS)))
        before = make_form(LYRICS, grid.bars, grid.bar_seconds, halves=True)
        score = compose(ComposeRequest("synthwave", LYRICS, 30, Seeds(seed)))
        assert [section.kind for section in before] == ["intro", "verse", "chorus"]
        assert [section.bars for section in score.form if section.lines] == [section.bars for section in before[1:]]
        assert score.plan["tempo"] == grid.tempo


@pytest.mark.parametrize("tags", ["pop", "rock", "jazz", "waltz", "reggae", "lofi"])
def test_a_song_whose_words_have_room_keeps_its_tempo_and_its_sections(tags: str):
    style = parse_style(tags)
    grid = new_grid(style, 30, Seeds(1), stress_count(sung_lines(LYRICS)))
    score = compose(ComposeRequest(tags, LYRICS, 30, Seeds(1)))
    assert score.form[-1].lines
    assert score.plan["tempo"] == grid.tempo
    assert score.form == make_form(LYRICS, grid.bars, grid.bar_seconds, halves=grid.layout.halves)


def test_words_without_room_are_counted_in_a_note():
    """As in an edit, which keeps the bars and the sections of its song."""
    grid = new_grid(parse_style("ambient, 62 bpm"), 30, Seeds(1))
    form = make_form("[verse]\n" + "\n".join(sung_lines(LYRICS)[:8]), grid.bars, grid.bar_seconds)
    score = compose(ComposeRequest("ambient, 62 bpm", "", 30, Seeds(1), grid, form))
    wanted = [one.sung.text for section in form for line in section.lines for one in syllables(line)]
    assert "".join(wanted[len(voice(score)) :]) == "fore"
    assert score.notes == ('The song ends before the last word of "Summer is longer than ever before".',)


def test_the_note_counts_words_of_each_line_that_are_not_sung_whole():
    lines = ["Hold on", "Follow the river", "Don't wait - go, my dear"]
    assert unsung_note(lines, []) == ()
    assert unsung_note(lines, ["dear"]) == ('The song ends before the last word of "Don\'t wait - go, my dear".',)
    assert unsung_note(lines, ["er", "Don't", "wait", "go", "my", "dear"]) == (
        'The song ends before the last word of "Follow the river".',
        'The song ends before the last 5 words of "Don\'t wait - go, my dear".',
    )
