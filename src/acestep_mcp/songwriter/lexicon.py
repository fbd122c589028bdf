"""The style vocabulary: words a prompt may use, and tags that usually go with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from acestep_mcp.readers import instrument_table
from acestep_mcp.readers.style_table import STYLES, style_named


@dataclass(frozen=True, slots=True)
class GenreEntry:
    """A genre and its usual tags. `tempo` is the usual range in bpm; `names` are its spellings, `name` first."""

    name: str
    names: tuple[str, ...]
    tempo: tuple[int, int]
    styles: tuple[str, ...]
    instruments: tuple[str, ...]
    production: tuple[str, ...]
    mood: str
    rapped: bool = False
    sung: bool = True


@dataclass(frozen=True, slots=True)
class MoodEntry:
    """A mood. `pull` moves the tempo within the genre's range (-1 slowest to 1 fastest)."""

    names: tuple[str, ...]
    related: tuple[str, ...]
    energy: str
    pull: float
    tone: str


def word_set(text: str) -> frozenset[str]:
    """The set of words in a text."""
    return frozenset(text.split())


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _genre(row: str) -> GenreEntry:
    """A row is `name | styles | instruments | production | mood | flags`; the readers' table has names and tempo."""
    name, styles, instruments, production, mood, flags = (cell.strip() for cell in f"{row} ".split("|"))
    style = style_named(name)
    if style is None:
        raise ValueError(name)
    return GenreEntry(
        name,
        style.names,
        style.tempo,
        _split(styles),
        _split(instruments),
        _split(production),
        mood,
        rapped="rapped" in flags,
        sung="unsung" not in flags,
    )


def _mood(row: str) -> MoodEntry:
    """A row is `names | related | energy | pull | tone`."""
    names, related, energy, pull, tone = (cell.strip() for cell in row.split("|"))
    every = _split(names)
    return MoodEntry(every, _split(related), energy, float(pull), tone)


def _rows(table: str) -> tuple[str, ...]:
    return tuple(line for line in table.strip().splitlines() if line.strip())


