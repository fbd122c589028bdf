"""The styles that tags and wishes name, and which of the draft's genres plays each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StyleNames:
    """A style: its usual name, its spellings, and `tag_words`, which name it only in a list of tags.

    `genre` is the name of the draft's genre that plays it or, with `near`, that comes nearest. `tempo` is the usual
    range in quarter notes per minute.
    """

    name: str
    spellings: tuple[str, ...]
    tag_words: tuple[str, ...]
    genre: str
    tempo: tuple[int, int]
    near: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.spellings)

    @property
    def every(self) -> tuple[str, ...]:
        return (*self.names, *self.tag_words)


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(",") if part.strip())


def _row(line: str) -> StyleNames:
    """A line is `name, spellings | tag words | genre | tempo`; `~` before the genre: it only comes near."""
    names, words, genre, tempo = (cell.strip() for cell in line.split("|"))
    low, _, high = tempo.partition("-")
    name, *spellings = _split(names)
    return StyleNames(name, tuple(spellings), _split(words), genre.lstrip("~"), (int(low), int(high)), genre[0] == "~")


STYLES = tuple(map(_row, """
lo-fi hip hop, lofi hip hop, lofi hiphop, lo-fi, lofi, lo fi, chillhop | study beats | lofi | 68-86
trap | | trap | 130-150
drill, uk drill | | drill | 138-146
phonk, drift phonk, memphis rap | | phonk | 120-160
grime | | grime | 138-142
hip hop, hip-hop, hiphop, rap, boom bap, boombap | old school | hip hop | 84-98
melodic rap, cloud rap, emo rap | | hip hop | 84-98
trip hop, trip-hop, triphop | | trip hop | 78-94
downtempo, chillout | | trip hop | 78-98
synthwave, retrowave, vaporwave | outrun, 80s, darkwave | synthwave | 84-112
synth-pop, synthpop, synth pop, electropop | new wave, electro pop | synth-pop | 104-124
j-pop, jpop, j pop, city pop | anime, vocaloid, j-rock | j-pop | 124-168
k-pop, kpop, k pop | dance pop, dance-pop | k-pop | 108-128
indie pop, indie, bedroom pop | | indie | 96-128
indie rock | alternative | indie | 96-128
dream pop, shoegaze | | indie | 96-128
post-rock, post rock | crescendocore | post-rock | 72-104
punk, punk rock, pop punk | pop-punk, skate, hardcore punk | punk | 160-190
garage rock | | punk | 160-190
metal, heavy metal, metalcore, thrash metal | death metal, thrash, djent, hardcore, black metal, nu metal, power metal | metal | 130-180
doom metal, sludge metal | | ~metal | 60-80
rock, classic rock, alt rock, alternative rock, soft rock | hard rock, arena rock, rock and roll, rock 'n' roll, rockabilly | rock | 104-148
grunge | | rock | 104-148
country, country music, americana, alt country | nashville, honky tonk | country | 92-132
bluegrass | | country | 92-132
folk, acoustic folk, indie folk, folk music, singer-songwriter, singer songwriter | acoustic, campfire, folk pop, ballad folk | folk | 84-116
celtic, irish folk, irish music | irish, scottish, jig, reel, medieval, tavern | celtic | 108-132
sea shanty, shanty, sea shanties, shanties | sailor song | shanty | 88-116
blues, delta blues, blues rock | | blues | 70-104
swing, big band | ragtime, electro swing, charleston | swing | 132-176
bossa nova, bossa | bossanova, brazilian, mpb | bossa nova | 112-140
samba | | bossa nova | 112-140
jazz, smooth jazz, bebop, cool jazz | jazz trio, lounge, noir, nu jazz | jazz | 92-144
gospel, worship, christian | spiritual, hymn | gospel | 70-104
r&b, rnb, rhythm and blues, neo soul, neo-soul, contemporary r&b | | r&b | 72-100
soul, motown | | r&b | 72-100
funk, funky | p-funk, groove | funk | 98-116
disco, nu disco, nu-disco | boogie, funky house, french house | disco | 112-124
house, deep house, house music | tech house, progressive house, tropical house, chill house | deep house | 118-126
uk garage, 2-step, 2 step, ukg, speed garage, garage house | two step garage | uk garage | 128-136
techno | minimal techno, industrial, acid, rave | techno | 126-138
trance, goa trance, vocal trance, uplifting trance | psytrance, eurodance, euro dance, hands up, happy hardcore | trance | 134-146
hardstyle, hard dance | rawstyle, euphoric hardstyle | hardstyle | 148-156
gabber, frenchcore, speedcore | | ~hardstyle | 170-200
drum and bass, drum & bass, drum n bass, dnb, d&b, jungle | breakbeat, breakcore, liquid | drum and bass | 168-178
dubstep | brostep, riddim, bass music, glitch, glitch hop | dubstep | 138-146
edm, electronic dance music, big room, electro house, electronic dance | festival, future bass, dance, club | edm | 122-130
electronic, electronica, idm | electro | edm | 122-130
ambient, drone, new age | meditation, meditative, spa, sleep, healing, space, soundscape, yoga | ambient | 56-72
chiptune, 8-bit, 8 bit, video game music, game music | 8bit, 16-bit, video game, retro game, arcade, nintendo | chiptune | 130-164
reggaeton, latin pop, dembow | latin trap, urbano | reggaeton | 88-100
reggae, dub, roots reggae | dancehall, rocksteady, roots | reggae | 70-88
ska | | ska | 136-168
soca | power soca, groovy soca, carnival | soca | 128-160
calypso | | ~soca | 108-124
salsa, latin, cumbia, merengue | mambo, cuban, son, rumba, cha cha | salsa | 96-124
bachata | | bachata | 120-136
mariachi, ranchera, son jalisciense | | mariachi | 92-120
corrido, corridos, corridos tumbados, corrido tumbado, norteño, norteno | regional mexican, banda | corrido | 96-140
afrobeat, afrobeats, amapiano | afro, highlife, african, afro house | afrobeat | 100-118
tango | milonga, klezmer, balkan, polka | tango | 108-128
flamenco | gypsy | tango | 108-128
chanson, french chanson, chanson française | french cafe, musette | chanson | 80-118
waltz | vals, carousel, music box | waltz | 108-156
march, marching band, military march | parade, brass band | march | 108-124
anthem, national anthem, stadium anthem | hymnal | anthem | 76-100
jingle, advertising jingle, commercial jingle | | jingle | 116-140
lullaby, lullabies, cradle song | children, kids, nursery, christmas, baby, bedtime | lullaby | 72-96
children's song, children song, kids song, nursery rhyme, kids music, children's music | | lullaby | 100-124
cinematic, soundtrack, film score, movie score, epic orchestral, trailer music | epic, orchestral, trailer, score, heroic, fantasy, battle, adventure, symphonic | cinematic | 76-124
classical, orchestral music, orchestra music | baroque, romantic era, chamber, string quartet, sonata, sonatina, symphony, concerto, nocturne, etude, étude, prelude, fugue, rhapsody, partita, scherzo, bagatelle, orchestra, neoclassical, piano solo, opera, minuet | classical | 66-120
bhangra, punjabi | dhol music | bhangra | 96-112
qawwali, sufi | sufi music, ghazal | qawwali | 84-120
indian classical, raga, bollywood | world, indian, arabic, oriental, middle eastern, asian, chinese, japanese traditional, ethnic, desert, persian, turkish | world | 84-116
ballad, power ballad, piano ballad | slow song, love song, torch | ballad | 62-78
pop, pop rock | pop-rock, teen pop, hyperpop, top 40, radio, commercial | pop | 96-124
musical theatre, musical theater, show tune, broadway | | pop | 88-126
emo, screamo, post-hardcore, post hardcore | skate punk | ~punk | 130-180
cowpunk, psychobilly, ska punk, folk punk, celtic punk, riot grrrl | | ~punk | 140-190
chillwave, witch house, darksynth | | ~synthwave | 76-112
slowcore, sadcore, midwest emo, art pop, chamber pop, baroque pop | | ~indie | 76-128
hi-nrg, italo disco, eurodisco | | ~disco | 112-136
new jack swing, quiet storm | | ~r&b | 84-112
nerdcore, chiptune rap, chopped and screwed | | ~hip hop | 70-98
dungeon synth, berlin school | | ~ambient | 60-90
western swing, yodel, yodeling, yodelling | | ~country | 100-150
spaghetti western | | ~cinematic | 80-116
hard techno, schranz | | ~techno | 140-156
post-punk, post punk, coldwave | goth | ~synthwave | 110-140
krautrock, psychedelic rock, psych rock, prog rock, progressive rock, math rock, stoner rock, surf rock, southern rock | | ~rock | 100-140
britpop, yacht rock, jangle pop, power pop | | ~indie | 96-136
jersey club, baltimore club, footwork, ghetto house | juke | ~deep house | 130-160
electroclash, ebm, aggrotech | | ~techno | 120-136
hyphy, crunk, g-funk, gangsta rap, horrorcore | bounce | ~hip hop | 84-104
rage rap, plugg, pluggnb | | ~trap | 130-150
future funk, city funk, go-go | | ~funk | 100-118
zydeco, cajun | | ~country | 110-140
enka, schlager, canzone, bolero, fado, morna, kayokyoku | trot, torch song | ~ballad | 66-100
zouk, kizomba, kompa, gqom, kwaito, kuduro, afroswing, soukous, mbalax, township jive | juju | ~afrobeat | 92-126
moombahton, perreo, champeta, funk carioca, baile funk, neoperreo | latin club | ~reggaeton | 92-130
timba, danzón, danzon, vallenato, charanga, boogaloo, joropo, huayno | plena, bomba, latin dance | ~salsa | 88-120
forró, forro, choro, pagode, baião, sertanejo, frevo | axé | ~bossa nova | 92-132
klezmer dance, csárdás, csardas, turbofolk, rebetiko, sirtaki, oompah, schottische, mazurka | hora, kolo | ~tango | 100-140
gnawa, raï, chaabi, dabke, mugham, gamelan, carnatic, hindustani, filmi, gagaku, pansori, throat singing | rai, arabesque | ~world | 76-120
neofolk, skiffle, nueva canción, nueva cancion, trova, bard song, anti-folk, freak folk | | ~folk | 84-120
requiem, oratorio, madrigal, gregorian chant, plainsong | mass | ~classical | 60-110
easy listening, elevator music, muzak, library music, third stream, dixieland, gypsy jazz, free jazz | exotica | ~jazz | 92-150
dark ambient, space ambient, musique concrète, asmr | noise music, field recording | ~ambient | 56-72
barbershop, doo-wop, doo wop | | ~gospel | 80-110
comedy song, novelty song, bubblegum pop | parody | ~pop | 100-130
""".strip().splitlines()))  # fmt: skip


def style_named(name: str) -> StyleNames | None:
    """The style with exactly that spelling."""
    return next((style for style in STYLES if name in style.every), None)
