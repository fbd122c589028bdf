import pytest

from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.harmony import Key
from acestep_mcp.engines.draft.style import parse_style


@pytest.mark.parametrize(
    ("tags", "genre"),
    [
        ("lofi, hiphop, chill", "lofi"),
        ("deep house, 122 bpm", "deep house"),
        ("pop, synth-pop", "synth-pop"),
        ("heavy metal, fast", "metal"),
        ("Drum and Bass, dark", "drum and bass"),
        ("A gentle folk tune with acoustic guitar", "folk"),
        ("sitar and hand percussion", "world"),
        ("church organ, slow", "classical"),
        ("trip down memory lane with banjo", "country"),
    ],
)
def test_tags_select_a_genre(tags: str, genre: str):
    assert parse_style(tags).genre.name == genre


def test_there_are_at_least_24_genres_and_each_is_found_by_its_name():
    assert len(GENRES) >= 24
    assert [parse_style(genre.name).genre.name for genre in GENRES] == [genre.name for genre in GENRES]


@pytest.mark.parametrize(
    ("tags", "key"),
    [
        ("pop, F# minor", Key(6, "minor")),
        ("pop, Bb major", Key(10, "major")),
        ("c sharp minor waltz", Key(1, "minor")),
        ("jazz, D dorian", Key(2, "dorian")),
        ("rock, Am", Key(9, "minor")),
        ("rock, in G", Key(7, "major")),
        ("rock, key of Eb", Key(3, "major")),
        ("pop", None),
    ],
)
def test_keys_are_read(tags: str, key: Key | None):
    assert parse_style(tags).key == key


@pytest.mark.parametrize(
    ("tags", "bpm"), [("110 bpm", 110), ("bpm: 95.5", 95.5), ("90BPM soul", 90), ("80s pop", None)]
)
def test_a_named_tempo_is_used(tags: str, bpm: float | None):
    assert parse_style(tags).bpm == bpm


def test_tempo_words_change_the_tempo():
    slow, plain, fast = (parse_style(tags).tempo for tags in ("rock, slow", "rock", "rock, fast"))
    assert slow[1] < plain[1] < fast[1]
    assert slow[0] < plain[0] < fast[0]


@pytest.mark.parametrize(("tags", "metre"), [("3/4 pop", "3/4"), ("rock, 6/8", "6/8"), ("waltz", "3/4"), ("pop", None)])
def test_metres_are_read(tags: str, metre: str | None):
    assert parse_style(tags).metre == metre


def test_instruments_are_read_in_order_and_not_twice():
    assert parse_style("pop, rhodes, upright bass, violin").instruments == ("electric piano", "acoustic bass", "violin")


def test_sad_is_minor_and_happy_is_major():
    assert all(Key(0, scale).minor for scale in parse_style("sad pop").scales)
    assert not any(Key(0, scale).minor for scale in parse_style("happy pop").scales)


def test_drums_can_be_excluded():
    assert not parse_style("rock, no drums").drums
    assert parse_style("rock").drums


def test_a_man_sings_lower_than_a_woman():
    assert parse_style("pop, male vocal").register < parse_style("pop, female vocal").register


@pytest.mark.parametrize("tags", ["", ",,,", "zxcvb qwerty", "日本語", "x" * 5000, "[]()*+?\\"])
def test_any_text_gives_a_style(tags: str):
    assert parse_style(tags).genre in GENRES


@pytest.mark.parametrize(
    ("tags", "genre", "note"),
    [
        ("zydeco, happy", "country", "zydeco is not a style the draft knows: played as country."),
        ("gqom", "afrobeat", "gqom is not a style the draft knows: played as afrobeat."),
        ("doom metal", "metal", "doom metal is not a style the draft knows: played as metal."),
        ("hypnopunk", "punk", "hypnopunk is not a style the draft knows: played as punk."),
        ("sad zouglou", "ballad", "zouglou is not a style the draft knows: played as ballad."),
        ("zouglou, fiddle", "celtic", "zouglou is not a style the draft knows: played as celtic."),
        ("purple monkey", "pop", "purple monkey is not a style the draft knows: played as pop."),
    ],
)
def test_a_style_that_nothing_knows_is_noted_and_the_nearest_is_played(tags: str, genre: str, note: str):
    style = parse_style(tags)
    assert (style.genre.name, style.notes) == (genre, (note,))


@pytest.mark.parametrize(
    "tags", ["drill", "trip hop, dark, 80 bpm", "sea shanty", "happy, piano, 120 bpm", "", "a cappella"]
)
def test_a_known_style_has_no_note(tags: str):
    assert parse_style(tags).notes == ()


@pytest.mark.parametrize(
    ("tags", "sound"),
    [
        ("metal, electric guitar", "distortion guitar"),
        ("punk, electric guitars", "distortion guitar"),
        ("folk, metal, electric guitar", "distortion guitar"),
        ("metal, clean guitar", "clean guitar"),
        ("jazz, electric guitar", "clean guitar"),
    ],
)
def test_an_electric_guitar_is_distorted_where_the_genre_is(tags: str, sound: str):
    assert sound in parse_style(tags).instruments


def test_refused_moods_and_tempos_turn_the_music_away_from_them():
    assert all(not Key(0, scale).minor for scale in parse_style("pop, not sad").scales)
    assert all(Key(0, scale).minor for scale in parse_style("pop, not too happy").scales)
    assert parse_style("pop, not too fast").tempo < parse_style("pop").tempo < parse_style("pop, not slow").tempo
    assert parse_style("pop, dark, no dark").scales == parse_style("pop, dark").scales


@pytest.mark.parametrize(
    ("tags", "genre"),
    [("dance music, not techno", "edm"), ("no rock, jazz", "jazz"), ("without vocals techno", "techno")],
)
def test_a_refused_style_is_not_played(tags: str, genre: str):
    assert parse_style(tags).genre.name == genre


def test_what_the_draft_cannot_leave_out_is_noted():
    assert parse_style("pop, no drop, no kazoo").notes == ("The draft cannot leave out by request: drop, kazoo.",)
    assert parse_style("pop, no reverb, no autotune, no drums").notes == ()
    assert parse_style("pop, no reverb").reverb == 0
    assert parse_style("lofi, no fade-out").genre.ending == "ring"