_OWN_GENRES = tuple(
    map(
        _genre,
        _rows("""
pop | modern pop, catchy hook | bright synth, punchy drums, electric bass | modern, polished | uplifting |
synth-pop | electropop, retro | analog synth, drum machine, synth bass | polished, wide stereo | bittersweet |
indie pop | indie, dreamy hook | jangly guitar, live bass guitar, tight drums | warm, intimate | wistful |
dream pop | ethereal, reverb-soaked | shimmering guitar, soft synth pad, slow drums | hazy, wide stereo | dreamy |
k-pop | dance pop, big hook | bright synth, punchy drums, deep bass | modern, glossy | energetic |
j-pop | melodic pop, city pop | electric piano, clean electric guitar, slap bass | bright, polished | upbeat |
rock | guitar rock, anthemic | electric guitar, bass guitar, live drums | raw, live room | driving |
indie rock | guitar-driven, garage | overdriven guitar, bass guitar, live drums | raw, energetic mix | restless |
punk | pop punk, fast riffs | distorted guitar, bass guitar, fast drums | raw, loud | rebellious |
metal | heavy riffs, double kick | distorted guitar, heavy bass, double-kick drums | loud, tight | aggressive |
grunge | 90s rock, quiet verse loud chorus | fuzz guitar, bass guitar, heavy drums | raw | brooding |
hip hop | boom bap, rhythmic flow | sampled drums, deep bass, dusty piano | punchy, warm | confident | rapped
trap | 808s, half-time groove | 808 bass, rolling hi-hats, dark synth bell | modern, heavy low end | dark | rapped
drill | sliding bass, syncopated drums | sliding 808 bass, crisp snare, sparse piano | modern, gritty | tense | rapped
melodic rap | melodic hook, half-time groove | airy synth pad, 808 bass, crisp hi-hats | modern, spacious | wistful | rapped
lo-fi hip hop | chillhop, study beat | mellow electric piano, soft boom-bap drums, warm bass | vinyl crackle, tape hiss | chill |
trip hop | downtempo, smoky groove | dusty breakbeat, deep bass, rhodes piano, moody strings | vinyl crackle, atmospheric | moody |
r&b | neo-soul, slow groove | electric piano, smooth bass, crisp snare | warm, intimate | smooth |
soul | classic soul, gospel touch | horn section, organ, live bass guitar, live drums | vintage, warm | heartfelt |
funk | groove, syncopated | slap bass, wah guitar, horn section, tight drums | dry, punchy | playful |
disco | four on the floor, dancefloor | funky bass, string section, rhythm guitar, disco drums | glossy, wide stereo | joyful |
house | four on the floor, club | house piano, deep bass, drum machine | club mix, clean | uplifting |
techno | driving, hypnotic | drum machine, acid synth, rumbling bass | club mix, minimal | hypnotic |
trance | euphoric, arpeggios | supersaw synth, rolling bass, electronic drums | wide stereo, big reverb | euphoric |
drum and bass | breakbeat, fast groove | fast breakbeat, reese bass, airy synth pad | crisp, club mix | energetic |
dubstep | half-time, heavy drop | wobble bass, electronic drums, dark synth | loud, modern | aggressive |
edm | festival, big drop | supersaw synth, sidechained bass, electronic drums | loud, polished | euphoric |
electronic | electronica, textured | modular synth, electronic drums, synth bass | detailed, wide stereo | hypnotic |
synthwave | 80s, retro-futuristic | analog synth, gated drums, synth bass | retro, neon reverb | nostalgic |
ambient | atmospheric, slowly evolving | soft synth pad, distant piano, gentle drone | spacious, minimal | peaceful | unsung
classical | orchestral, expressive | string section, woodwinds, french horn, piano | concert hall, natural | heartfelt | unsung
cinematic | film score, building | string section, brass, epic percussion, piano | wide stereo, big reverb | epic | unsung
jazz | swing, improvised solo | piano, upright bass, brushed drums, saxophone | live room, warm | relaxed |
bossa nova | latin jazz, gentle sway | nylon guitar, upright bass, soft percussion | intimate, warm | breezy |
blues | twelve-bar, slow shuffle | electric blues guitar, harmonica, upright bass, brushed drums | raw, live room | lonely |
gospel | choir, testimony | organ, piano, choir, live drums | church hall, warm | hopeful |
country | storytelling, americana | acoustic guitar, pedal steel guitar, fiddle, live drums | natural, warm | heartfelt |
bluegrass | fast picking, acoustic band | banjo, fiddle, mandolin, upright bass | natural, live | lively |
folk | acoustic, storytelling | fingerpicked acoustic guitar, soft strings, upright bass | intimate, natural | tender |
celtic | traditional, dance tune | fiddle, tin whistle, acoustic guitar, bodhran | natural, live | spirited |
reggae | offbeat groove, roots | offbeat guitar, deep bass, organ, one-drop drums | warm, dub echo | easygoing |
ska | upbeat offbeat | offbeat guitar, horn section, walking bass, live drums | bright, live | cheerful |
reggaeton | latin pop, dembow rhythm | dembow drums, deep bass, plucked synth | modern, punchy | sensual |
salsa | latin dance, call and response | congas, montuno piano, horn section, bass | live, bright | festive |
samba | brazilian, carnival | cavaquinho, surdo, pandeiro, nylon guitar | live, bright | festive |
flamenco | spanish, passionate | flamenco guitar, palmas, cajon | natural, dry | passionate |
tango | dramatic, dance | bandoneon, violin, piano, upright bass | intimate, vintage | dramatic |
chanson | storytelling, parisian | accordion, piano, upright bass | intimate, vintage | wistful |
afrobeat | polyrhythmic, groove | log drum, percussion, plucked guitar, warm bass | modern, bright | joyful |
waltz | three-quarter time, ballroom | piano, string section, upright bass | concert hall, natural | romantic |
march | brass band, parade | brass, snare drum, piccolo | live, bright | proud | unsung
chiptune | 8-bit, video game | square-wave lead, chip arpeggio, noise drums | retro, crisp | playful | unsung
lullaby | gentle, bedtime | music box, soft piano, warm strings | intimate, quiet | soothing |
children's song | singalong, playful | ukulele, glockenspiel, hand claps | bright, clean | cheerful |
ballad | emotional ballad, slow build | piano, strings, soft drums | polished, big reverb | heartfelt |
musical theatre | show tune, theatrical | piano, brass, strings, theatre drums | live, bright | dramatic |
sea shanty | call and response, traditional | accordion, fiddle, stomps | natural, live | hearty |
phonk | drift, dark bounce | distorted 808, cowbell, chopped vocal samples | gritty, tape saturation | dark | rapped
grime | fast flow, square-wave bass | synth bass, synth strings, crisp snare | raw, cold | aggressive | rapped
downtempo | slow groove, electronica | rhodes piano, soft drums, synth pad | warm, spacious | relaxed |
post-rock | slow build, crescendo | tremolo guitar, bass guitar, live drums, strings | big reverb, wide stereo | atmospheric | unsung
garage rock | raw riffs, guitar-driven | fuzz guitar, bass guitar, live drums | raw, live room | restless |
swing | big band, dance hall | brass section, upright bass, brushed drums, clarinet | vintage, live | lively |
uk garage | two-step, shuffled groove | organ, deep bass, crisp hi-hats | club mix, bright | uplifting |
hardstyle | distorted kick, euphoric melody | supersaw synth, hard kick, reverse bass | loud, club mix | euphoric |
soca | carnival, jump up | steel drums, brass, drum machine, synth bass | bright, loud | festive |
bachata | latin romance, gentle groove | requinto, nylon guitar, bongos, bass | intimate, bright | romantic |
mariachi | mexican, festive | trumpet, violin, guitarron, vihuela | live, bright | festive |
corrido | storytelling, regional mexican | accordion, bajo sexto, tuba, 12-string guitar | natural, live | proud |
anthem | singalong, stadium | piano, choir, brass, live drums | big reverb, polished | triumphant |
jingle | short hook, advertising | ukulele, glockenspiel, hand claps, whistling | bright, clean | cheerful |
bhangra | punjabi, dance | dhol, tumbi, synth bass | bright, loud | festive |
qawwali | sufi, call and response | harmonium, tabla, hand claps, choir | live, natural | devotional |
indian classical | raga, improvised | sitar, tabla, tanpura, bansuri | natural, live | meditative |
"""),
    )
)


