# ruff: noqa: RUF001 - words of other languages and typographic quotation marks are intended
"""Finds the artist that a song should sound like. An artist is described in tags and never sung."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Artists by what they are known for, in words that the style vocabulary has.
_STYLES = {
    "pop": "madonna|lizzo|doja cat|lorde|taylor swift|ed sheeran|ariana grande|katy perry|lady gaga|dua lipa|justin bieber|olivia rodrigo|harry styles|miley cyrus|britney spears|sabrina carpenter",
    "dream pop, whispered": "billie eilish|lana del rey|cocteau twins|beach house",
    "soul, ballad, powerful voice": "adele|sam smith|amy winehouse|aretha franklin|whitney houston|celine dion|otis redding|marvin gaye|stevie wonder|alicia keys",
    "funk, synth": "prince|james brown|parliament|bruno mars|earth, wind & fire|earth wind and fire|sly and the family stone",
    "disco": "abba|bee gees|donna summer|chic|boney m|gloria gaynor",
    "r&b": "beyoncé|beyonce|rihanna|the weeknd|weeknd|sza|frank ocean|usher|michael jackson|janet jackson",
    "hip hop, rap": "drake|kendrick lamar|eminem|kanye west|jay-z|jay z|tupac|2pac|snoop dogg|travis scott|nas|dr. dre|dr dre|cardi b|nicki minaj|tyler, the creator|mf doom|notorious b.i.g.|biggie",
    "house, vocoder": "daft punk|justice|disclosure|fred again",
    "edm": "avicii|calvin harris|david guetta|marshmello|deadmau5|skrillex|tiësto|tiesto|martin garrix",
    "techno": "kraftwerk|jeff mills|charlotte de witte|underworld",
    "electronic": "aphex twin|four tet|bonobo|boards of canada|tycho|jon hopkins|björk|bjork",
    "trip hop": "massive attack|portishead|tricky|morcheeba",
    "rock": "elvis presley|elvis|foo fighters|journey|the police|the beatles|beatles|the rolling stones|rolling stones|queen|u2|bruce springsteen|david bowie|fleetwood mac|the who|led zeppelin|pink floyd|the doors|the kinks|eagles|the eagles|elton john|tom petty",
    "hard rock": "ac/dc|acdc|guns n' roses|guns n roses|aerosmith|kiss|van halen|bon jovi|deep purple",
    "indie rock": "arctic monkeys|the strokes|oasis|radiohead|coldplay|the smiths|the killers|arcade fire|tame impala|the national|blur",
    "grunge": "nirvana|pearl jam|soundgarden|alice in chains",
    "punk": "green day|the ramones|ramones|the clash|sex pistols|blink-182|blink 182|the offspring",
    "metal": "metallica|iron maiden|black sabbath|slayer|megadeth|rammstein|slipknot|judas priest|system of a down|ghost",
    "country": "johnny cash|dolly parton|willie nelson|garth brooks|shania twain|chris stapleton|hank williams|luke combs|morgan wallen|kacey musgraves",
    "folk, acoustic guitar": "bob dylan|joni mitchell|simon & garfunkel|simon and garfunkel|leonard cohen|nick drake|bon iver|mumford & sons|mumford and sons|fleet foxes|neil young|tracy chapman|joan baez|cat stevens|sufjan stevens",
    "blues": "b.b. king|bb king|muddy waters|robert johnson|john lee hooker|stevie ray vaughan|howlin' wolf",
    "jazz": "frank sinatra|sinatra|billie holiday|ella fitzgerald|louis armstrong|miles davis|john coltrane|norah jones|nat king cole|duke ellington|michael bublé|michael buble|chet baker",
    "reggae": "bob marley|peter tosh|jimmy cliff|toots and the maytals",
    "bossa nova": "joão gilberto|joao gilberto|antônio carlos jobim|tom jobim|astrud gilberto",
    "cinematic, orchestral": "hans zimmer|john williams|ennio morricone|howard shore|danny elfman",
    "classical": "mozart|beethoven|bach|chopin|vivaldi|debussy|tchaikovsky|brahms|schubert|satie|philip glass|ludovico einaudi|einaudi",
    "ambient": "brian eno|sigur rós|sigur ros|stars of the lid|enya",
    "synth-pop": "depeche mode|pet shop boys|new order|the human league|a-ha|eurythmics|duran duran|kate bush|chvrches",
    "k-pop": "bts|blackpink|twice|newjeans|stray kids|exo|iu",
    "reggaeton": "bad bunny|daddy yankee|j balvin|karol g|rosalía|rosalia",
    "latin pop": "shakira|luis fonsi|ricky martin|enrique iglesias|gloria estefan",
    "chanson": "édith piaf|edith piaf|jacques brel|charles aznavour|serge gainsbourg|georges brassens",
    "afrobeats": "burna boy|wizkid|fela kuti|rema|tems|davido",
}  # fmt: skip
_KNOWN = {name: style for style, names in _STYLES.items() for name in names.split("|")}
# Names that are words or given names too: an artist only where the wording says so.
_ONLY_WHEN_ASKED = frozenset(
    [
        "prince",
        "queen",
        "drake",
        "usher",
        "adele",
        "kiss",
        "ghost",
        "justice",
        "twice",
        "eagles",
        "oasis",
        "blur",
        "tricky",
        "disclosure",
        "chic",
        "nas",
        "rema",
        "iu",
        "exo",
        "bach",
        "parliament",
        "tycho",
        "bonobo",
        "underworld",
        "tems",
        "u2",
        "nirvana",
        "enya",
    ]
) | {"the who", "the doors", "new order", "beach house", "robert johnson", "john williams", "four tet", "the eagles"}
_NAMES = "|".join(sorted(map(re.escape, _KNOWN), key=len, reverse=True))
_LIKE = (
    r"in the (?:style|vein|manner|spirit|sound) of|similar to|sounds? like|sounding like|reminiscent of|inspired by|influenced by"
    r"|as if (?:sung|written|performed|played) by|as (?:sung|played) by|à la|channel(?:ing|ling)|like|imitat(?:e|ing)|(?:a )?cover of"
    r"|in homage to|im stil von|dans le style de|al estilo de|nello stile di|no estilo d[eoa]|в стиле"
)
_TITLE = r"(?-i:[^\W\d_a-z][\w'’&./$-]*)"
_TITLED = rf"{_TITLE}(?:(?: (?:and|&|the|of|meets) | & |, | ){_TITLE}){{0,4}}"
_AFTER = re.compile(
    rf"(?i)(?<!\w)(?:{_LIKE})\s+(?:the (?:band|singer|artist|group|rapper|great)\s+)?"
    rf"((?:(?:{_NAMES})(?!\w)|{_TITLED})(?:(?:,? (?:and|meets|or|x|&) |, )(?:{_NAMES})(?!\w))*)(?:'s?)?"
)
_BEFORE = re.compile(
    rf"(?i)(?<!\w)((?:{_NAMES})|{_TITLE}(?: {_TITLE}){{1,3}}|{_TITLE}(?= type beat))(?:'s)?[ -](?:style[ds]?|esque|inspired|type beat|vibes?|sound|like)(?!\w)"
)
_ESQUE = re.compile(rf"(?i)(?<!\w)({_NAMES}|[^\W\d_]{{3,}}(?=-?esque))-?esque(?!\w)")
_KNOWN_NAME = re.compile(
    rf"(?i)(?<!\w)({'|'.join(sorted((re.escape(n) for n in _KNOWN if n not in _ONLY_WHEN_ASKED), key=len, reverse=True))})(?!\w)(?!['\u2019]s? \w)"
)
_NOT_AN_ARTIST = re.compile(
    r"(?i)^(?:i|i'm|it|a|an|the|we|you|no|my|sunday|monday|tuesday|wednesday|thursday|friday|saturday|christmas|summer|winter|spring|autumn|oh|english|spanish|french|german|italian|latin|african|irish|celtic|indian|japanese|korean|chinese|brazilian|arabic|middle|eastern|american|british|russian|greek|turkish|cuban|mexican|caribbean|scottish|nordic|disney|pixar|nintendo|broadway|hollywood|bollywood|ibiza|new orleans|chicago|detroit|memphis|nashville|new york|berlin|detroit|california|west coast|east coast|lofi|lo-fi|k-pop|j-pop|edm|r&b|dj|vintage|old|retro|modern|free)(?:\s|$)"
)


@dataclass(frozen=True, slots=True)
class Artist:
    """`name` as the prompt has it; `style` describes a known artist in the vocabulary's words, or is ""."""

    name: str
    style: str


def find_artists(text: str, is_style_name: frozenset[str]) -> tuple[tuple[Artist, ...], str]:
    """The artists that the music should sound like, and the text with `|` or their style in place of their names."""
    found: list[Artist] = []

    def replace(match: re.Match[str]) -> str:
        name = match[1].strip(" .,'")
        if name.lower() in is_style_name or (_NOT_AN_ARTIST.match(name) and name.lower() not in _KNOWN):
            return match[0]
        styles = [_KNOWN[known[0].lower()] for known in re.finditer(rf"(?i)(?<!\w)(?:{_NAMES})(?!\w)", name)]
        found.append(Artist(name, ", ".join(dict.fromkeys(styles))))
        kept = "type beat" if match[0].lower().endswith("type beat") else ""
        return f" | {', '.join(dict.fromkeys(styles))} | {kept} "

    for pattern in (_AFTER, _BEFORE, _ESQUE, _KNOWN_NAME):
        text = pattern.sub(replace, text)
    return tuple(found), text
