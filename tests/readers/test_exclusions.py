# ruff: noqa: RUF001 - tags in many languages are intended
import pytest

from acestep_mcp.readers.exclusions import Exclusions, read_exclusions


def refused(text: str) -> list[str]:
    return [term.name for term in read_exclusions(text).refused]


def only(text: str) -> set[str]:
    return {term.name for term in read_exclusions(text).only}


@pytest.mark.parametrize(
    ("text", "names", "kept"),
    [
        ("without vocals techno 130 bpm", ["vocals"], "techno 130 bpm"),
        ("no drums, piano and strings", ["drums"], "piano and strings"),
        ("no drums and soft piano", ["drums"], "soft piano"),
        ("without any guitar or bass but with sax", ["guitar", "bass"], "with sax"),
        ("pop without drums, bass or guitar", ["drums", "bass", "guitar"], "pop"),
        ("neither drums nor bass, piano", ["drums", "bass"], "piano"),
        ("avoid drums, guitar and bass. piano", ["drums", "guitar", "bass"], "piano"),
        ("exclude: drums, guitar and bass", ["drums", "guitar", "bass"], ""),
        ("no drums and bass", ["drums", "bass"], ""),
        ("no guitar/bass", ["guitar", "bass"], ""),
        ("no sad piano", ["piano"], ""),
        ("no lead guitar, rock", ["guitar"], "rock"),
        ("no cheesy synths, rock", ["synth"], "rock"),
        ("not too sad piano ballad", ["sad"], "piano ballad"),
        ("not too dark", ["dark"], ""),
        ("no sad vibes, no techno beats", ["sad", "techno"], ""),
        ("no trap drums, piano", ["trap"], "piano"),
        ("no electric guitar, guitar", ["electric guitar"], "guitar"),
        ("no guitar solo, rock", ["guitar solo"], "rock"),
        ("not a ballad, piano", ["ballad"], "piano"),
        ("don't make it sad. upbeat ska", ["sad"], "upbeat ska"),
        ("rock but don't use electric guitar", ["electric guitar"], "rock but"),
        ("I don't want any drums, piano", ["drums"], "piano"),
        ("piano instead of guitar", ["guitar"], "piano"),
        ("everything except drums", ["drums"], "everything"),
        ("drumless lofi", ["drums"], "lofi"),
        ("beatless ambient, dark", ["drums"], "ambient, dark"),
        ("guitar-free rock", ["guitar"], "rock"),
        ("flute-less celtic", ["flute"], "celtic"),
        ("no_drums, piano", ["drums"], "piano"),
        ("w/o drums", ["drums"], ""),
        ("drums: none, guitar", ["drums"], "guitar"),
        ("non-electronic pop", ["electronic"], "pop"),
        ("no vocals but humming", ["vocals"], "humming"),
        ("Not sad. Not slow.", ["sad", "slow"], ""),
        ("rock, sin batería", ["drums"], "rock"),
        ("sin batería ni bajo, con piano", ["drums", "bass"], "con piano"),
        ("ohne Schlagzeug, Klavier", ["drums"], "Klavier"),
        ("kein Gesang, nur Klavier", ["vocals"], "nur Klavier"),
        ("sans guitare", ["guitar"], ""),
        ("pas de batterie, piano", ["drums"], "piano"),
        ("sem bateria", ["drums"], ""),
        ("senza batteria e basso", ["drums", "bass"], ""),
        ("без барабанов, пианино", ["drums"], "пианино"),
        ("ピアノ、ドラムなし", ["drums"], "ピアノ"),
        ("不要鼓，钢琴", ["drums"], "钢琴"),
        ("드럼 없이 피아노", ["drums"], "피아노"),
    ],
)
def test_only_the_refused_thing_is_refused(text: str, names: list[str], kept: str):
    assert refused(text) == names
    assert read_exclusions(text).wanted.strip(" |,.，、:").endswith(kept)


@pytest.mark.parametrize(
    "text",
    [
        "pop, piano", "not only piano", "Symphony no. 5 style", "I can't live without you, pop", "a song about no man's land",
        "don't stop the music, disco", "only drum and bass", "free jazz", "no doubt, drums",
    ],
)  # fmt: skip
def test_other_negations_refuse_nothing(text: str):
    assert read_exclusions(text) == Exclusions(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("solo piano", {"piano"}),
        ("solo piano, female voice", {"piano", "female voice"}),
        ("a cappella, pop", {"vocals"}),
        ("no instruments", {"vocals"}),
        ("vocals, no accompaniment", {"vocals"}),
        ("drums only", {"drums"}),
        ("just guitar and voice", {"guitar", "vocals"}),
        ("piano, strings and flute only", {"piano", "strings", "flute"}),
        ("unaccompanied cello", {"cello"}),
        ("no drums, no guitar, just piano and strings, sad", {"piano", "strings"}),
        ("no instruments except piano", {"piano"}),
        ("piano and nothing else", {"piano"}),
        ("piano, no other instruments", {"piano"}),
        ("nur Klavier", {"piano"}),
        ("solo warm acoustic guitar, gentle", {"acoustic guitar"}),
        ("solo violin, no accompaniment", {"violin"}),
    ],
)
def test_a_song_is_limited_to_what_plays_alone(text: str, names: set[str]):
    assert only(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "piano solo", "rock with a piano solo", "solo piano intro then rock", "cinematic, solo cello, strings, drums",
        "solo de guitarra", "just relaxing", "only sad songs", "not only piano", "drums only in the chorus, rock",
        "no singing, just humming",
    ],
)  # fmt: skip
def test_a_solo_or_a_section_does_not_limit_the_song(text: str):
    assert only(text) == set()


def test_what_is_refused_in_a_section_is_not_refused_in_the_song():
    found = read_exclusions("rock, no drums in the intro")
    assert found.refused == ()
    assert found.unknown == ("drums in the intro",)


def test_a_refused_thing_that_no_table_has_is_named():
    assert read_exclusions("pop, no kazoo").unknown == ("kazoo",)


@pytest.mark.parametrize(
    "text",
    ["", "no", "no " * 3000, "not, no, without", "drumless" * 500, "solo", "only", ":", "\u0130 no drums"],
    ids=range(9),
)
def test_any_text_is_read(text: str):
    assert isinstance(read_exclusions(text), Exclusions)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ditch the bass", {"bass"}), ("drums aren't needed", {"drums"}), ("guitar is forbidden", {"guitar"}),
        ("I'd rather not have flutes", {"flute"}), ("not a fan of saxophone", {"saxophone"}), ("everything but drums", {"drums"}),
        ("kill the vocals", {"vocals"}), ("less aggressive drill", {"aggressive"}), ("less drums, pop", set()),
        ("instrumental apart from a wordless choir", set()), ("instrumental except for humming", set()), ("no strings attached, soul", set()),
        ("without bells and whistles", set()), ("drop the bass", set()),
    ],
)  # fmt: skip
def test_a_refusal_in_other_words_is_read(text, names):
    assert {term.name for term in read_exclusions(text).refused} == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("female vocals only, R&B", set()), ("only male vocals, country", set()), ("metal, clean vocals only", set()),
        ("vocals only", {"vocals"}), ("male voice only", {"male voice"}), ("choir only", {"choir"}), ("nothing else matters, metal", set()),
        ("piano and nothing else", {"piano"}),
    ],
)  # fmt: skip
def test_a_quality_of_the_voice_limits_no_song_with_a_style(text, names):
    assert only(text) == names