def _near_genres() -> Iterator[GenreEntry]:
    """A genre for each style that only comes near one of those above, with the usual tags of that one."""
    of_style = {genre.name: genre for genre in _OWN_GENRES}
    for near in STYLES:
        if near.near:
            like = next(
                of_style[style.name] for style in STYLES if style.genre == near.genre and style.name in of_style
            )
            yield from (replace(like, name=name, names=(name,), tempo=near.tempo) for name in near.names)


# Styles that share a row of the readers' table with another one: `names | a genre like them | styles | instruments | mood
# | flags`. An empty cell is that of the genre like them.
_RELATED_STYLES = _rows("""
death metal, black metal, thrash, power metal, nu metal, djent | metal | | | |
skate punk, pop-punk, hardcore punk | punk | fast riffs, gang vocals | | |
new wave, electro pop | synth-pop | | | |
darkwave, outrun | synthwave | | | dark |
hard rock, arena rock | rock | | | |
rock and roll, rock 'n' roll, rockabilly | rock | twelve-bar, twang | twangy guitar, upright bass, live drums, piano | upbeat |
honky tonk | country | | honky-tonk piano, pedal steel guitar, fiddle, live drums | |
dancehall, rocksteady | reggae | | | |
mambo, rumba, cha cha | salsa | | | |
polka | waltz | oompah, dance hall | accordion, clarinet, tuba, snare drum | cheerful |
klezmer | celtic | eastern european, dance tune | clarinet, violin, accordion, upright bass | festive |
balkan | celtic | odd rhythms, dance tune | trumpet, tuba, accordion, snare drum | festive |
ragtime, charleston | swing | syncopated, stride | ragtime piano, banjo, clarinet, brushed drums | playful |
electro swing | swing | electronic, dance | swing brass, clarinet, drum machine, upright bass | playful |
hymn, spiritual | gospel | choral, sacred | organ, choir, piano | hopeful |
opera | classical | operatic, aria | string section, woodwinds, brass | dramatic | sung
baroque, minuet | classical | counterpoint, chamber | harpsichord, violin, cello, recorder | |
sonata, sonatina, nocturne, etude, étude, prelude, fugue, rhapsody, scherzo, bagatelle, partita | classical | | | |
symphony, concerto, neoclassical | classical | | | |
gregorian chant, plainsong | classical | sacred, monophonic | choir | peaceful |
throat singing | indian classical | overtone singing, drone | horsehead fiddle, frame drum, jaw harp | mysterious |
barbershop, doo-wop, doo wop | gospel | close harmony, a cappella | finger snaps, upright bass | cheerful |
psytrance, eurodance, happy hardcore | trance | | | |
future bass | edm | | | |
hyperpop | pop | glitchy, maximal | bright synth, distorted 808, punchy drums | energetic |
industrial | techno | | | dark |
highlife, afro house | afrobeat | | | |
middle eastern, arabic | indian classical | maqam, ornamented | oud, frame drum, violin | mysterious |
latin trap | reggaeton | | | dark | rapped
""")


