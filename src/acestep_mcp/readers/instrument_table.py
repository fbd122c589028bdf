# ruff: noqa: RUF001 - words in many languages are intended
"""The instruments and voices that tags and wishes name, in English and in other languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstrumentNames:
    """`name` is the usual one, `spellings` the others in English.

    `tag_words` mean the instrument in a list of tags and often something else in a sentence ("keys", "pluck").
    """

    name: str
    spellings: tuple[str, ...]
    tag_words: tuple[str, ...]
    foreign: tuple[str, ...]

    @property
    def english(self) -> tuple[str, ...]:
        return (self.name, *self.spellings)

    @property
    def every(self) -> tuple[str, ...]:
        return (*self.english, *self.tag_words, *self.foreign)


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(",") if part.strip())


def _row(line: str) -> InstrumentNames:
    """A line is `name, spellings | tag words | other languages`."""
    english, tag_words, foreign = (_split(cell) for cell in line.split("|"))
    return InstrumentNames(english[0], english[1:], tag_words, foreign)


INSTRUMENTS = tuple(map(_row, """
piano, grand piano, upright piano | pianos, bright piano | klavier, pianoforte, фортепиано, пианино, рояль, рояля, ピアノ, 钢琴, 鋼琴, 피아노, fortepian
electric piano, rhodes, rhodes piano, wurlitzer | e-piano, fm piano, electric grand, rhodes keys | e-klavier, piano eléctrico, piano électrique, piano elétrico, электропиано
honky-tonk piano, tack piano | |
keyboards | keyboard, keys | teclado, teclados, claviers, tastiere, клавишные, клавишных
organ, hammond organ, hammond | organs, rock organ, electric organ | órgano, orgue, orgel, órgão, organo, орган, органа
church organ, pipe organ | | kirchenorgel
harpsichord | harpsichords | clavecín, clavecin, cembalo, clavicembalo
clavinet | clav |
celesta | |
music box | music-box | caja de música, spieluhr, boîte à musique
accordion | accordions | acordeón, accordéon, akkordeon, acordeão, sanfona, fisarmonica, аккордеон, баян
bandoneon | | bandoneón
harmonica | | armónica, mundharmonika, gaita de boca
melodica | |
guitar, guitars | | guitarra, guitarras, guitare, guitares, gitarre, gitarren, chitarra, chitarre, гитара, гитары, гитар, ギター, 吉他, 기타, gitara, gitary, gitaar
acoustic guitar, acoustic guitars, steel guitar, 12-string guitar, fingerpicked guitar | | guitarra acústica, guitare acoustique, akustikgitarre, akustische gitarre, violão, chitarra acustica, акустическая гитара, アコースティックギター, 木吉他, 어쿠스틱 기타
electric guitar, electric guitars | e-guitar | guitarra eléctrica, guitare électrique, e-gitarre, guitarra elétrica, chitarra elettrica, электрогитара, электрогитары, エレキギター, 电吉他, 일렉 기타
distorted guitar, distorted guitars | distortion guitar, overdriven guitar, heavy guitar, heavy guitars, fuzz guitar, overdriven guitars, guitar distortion, distorted electric guitar | verzerrte gitarre, verzerrte gitarren, guitarra distorsionada
clean guitar | jangly guitar, jangly guitars, clean electric guitar, shimmering guitar |
jazz guitar | |
muted guitar | wah guitar, rhythm guitar, offbeat guitar |
nylon guitar, classical guitar, spanish guitar, flamenco guitar | | guitarra española, konzertgitarre
pedal steel guitar, pedal steel, lap steel, slide guitar | |
banjo | banjos |
mandolin | mandolins | mandolina, mandoline, mandolino
ukulele | uke | ukelele
cavaquinho | |
bajo sexto, bajo quinto | |
guitarron | | guitarrón
requinto | |
vihuela | |
bouzouki | |
lute | |
oud | |
sitar | sitars |
tanpura, tambura | |
tumbi | |
sarangi | |
harmonium | |
koto | | 琴
shamisen | | 三味線
erhu | | 二胡
guzheng | | 古筝
pipa | | 琵琶
harp, lyre, zither | harps | arpa, harpe, harfe, arfa, арфа
balalaika | | балалайка
dulcimer, hammered dulcimer | |
bass | basses, bassline, basslines, bass line | bajo, basse, baixo, basso, бас, баса, ベース, 贝斯, 베이스, bas
bass guitar, electric bass | finger bass, pick bass | bassgitarre, bajo eléctrico
slap bass | |
upright bass, double bass, acoustic bass, contrabass | | contrabajo, contrebasse, kontrabass, contrabaixo, contrabbasso, контрабас
fretless bass | |
synth bass | synth-bass, reese bass, wobble bass, acid bass |
sub bass, 808, 808s, 808 bass, sliding 808 bass | |
violin, violins | | violín, violines, violon, violons, geige, geigen, violine, violino, violinos, violini, скрипка, скрипки, バイオリン, 小提琴, 바이올린
viola | violas | bratsche, альт
cello, cellos | | violonchelo, chelo, violoncelle, violoncello, violoncelo, виолончель, виолончели, チェロ, 大提琴, 첼로
fiddle | fiddles |
strings, string section, string quartet, orchestra | string, strings section, string ensemble | cuerdas, cordes, streicher, cordas, archi, струнные, струнных, ストリングス, 弦乐, 현악
pizzicato strings | pizzicato |
tremolo strings | |
flute | flutes | flauta, flautas, flûte, flöte, flöten, flauto, флейта, флейты, フルート, 笛子, 플루트
piccolo | |
recorder | | blockflöte
bansuri | |
clarinet, bass clarinet | clarinets | clarinete, clarinette, klarinette, clarinetto, кларнет
oboe | | oboé, hautbois
bassoon | | fagot, fagott, fagotto
english horn | |
saxophone, sax, tenor sax | saxes, saxophones, tenor saxophone | saxofón, saxo, saxofon, saxofone, sassofono, саксофон, саксофона, サックス, 萨克斯, 색소폰
alto sax | alto saxophone |
baritone sax | bari sax |
soprano sax | soprano saxophone |
trumpet | trumpets | trompeta, trompetas, trompette, trompete, tromba, trombe, труба, трубы, トランペット, 小号, 트럼펫
muted trumpet | |
trombone | trombones | trombón, posaune
tuba | sousaphone, sousaphones, tubas |
french horn | horn | trompa, waldhorn
horns, horn section | | vientos
brass, brass section | | metales, cuivres, bläser, blechbläser, metais, ottoni, духовые, духовых
synth brass | |
woodwinds | woodwind, winds | maderas, bois, holzbläser
bagpipes | bagpipe | gaita, cornemuse, dudelsack
tin whistle | whistle, penny whistle |
pan flute, panpipes | |
shakuhachi | | 尺八
ocarina | |
didgeridoo | |
duduk | |
kalimba | mbira |
marimba | |
xylophone | xylo, xylophones | xilófono, xylofon
vibraphone | vibes |
glockenspiel | | carillon
bells | bell, crystal, plucks, pluck |
tubular bells, church bells | chimes |
steel drums, steelpan | steel pan, steel pans |
hang drum, handpan | |
timpani | timpanis, kettledrums | timbales sinfónicos, pauken
taiko, taiko drums | |
drums, drum kit, drumming, percussion section | drum, beat, beats, drum set, drumkit, batucada | batería, batterie, schlagzeug, trommeln, bateria, percussioni, batteria, барабаны, барабанов, ударные, ударных, ドラム, 鼓, 드럼, perkusja, perkusji, bęben, slagwerk, trommer, trummor
drum machine, drum loop, electronic drums, programmed drums, drum loops | 808 drums, drum machines, drum samples | caja de ritmos, boîte à rythmes, drumcomputer
breakbeat, breakbeats | breaks |
live drums, acoustic drums, brushed drums | brushes, acoustic drum kit |
percussion | perc, hand percussion | percusión, percusiones, percussions, perkussion, percussão, percussione, перкуссия, перкуссии, パーカッション, 打击乐, 타악기
snare, snare drum | snares |
kick, kick drum | kicks, bass drum |
hi-hat, hi-hats, hihats | hihat, hats, hi hat |
cymbals | cymbal, crash cymbals, ride cymbal |
toms | tom, tom toms |
congas | conga |
bongos | bongo |
djembe | |
dhol | |
dholak | |
tabla | tablas |
cajon | | cajón
surdo | |
pandeiro | |
bodhran | | bodhrán
tambourine | tambourines | pandereta, tambourin
shaker | shakers, maracas, guiro |
claps, hand claps, handclaps, palmas | clap, clapping | palmadas
finger snaps | snaps |
stomps | stomp, foot stomps |
cowbell | cowbells |
castanets | | castañuelas
log drum | |
synth, synths, synthesizer, synthesizers, analog synth, analog synths, modular synth | polysynth, synthesiser, synthesisers | sintetizador, sintetizadores, synthé, synthétiseur, sintetizzatore, синтезатор, синтезаторов, シンセ, 合成器, 신스
synth pad, synth pads, pads | pad, warm pad, atmosphere |
synth strings | |
synth lead | saw lead, square lead, square-wave lead, supersaw, acid synth |
arpeggiator, arpeggios | arpeggio, arp, arps |
theremin | |
mellotron | |
vocoder, talkbox, talk box | |
turntables, scratching | |
choir, gospel choir, children's choir | choirs, choral vocals, choir vocals | coro, coros, chœur, chœurs, chor, coral, хор, хора, 合唱, 합창
whistling | |
field recordings | |
""".strip().splitlines()))  # fmt: skip

# Kinds of voice, each with its spellings, as in INSTRUMENTS. The first row is any voice.
VOICES = tuple(map(_row, """
vocals, vocal, voice, voices, singing, singer, singers, vocalist, vocalists, sung vocals | lyrics, words, sung parts | voz, voces, canto, letra, voix, chant, paroles, gesang, stimme, stimmen, vocais, voce, voci, testo, вокал, вокала, голос, голоса, голосов, слов, ボーカル, 歌詞, 歌, 人声, 人聲, 歌词, 보컬, 가사, wokal, wokalu, zang
duet, male and female vocals, male and female voices, female and male vocals, man and woman | |
female voice, female voices, female vocal, female vocals, female vocalist, female singer, woman's voice, woman singer, girl singer, woman singing, sung by a woman, female lead, women's voices, female | | voz femenina, voix féminine, frauenstimme, weibliche stimme, voz feminina, voce femminile, женский голос, женского голоса, 女声, 女性ボーカル, 여성 보컬
male voice, male voices, male vocal, male vocals, male vocalist, male singer, man's voice, man singing, sung by a man, male lead, men's voices, male | | voz masculina, voix masculine, männerstimme, männliche stimme, voce maschile, мужской голос, мужского голоса, 男声, 男性ボーカル, 남성 보컬
child voice, child's voice, children's voices, kid's voice, kids singing, sung by children | kid voice | kinderstimme
choir, choral vocals, choir vocals | |
baritone, deep male voice, deep voice, low voice | bass voice, deep male |
soprano, high voice | |
tenor | |
falsetto | |
spoken word, spoken, narrated | narration, talking, speech |
whispered vocals, whispered, whispering, whisper vocals | whispers |
raspy voice, raspy, husky voice, gravelly voice, rough voice, husky | |
breathy vocals, breathy voice, breathy | |
clear voice, clear vocals | |
soft voice, soft vocals, gentle voice | |
powerful voice, powerful vocals, belting, strong voice | |
young adult, young voice | |
old voice, elderly voice | |
autotuned vocals, autotune, auto-tune, autotuned | |
vocal harmonies, harmonies, backing vocals, harmony vocals | backing vocal, background vocals, backup vocals | coros de fondo, chœurs de fond
screamed vocals, screaming, growls, growled vocals | screams, growling, shouting, yelling |
humming, hummed | |
beatboxing, beatbox | |
rap, rapping, rapped | rapper, rap vocals | рэп
vocal chops, vocal samples | chopped vocals, vocal sample |
""".strip().splitlines()))  # fmt: skip
