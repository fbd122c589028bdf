"""The style vocabulary: words a prompt may use, and tags that usually go with them."""

from __future__ import annotations

from dataclasses import dataclass


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
    """A row is `names | tempo | styles | instruments | production | mood | flags`."""
    names, tempo, styles, instruments, production, mood, flags = (cell.strip() for cell in row.split("|"))
    low, high = (int(number) for number in tempo.split("-"))
    every = _split(names)
    return GenreEntry(
        every[0],
        every,
        (low, high),
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


GENRES = tuple(
    map(
        _genre,
        _rows("""
pop | 96-122 | modern pop, catchy hook | bright synth, punchy drums, electric bass | modern, polished | uplifting |
synth-pop, synthpop, synth pop, electropop | 104-124 | electropop, retro | analog synth, drum machine, synth bass | polished, wide stereo | bittersweet |
indie pop, indie, bedroom pop | 96-124 | indie, dreamy hook | jangly guitar, live bass guitar, tight drums | warm, intimate | wistful |
dream pop, shoegaze | 76-108 | ethereal, reverb-soaked | shimmering guitar, soft synth pad, slow drums | hazy, wide stereo | dreamy |
k-pop, kpop, k pop | 100-132 | dance pop, big hook | bright synth, punchy drums, deep bass | modern, glossy | energetic |
j-pop, jpop, j pop, city pop | 104-140 | melodic pop, city pop | electric piano, clean electric guitar, slap bass | bright, polished | upbeat |
rock, classic rock, alt rock, alternative rock, soft rock | 104-136 | guitar rock, anthemic | electric guitar, bass guitar, live drums | raw, live room | driving |
indie rock, garage rock | 112-148 | guitar-driven, garage | overdriven guitar, bass guitar, live drums | raw, energetic mix | restless |
punk, punk rock, pop punk | 160-190 | pop punk, fast riffs | distorted guitar, bass guitar, fast drums | raw, loud | rebellious |
metal, heavy metal, metalcore, thrash metal | 120-172 | heavy riffs, double kick | distorted guitar, heavy bass, double-kick drums | loud, tight | aggressive |
grunge | 92-126 | 90s rock, quiet verse loud chorus | fuzz guitar, bass guitar, heavy drums | raw | brooding |
hip hop, hip-hop, hiphop, rap, boom bap, boombap | 84-98 | boom bap, rhythmic flow | sampled drums, deep bass, dusty piano loop | punchy, warm | confident | rapped
trap | 132-150 | 808s, half-time groove | 808 bass, rolling hi-hats, dark synth bell | modern, heavy low end | dark | rapped
drill | 138-146 | sliding bass, syncopated drums | sliding 808 bass, crisp snare, sparse piano | modern, gritty | tense | rapped
melodic rap, cloud rap, emo rap | 120-146 | melodic hook, half-time groove | airy synth pad, 808 bass, crisp hi-hats | modern, spacious | wistful | rapped
lo-fi hip hop, lofi hip hop, lofi hiphop, lo-fi, lofi, lo fi, chillhop | 68-88 | chillhop, study beat | mellow electric piano, soft boom-bap drums, warm bass | vinyl crackle, tape hiss | chill |
trip hop, trip-hop, triphop, downtempo | 78-94 | downtempo, smoky groove | dusty breakbeat, deep bass, rhodes piano, moody strings | vinyl crackle, atmospheric | moody |
r&b, rnb, rhythm and blues, neo soul, neo-soul, contemporary r&b | 66-98 | neo-soul, slow groove | electric piano, smooth bass, crisp snare | warm, intimate | smooth |
soul, motown | 84-116 | classic soul, gospel touch | horn section, organ, live bass guitar, live drums | vintage, warm | heartfelt |
funk, funky | 100-118 | groove, syncopated | slap bass, wah guitar, horn section, tight drums | dry, punchy | playful |
disco, nu disco, nu-disco | 112-124 | four on the floor, dancefloor | funky bass, string section, rhythm guitar, disco drums | glossy, wide stereo | joyful |
house, deep house, house music | 118-128 | four on the floor, club | house piano, deep bass, drum machine | club mix, clean | uplifting |
techno | 124-140 | driving, hypnotic | drum machine, acid synth, rumbling bass | club mix, minimal | hypnotic |
trance | 130-142 | euphoric, arpeggios | supersaw synth, rolling bass, electronic drums | wide stereo, big reverb | euphoric |
drum and bass, drum & bass, drum n bass, dnb, d&b, jungle | 168-178 | breakbeat, fast groove | fast breakbeat, reese bass, airy synth pad | crisp, club mix | energetic |
dubstep | 138-142 | half-time, heavy drop | wobble bass, electronic drums, dark synth | loud, modern | aggressive |
edm, electronic dance music, big room, electro house, electronic dance | 122-130 | festival, big drop | supersaw synth, sidechained bass, electronic drums | loud, polished | euphoric |
electronic, electronica, idm | 96-128 | electronica, textured | modular synth, electronic drums, synth bass | detailed, wide stereo | hypnotic |
synthwave, retrowave, vaporwave | 84-112 | 80s, retro-futuristic | analog synth, gated drums, synth bass | retro, neon reverb | nostalgic |
ambient, drone, new age | 60-76 | atmospheric, slowly evolving | soft synth pad, distant piano, gentle drone | spacious, minimal | peaceful | unsung
classical, orchestral, symphonic, orchestra music | 66-112 | orchestral, expressive | string section, woodwinds, french horn, piano | concert hall, natural | heartfelt | unsung
cinematic, soundtrack, film score, movie score, epic orchestral, trailer music | 70-120 | film score, building | string section, brass, epic percussion, piano | wide stereo, big reverb | epic | unsung
jazz, smooth jazz, bebop, cool jazz | 84-150 | swing, improvised solo | piano, upright bass, brushed drums, saxophone | live room, warm | relaxed |
bossa nova, bossa | 112-132 | latin jazz, gentle sway | nylon guitar, upright bass, soft percussion | intimate, warm | breezy |
blues, delta blues, blues rock | 66-108 | twelve-bar, slow shuffle | electric blues guitar, harmonica, upright bass, brushed drums | raw, live room | lonely |
gospel, worship, christian | 70-108 | choir, testimony | organ, piano, choir, live drums | church hall, warm | hopeful |
country, country music, americana, alt country | 84-124 | storytelling, americana | acoustic guitar, pedal steel guitar, fiddle, live drums | natural, warm | heartfelt |
bluegrass | 120-156 | fast picking, acoustic band | banjo, fiddle, mandolin, upright bass | natural, live | lively |
folk, acoustic folk, indie folk, folk music, singer-songwriter, singer songwriter | 78-112 | acoustic, storytelling | fingerpicked acoustic guitar, soft strings, upright bass | intimate, natural | tender |
celtic, irish folk, irish music | 96-132 | traditional, dance tune | fiddle, tin whistle, acoustic guitar, bodhran | natural, live | spirited |
reggae, dub, roots reggae | 68-84 | offbeat groove, roots | offbeat guitar, deep bass, organ, one-drop drums | warm, dub echo | easygoing |
ska | 136-168 | upbeat offbeat | offbeat guitar, horn section, walking bass, live drums | bright, live | cheerful |
reggaeton, latin pop, dembow | 88-100 | latin pop, dembow rhythm | dembow drums, deep bass, plucked synth | modern, punchy | sensual |
salsa, latin, cumbia, merengue | 92-110 | latin dance, call and response | congas, piano montuno, horn section, bass | live, bright | festive |
samba | 98-112 | brazilian, carnival | cavaquinho, surdo, pandeiro, nylon guitar | live, bright | festive |
flamenco | 90-130 | spanish, passionate | flamenco guitar, palmas, cajon | natural, dry | passionate |
tango | 112-128 | dramatic, dance | bandoneon, violin, piano, upright bass | intimate, vintage | dramatic |
chanson, french chanson | 80-120 | storytelling, parisian | accordion, piano, upright bass | intimate, vintage | wistful |
afrobeat, afrobeats, amapiano | 100-118 | polyrhythmic, groove | log drum, percussion, plucked guitar, warm bass | modern, bright | joyful |
waltz | 84-150 | three-quarter time, ballroom | piano, string section, upright bass | concert hall, natural | romantic |
march, marching band | 108-124 | brass band, parade | brass, snare drum, piccolo | live, bright | proud | unsung
chiptune, 8-bit, 8 bit, video game music, game music | 118-160 | 8-bit, video game | square-wave lead, chip arpeggio, noise drums | retro, crisp | playful | unsung
lullaby, lullabies, cradle song | 60-76 | gentle, bedtime | music box, soft piano, warm strings | intimate, quiet | soothing |
children's song, children song, kids song, nursery rhyme, kids music, children's music | 100-124 | singalong, playful | ukulele, glockenspiel, hand claps | bright, clean | cheerful |
ballad, power ballad, piano ballad | 62-82 | emotional ballad, slow build | piano, strings, soft drums | polished, big reverb | heartfelt |
musical theatre, musical theater, show tune, broadway | 88-126 | show tune, theatrical | piano, brass, strings, theatre drums | live, bright | dramatic |
sea shanty, shanty | 92-112 | call and response, traditional | accordion, fiddle, stomps | natural, live | hearty |
"""),
    )
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
uplifting, hopeful, inspiring, inspirational, optimistic, motivational, triumphant | bright, anthemic | building energy | 0.2 | happy
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
epic, heroic, majestic, grand | dramatic, sweeping | building energy | 0.1 | fierce
dark, gloomy, moody, brooding, haunting, eerie, spooky, sinister, creepy, gothic, noir | tense, atmospheric | slow-burning | -0.4 | dark
dramatic, tense, suspenseful, theatrical | intense, dynamic | building energy | 0 | dark
"""),
    )
)

INSTRUMENTS = _split(
    "piano, grand piano, upright piano, electric piano, rhodes, rhodes piano, wurlitzer, organ, hammond organ, "
    "church organ, pipe organ, harpsichord, clavinet, celesta, music box, accordion, bandoneon, harmonica, melodica, "
    "guitar, guitars, acoustic guitar, acoustic guitars, electric guitar, electric guitars, nylon guitar, classical guitar, "
    "spanish guitar, slide guitar, steel guitar, pedal steel guitar, pedal steel, lap steel, 12-string guitar, banjo, "
    "mandolin, ukulele, bouzouki, lute, oud, sitar, koto, shamisen, erhu, guzheng, pipa, harp, lyre, zither, balalaika, "
    "bass, bass guitar, slap bass, upright bass, double bass, synth bass, sub bass, 808, 808s, 808 bass, fretless bass, "
    "violin, violins, viola, cello, cellos, strings, string section, string quartet, fiddle, orchestra, "
    "flute, piccolo, recorder, clarinet, bass clarinet, oboe, bassoon, english horn, saxophone, sax, alto sax, tenor sax, "
    "trumpet, muted trumpet, trombone, tuba, french horn, horns, horn section, brass, brass section, woodwinds, bagpipes, "
    "tin whistle, pan flute, panpipes, shakuhachi, ocarina, didgeridoo, duduk, kalimba, marimba, xylophone, vibraphone, "
    "glockenspiel, steel drums, steelpan, tubular bells, church bells, bells, hang drum, handpan, timpani, taiko, taiko drums, "
    "drums, drum kit, drum machine, drum loop, breakbeat, breakbeats, brushed drums, snare, snare drum, kick, kick drum, "
    "hi-hat, hi-hats, hihats, cymbals, percussion, congas, bongos, djembe, tabla, cajon, tambourine, shaker, claps, "
    "hand claps, handclaps, finger snaps, stomps, cowbell, synth, synths, synthesizer, synthesizers, analog synth, "
    "analog synths, modular synth, synth pad, synth pads, pads, synth lead, arpeggiator, arpeggios, theremin, mellotron, "
    "vocoder, talkbox, talk box, turntables, scratching, choir, gospel choir, children's choir, whistling, castanets, field recordings"
)

# Adjectives that belong to the instrument after them: "crisp snare", "broken accordion".
ADJECTIVES = _split(
    "warm, soft, gentle, dirty, distorted, overdriven, clean, muted, bright, deep, fat, crisp, dusty, live, heavy, slow, "
    "fast, plucked, fingerpicked, strummed, jangly, broken, vintage, old, lonely, solo, lush, sparse, minimal, big, huge, "
    "tight, funky, fuzzy, fuzz, punchy, mellow, detuned, analog, acoustic, electric, orchestral, delicate, simple, "
    "reverb-drenched, shimmering, twangy, smooth, groovy, rolling, booming, tribal, african, latin, jazzy, quiet, loud, "
    "haunting, dreamy, melancholic, airy, dark, wobbly, walking, bowed, pizzicato, staccato, felt, honky-tonk, out-of-tune"
)

# Kinds of voice, one per row; the first name is the tag, the others are synonyms.
VOICES = tuple(
    map(
        _split,
        _rows("""
duet, male and female vocals, male and female voices, female and male vocals, man and woman
female voice, female voices, female vocal, female vocals, female vocalist, female singer, woman's voice, woman singer, girl singer, woman singing, sung by a woman, female lead, women's voices, female
male voice, male voices, male vocal, male vocals, male vocalist, male singer, man's voice, man singing, sung by a man, male lead, men's voices, male
child voice, child's voice, children's voices, kid's voice, kids singing, sung by children
choir, choral vocals, choir vocals
baritone, deep male voice, deep voice, low voice
soprano, high voice
tenor
falsetto
spoken word, spoken, narrated
whispered vocals, whispered, whispering, whisper vocals
raspy voice, raspy, husky voice, gravelly voice, rough voice, husky
breathy vocals, breathy voice, breathy
clear voice, clear vocals
soft voice, soft vocals, gentle voice
powerful voice, powerful vocals, belting, strong voice
young adult, young voice
old voice, elderly voice
autotuned vocals, autotune, auto-tune, autotuned
vocal harmonies, harmonies, backing vocals, harmony vocals
screamed vocals, screaming, growls, growled vocals
humming, hummed
rap, rapping, rapped
"""),
    )
)

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