def _related_styles() -> Iterator[GenreEntry]:
    """A genre for each style in the rows above; one that has a genre already is that with other usual tags."""
    of_name = {genre.name: genre for genre in _OWN_GENRES}
    for row in _RELATED_STYLES:
        names, like, styles, instruments, mood, flags = (cell.strip() for cell in f"{row} ".split("|"))
        for name in _split(names):
            named, usual = style_named(name), of_name[like]
            if named is None:
                raise ValueError(name)
            yield replace(
                usual,
                name=name,
                names=(name,),
                tempo=named.tempo,
                styles=_split(styles) or usual.styles,
                instruments=_split(instruments) or usual.instruments,
                mood=mood or usual.mood,
                rapped="rapped" in flags or usual.rapped,
                sung="sung" in flags or usual.sung,
            )


_RELATED = tuple(_related_styles())
GENRES = (
    *_OWN_GENRES,
    *_RELATED,
    *(genre for genre in _near_genres() if genre.name not in {other.name for other in _RELATED}),
)

MOODS = tuple(
    map(
        _mood,
        _rows("""
sad, sorrowful, sorrow, mournful, tearful, grieving, heartbroken, heartbreaking | melancholic, bittersweet, emotional | low energy | -0.7 | sad
melancholic, melancholy, wistful, bittersweet | reflective, tender | low energy | -0.5 | sad
lonely, longing, yearning, homesick | aching, intimate | low energy | -0.5 | sad
nostalgic, nostalgia, sentimental | warm, bittersweet | mid energy | -0.2 | sad
happy, joyful, joyous, cheerful, merry, glad, feel-good, feel good, sunny | bright, warm | upbeat | 0.5 | happy
upbeat, lively, bouncy, peppy, festive, spirited | bright, catchy | energetic | 0.6 | happy
uplifting, hopeful, inspiring, inspirational, optimistic, motivational, triumphant, devotional | bright, anthemic | building energy | 0.2 | happy
funny, silly, humorous, quirky, playful, goofy, comic | light, bouncy | upbeat | 0.4 | happy
romantic, loving, sensual, sexy, passionate | tender, intimate | smooth | -0.3 | tender
tender, gentle, heartfelt, sweet, soft, emotional | intimate, warm | low energy | -0.5 | tender
calm, peaceful, relaxing, relaxed, soothing, serene, meditative, tranquil, mellow | soft, warm | low energy | -0.8 | calm
chill, laid-back, laid back, chilled, easygoing, cozy, cosy, smooth, breezy | relaxed, warm | laid-back | -0.4 | calm
dreamy, ethereal, floating, hypnotic, mysterious, atmospheric | spacious, soft | slow-moving | -0.4 | calm
energetic, high energy, high-energy, powerful, intense, hype, pumping, explosive | driving, bold | high energy | 0.8 | fierce
driving, restless, urgent, confident, bold, proud | strong groove, focused | high energy | 0.5 | fierce
euphoric, ecstatic | anthemic, bright | high energy | 0.6 | happy
angry, aggressive, furious, rebellious, fierce, rage | intense, gritty | high energy | 0.8 | fierce
epic, heroic, majestic, grand, hearty | dramatic, sweeping | building energy | 0.1 | fierce
dark, gloomy, moody, brooding, haunting, eerie, spooky, sinister, creepy, gothic, noir | tense, atmospheric | slow-burning | -0.4 | dark
dramatic, tense, suspenseful, theatrical | intense, dynamic | building energy | 0 | dark
"""),
    )
)

INSTRUMENTS = tuple(dict.fromkeys(name for row in instrument_table.INSTRUMENTS for name in row.english))
# Kinds of voice, one per row; the first name is the tag, the others are synonyms.
VOICES = tuple(row.english for row in instrument_table.VOICES if row.name not in {"vocals", "vocal chops"})

PRODUCTION = _split(
    "modern, minimal, vintage, retro, polished, raw, lo-fi production, vinyl crackle, tape hiss, reverb, big reverb, "
    "wide stereo, live recording, live performance, unplugged, analog, distorted, sidechain, bass boosted, 8d audio, "
    "atmospheric, spacious, intimate, clean mix, radio ready, high quality, a cappella, acapella, mono, tape "
    "saturation, slowed, slowed and reverb, nightcore, underwater, radio edit, club mix, acoustic, instrumental hook"
)

# Effect of tempo words on the tempo, like MoodEntry.pull; the word itself is also a tag.
TEMPO_WORDS = {
    "very slow": -1.0,
    "slow": -0.8,
    "slow tempo": -0.8,
    "down-tempo": -0.7,
    "mid-tempo": 0.0,
    "midtempo": 0.0,
    "medium tempo": 0.0,
    "moderate tempo": 0.0,
    "uptempo": 0.7,
    "up-tempo": 0.7,
    "fast": 0.8,
    "fast tempo": 0.8,
    "very fast": 1.0,
    "slower": -0.8,
    "faster": 0.8,
    "half-time": -0.5,
    "double-time": 0.8,
}

# Excluding the key also excludes these: "no drums" means no snare either.
RELATED_TERMS = {
    "drums": ("drum", "drums", "breakbeat", "snare", "kick", "hi-hats", "hi-hat", "percussion", "beat", "congas", "claps",
              "four on the floor", "boom bap", "double-kick", "cajon", "surdo", "pandeiro", "bodhran", "stomps", "palmas"),
    "percussion": ("drum", "drums", "snare", "percussion", "congas", "claps", "cajon", "surdo", "pandeiro", "bodhran"),
    "guitar": ("guitar", "guitars", "riffs"),
    "piano": ("piano", "rhodes"),
    "keyboards": ("piano", "rhodes", "organ", "synth"),
    "bass": ("bass", "808", "808s"),
    "strings": ("strings", "string", "violin", "cello", "fiddle"),
    "synth": ("synth", "supersaw", "arpeggios"),
    "brass": ("brass", "horn", "trumpet", "trombone"),
    "horns": ("brass", "horn", "trumpet", "trombone", "saxophone"),
    "saxophone": ("saxophone", "sax"),
    "reverb": ("reverb", "reverb-soaked"),
    "autotune": ("autotune", "autotuned"),
}  # fmt: skip

SYNONYMS = {
    "drum": "drums", "drumming": "drums", "beat": "drums", "beats": "drums", "guitars": "guitar", "synths": "synth",
    "synthesizer": "synth", "synthesizers": "synth", "sax": "saxophone", "violins": "violin", "pianos": "piano",
    "electric guitars": "electric guitar", "acoustic guitars": "acoustic guitar", "string": "strings", "keys": "keyboards",
    "auto-tune": "autotune", "horn": "horns",
}  # fmt: skip
