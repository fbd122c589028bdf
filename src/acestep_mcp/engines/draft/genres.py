"""The musical traits of each genre, as data. The order of the rows breaks ties between tags.

Progressions are Roman numerals; `|` separates alternatives. A layer is `pattern:instrument/instrument`; patterns are
in patterns.py, grooves in drums.py, instruments in instruments.py. Fuller sections have more layers, the first ones
first. Tempo is in quarter notes per minute.
"""

from __future__ import annotations

from dataclasses import dataclass

POP_MAJOR = "I V vi IV|vi IV I V|I vi IV V|IV I V vi"
POP_MINOR = "i VI III VII|i iv VI V|VI VII i i|i VII VI VII"


@dataclass(frozen=True, slots=True)
class Genre:
    """`swing` is the share of a swing unit (1 or 0.5 beats) that its first half takes; 0.5 is straight.

    `loose` is the standard deviation of note timing in seconds; `drive`, 0 to 1, is how full and loud the music is;
    `ending` is "ring", "slow" or "fade".
    """

    name: str
    keywords: str
    tempo: tuple[int, int]
    scales: str
    major: str
    minor: str
    grooves: str
    bass: str
    layers: tuple[str, ...]
    leads: str
    voice: str = "voice"
    kit: int = 0
    meter: int = 4
    swing: float = 0.5
    swing_unit: float = 1.0
    loose: float = 0.006
    drive: float = 0.6
    ending: str = "ring"
    reverb: int = 40


GENRES: tuple[Genre, ...] = (
    Genre("lofi", "lofi|lo-fi|lo fi|chillhop|study beats", (68, 86), "major|dorian|minor",
          "Imaj7 vi7 ii7 V7|IVmaj7 iii7 vi7 vi7|Imaj7 IVmaj7 iii7 vi7", "i7 iv7 VImaj7 v7|i9 VImaj7 i9 v7|iv7 VII7 IIImaj7 VImaj7",
          "lofi|boom bap", "lazy:finger bass/acoustic bass", ("spread:electric piano/piano", "pad:warm pad", "pick:nylon guitar/jazz guitar", "bells:vibraphone/music box"),
          "electric piano|vibraphone|flute|jazz guitar", swing=0.58, swing_unit=0.5, loose=0.014, drive=0.4, ending="fade", reverb=45),
    Genre("trap", "trap|drill|phonk", (130, 150), "minor|phrygian|harmonic minor",
          "vi IV I V|I iii vi IV", "i i VI VI|i VI i v|i iv i VI", "trap|trap sparse", "sub:sub bass",
          ("bells:glockenspiel/crystal/piano", "pad:choir pad/synth strings", "arp:crystal/kalimba", "stab:synth brass/brass"),
          "square lead|flute|glockenspiel", "synth voice", kit=25, loose=0.003, drive=0.6, ending="ring", reverb=45),
    Genre("hip hop", "hip hop|hiphop|hip-hop|boom bap|rap|melodic rap|old school", (84, 98), "minor|dorian|major",
          "I vi IV V|ii7 V7 Imaj7 vi7", "i7 iv7 i7 VImaj7|i VI i VII|i7 VII VImaj7 v7", "boom bap|boom bap 2", "hop:finger bass/acoustic bass",
          ("stab:electric piano/piano", "pad:strings/warm pad", "hits:brass/muted trumpet", "pick:jazz guitar/clean guitar"),
          "muted trumpet|flute|electric piano", swing=0.56, swing_unit=0.5, loose=0.009, drive=0.55, ending="fade", reverb=25),
    Genre("synthwave", "synthwave|retrowave|outrun|80s|vaporwave|darkwave", (84, 112), "minor|dorian|major",
          "I V vi IV|IV V iii vi", "i VI III VII|i VII VI VII|VI VII i v", "four rock|electro", "eighths:synth bass",
          ("arp:polysynth/crystal", "pad:synth strings/warm pad", "stab:synth brass", "bells:fm piano"), "saw lead|square lead",
          "synth voice", kit=24, loose=0.002, drive=0.65, ending="fade", reverb=60),
    Genre("synth-pop", "synth-pop|synth pop|synthpop|electropop|new wave|electro pop", (104, 124), "major|minor",
          "I V vi IV|vi V IV V|I iii vi IV", "i VII VI V|VI VII i III|i III VII VI", "four rock|disco", "octaves:synth bass",
          ("pulse:polysynth", "pad:synth strings/sweep pad", "arp:crystal/fm piano", "stab:synth brass"), "saw lead|square lead|fm piano",
          "voice lead", kit=24, loose=0.002, drive=0.7, reverb=40),
    Genre("j-pop", "j-pop|jpop|anime|vocaloid|city pop|j-rock", (124, 168), "major|minor",
          "IVmaj7 V7 iii7 vi|IV V vi I|I V vi iii IV I IV V", "VI VII i i|VI VII v i|i VII VI V", "rock 8|four rock", "moving:pick bass/finger bass",
          ("pulse:bright piano/piano", "strum:clean guitar", "pad:strings", "arp:crystal"), "saw lead|bright piano|violin", "voice lead",
          loose=0.004, drive=0.8, reverb=35),
    Genre("k-pop", "k-pop|kpop|dance pop|dance-pop", (108, 128), "minor|major", "I vi IV V|vi IV I V", "i VI III VII|i iv VII III|VI v i i",
          "four rock|electro", "octaves:synth bass", ("stab:polysynth/bright piano", "pad:synth strings", "arp:crystal", "pluck:polysynth"),
          "saw lead|crystal", "voice lead", kit=24, loose=0.002, drive=0.75),
    Genre("indie", "indie|indie pop|indie rock|alternative|bedroom pop|dream pop|shoegaze", (96, 128), "major|mixolydian|minor",
          "I IV vi V|I iii IV IV|IV I V vi", "i VI iv v|i III VII iv", "rock 8|rock", "eighths:pick bass",
          ("strum:clean guitar/steel guitar", "arp:clean guitar", "pad:warm pad/strings", "pulse:piano"), "clean guitar|glockenspiel|organ", loose=0.01, drive=0.6, reverb=50),
    Genre("punk", "punk|pop punk|pop-punk|skate|garage rock", (160, 190), "major|minor", "I V vi IV|I IV V V|I IV I V", "i VI III VII|i iv VI V",
          "punk", "eighths:pick bass", ("power:distortion guitar", "power2:overdriven guitar", "strum:clean guitar"), "overdriven guitar|distortion guitar",
          kit=16, loose=0.006, drive=0.95, reverb=15),
    Genre("metal", "metal|heavy metal|death metal|thrash|metalcore|djent|hardcore", (130, 180), "phrygian|minor|harmonic minor",
          "I IV V I|I bVII IV I", "i i bII i|i VI VII i|i iv VI V|i5 VI5 III5 VII5", "metal|metal double", "gallop:pick bass",
          ("gallop:distortion guitar", "power:distortion guitar", "pad:choir"), "distortion guitar|overdriven guitar", kit=16, loose=0.003, drive=1.0, reverb=20),
    Genre("rock", "rock|hard rock|classic rock|arena rock|grunge|rock and roll", (104, 148), "major|mixolydian|minor pentatonic",
          "I IV V IV|I bVII IV I|I V vi IV|I IV I V", "i VII VI VII|i III VII iv|i VI VII i", "rock|rock 8|rock half", "eighths:pick bass/finger bass",
          ("power:overdriven guitar/distortion guitar", "strum:clean guitar", "pad:rock organ/organ"), "overdriven guitar|distortion guitar|rock organ", kit=16, loose=0.007, drive=0.85, reverb=25),
    Genre("country", "country|americana|nashville|honky tonk|bluegrass", (92, 132), "major|mixolydian", "I IV I V|I V IV I|I I IV V|vi IV I V", "i VII VI VII|i iv i V",
          "train|country", "root five:acoustic bass/finger bass", ("boom chuck:steel guitar", "roll:banjo", "pad:organ", "pick:clean guitar"), "fiddle|harmonica|clean guitar", loose=0.008, drive=0.6, reverb=25),
    Genre("folk", "folk|singer-songwriter|acoustic|campfire|folk pop|ballad folk", (84, 116), "major|dorian|mixolydian|minor", "I V vi IV|I IV I V|I iii IV V", "i VII VI VII|i III iv v|i iv VII III",
          "brush folk|none", "root five:acoustic bass", ("pick:steel guitar/nylon guitar", "strum:steel guitar", "pad:strings/accordion", "bells:glockenspiel"), "flute|fiddle|harmonica|recorder",
          kit=40, loose=0.011, drive=0.4, ending="slow"),
    Genre("celtic", "celtic|irish|scottish|jig|reel|medieval|tavern", (108, 132), "dorian|mixolydian|major", "I V IV I|I bVII I V|I IV bVII I", "i VII i VII|i VII VI VII|i III VII i",
          "bodhran|brush folk", "root five:acoustic bass", ("strum:steel guitar", "pick:harp/dulcimer", "pad:bagpipe/accordion"), "whistle|fiddle|flute", kit=40, meter=3, loose=0.008, drive=0.55, ending="slow"),
    Genre("blues", "blues|delta blues|blues rock|rhythm and blues", (70, 104), "blues|mixolydian", "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7|I7 IV7 I7 V7", "i7 i7 i7 i7 iv7 iv7 i7 i7 V7 iv7 i7 V7|i7 iv7 i7 V7",
          "shuffle|shuffle ride", "walking:finger bass/acoustic bass", ("shuffle:overdriven guitar/clean guitar", "stab:organ/piano", "pad:rock organ"), "harmonica|overdriven guitar|clean guitar|tenor sax",
          swing=0.66, loose=0.012, drive=0.6, ending="slow", reverb=30),
    Genre("swing", "swing|big band|ragtime|electro swing|charleston", (132, 176), "major|dorian", "I6 vi7 ii7 V7|Imaj7 VI7 II7 V7|I6 I7 IV6 iv6", "i6 VI7 ii7 V7|i6 iv6 V7 i6",
          "swing|swing ride", "walking:acoustic bass", ("charleston:piano", "hits:brass", "boom chuck:jazz guitar", "pad:tenor sax"), "clarinet|trumpet|alto sax", kit=32, swing=0.66, loose=0.008, drive=0.7, ending="slow", reverb=35),
    Genre("bossa nova", "bossa|bossa nova|bossanova|samba|brazilian|mpb", (112, 140), "major|dorian|minor", "Imaj7 vi7 ii7 V7|Imaj7 II7 ii7 V7|Imaj9 ii9 iii7 ii9", "i7 iv7 ii7 V7|i9 iv9 VII7 IIImaj7|i7 VImaj7 iv7 V7",
          "bossa|samba", "bossa:acoustic bass", ("bossa:nylon guitar", "charleston:electric piano/piano", "pad:strings"), "flute|tenor sax|vibraphone|nylon guitar", kit=40, loose=0.008, drive=0.45, ending="slow"),
    Genre("jazz", "jazz|smooth jazz|bebop|cool jazz|jazz trio|lounge|noir|nu jazz", (92, 144), "major|dorian|minor", "ii7 V7 Imaj7 vi7|Imaj7 vi7 ii7 V7|iii7 VI7 ii7 V7|Imaj7 IV7 iii7 VI7", "i7 iv7 ii7 V7|i9 VImaj7 ii7 V7|iv7 VII7 IIImaj7 VImaj7 ii7 V7 i6 i6",
          "swing ride|swing", "walking:acoustic bass", ("charleston:piano", "spread:jazz guitar/vibraphone", "pad:strings"), "tenor sax|muted trumpet|vibraphone|clarinet|piano", kit=32, swing=0.64, loose=0.011, drive=0.5, ending="slow", reverb=40),
    Genre("gospel", "gospel|worship|spiritual|christian|hymn", (70, 104), "major", "I IV I V|I vi ii7 V7|I I7 IV iv", "i iv i V|i VI iv V", "soul|rock half", "hop:finger bass",
          ("ballad:piano", "pad:choir", "spread:rock organ/organ", "hits:brass"), "rock organ|tenor sax|piano", "choir", swing=0.6, loose=0.01, drive=0.65, ending="slow", reverb=60),
    Genre("r&b", "r&b|rnb|soul|neo soul|neo-soul|motown|contemporary r&b", (72, 100), "dorian|minor|major", "Imaj9 vi9 ii9 V9|IVmaj7 iii7 vi7 vi7|Imaj7 iii7 IVmaj7 iv6", "i9 iv9 VImaj7 v7|i7 VII VImaj7 v7|VImaj7 v7 i9 i9",
          "soul|lofi", "hop:finger bass/fretless bass", ("spread:electric piano", "stab:clean guitar", "pad:strings/warm pad", "hits:brass"), "tenor sax|electric piano|fretless bass|flute", swing=0.57, swing_unit=0.5, loose=0.012, drive=0.5, ending="fade", reverb=40),
    Genre("funk", "funk|funky|p-funk|groove", (98, 116), "dorian|mixolydian|minor pentatonic", "I9 I9 IV9 I9|I7 IV7 I7 bVII|I9 IV9 I9 V9", "i7 IV9 i7 IV9|i9 i9 iv9 i9|i7 VII i7 IV9",
          "funk|funk 2", "slap:slap bass/finger bass", ("scratch:muted guitar/clean guitar", "clav:clavinet", "hits:brass", "pad:organ"), "alto sax|trumpet|clavinet", loose=0.005, drive=0.75, reverb=20),
    Genre("disco", "disco|nu disco|boogie|funky house|french house", (112, 124), "minor|dorian|major", "I vi ii V|Imaj7 vi7 IVmaj7 V7", "i7 iv7 VII7 IIImaj7|i VII VI V|i7 VImaj7 iv7 v7",
          "disco", "octaves:finger bass/slap bass", ("scratch:muted guitar/clean guitar", "pad:strings", "offbeat:electric piano/piano", "hits:brass"), "strings|alto sax|saw lead", loose=0.004, drive=0.75, reverb=35),
    Genre("deep house", "house|deep house|tech house|progressive house|tropical house|chill house", (118, 126), "minor|dorian", "vi IV I V|Imaj7 vi7 IVmaj7 vi7", "i7 VImaj7 iv7 v7|i9 i9 iv9 iv9|i VI VII i",
          "house|house 2", "offbeats:synth bass/sub bass", ("offbeat:piano/electric piano", "pad:warm pad/sweep pad", "arp:crystal/polysynth", "pluck:polysynth"), "saw lead|flute|vibraphone", "synth voice", kit=24, loose=0.002, drive=0.7, ending="fade", reverb=40),
    Genre("techno", "techno|minimal techno|industrial|acid|rave", (126, 138), "minor|phrygian|minor pentatonic", "I I bVII bVII|I I IV I", "i i i i|i i VI VI|i i bII i", "techno|house 2", "sixteenths:synth bass",
          ("arp:polysynth/square lead", "stab:synth brass/polysynth", "pad:sweep pad/bowed pad"), "square lead|saw lead", "synth voice", kit=25, loose=0.0, drive=0.8, ending="fade", reverb=50),
    Genre("trance", "trance|psytrance|eurodance|euro dance|hands up|happy hardcore", (134, 146), "minor|harmonic minor", "vi IV I V|I V vi IV", "i VI III VII|i VII VI VII|VI VII i i", "trance|techno", "offbeats:synth bass",
          ("pluck:saw lead/polysynth", "pad:synth strings/sweep pad", "arp:crystal/polysynth", "supersaw:fifths lead"), "saw lead|square lead", "synth voice", kit=24, loose=0.0, drive=0.85, ending="fade", reverb=60),
    Genre("drum and bass", "drum and bass|dnb|d&b|drum & bass|jungle|breakbeat|breakcore|liquid", (168, 178), "minor|dorian", "Imaj7 vi7 IVmaj7 V|vi IV I V", "i VI iv v|i7 VImaj7 IIImaj7 VII|i VII VI VI", "break|break 2", "sub:sub bass/synth bass",
          ("pad:warm pad/halo pad", "spread:electric piano", "arp:crystal", "stab:polysynth"), "saw lead|flute|crystal", "synth voice", kit=24, loose=0.002, drive=0.8, ending="fade", reverb=50),
    Genre("dubstep", "dubstep|brostep|riddim|bass music|glitch|glitch hop", (138, 146), "minor|phrygian", "vi IV I V|I IV vi V", "i i VI VII|i VI i VII|i iv VI V", "half time|half time 2", "wobble:synth bass",
          ("supersaw:saw lead/fifths lead", "pad:sweep pad/choir pad", "arp:square lead/crystal", "stab:synth brass"), "square lead|saw lead", "synth voice", kit=24, loose=0.0, drive=0.9, reverb=35),
    Genre("edm", "edm|electro house|festival|big room|future bass|electronic|electro|dance|club|idm", (122, 130), "minor|major", "IV V vi I|vi IV I V", "VI VII i III|i VI III VII|iv VI i VII", "house|trance", "octaves:synth bass",
          ("pluck:polysynth/saw lead", "pad:synth strings/sweep pad", "arp:crystal", "stab:synth brass"), "saw lead|crystal|square lead", "voice lead", kit=24, loose=0.0, drive=0.85, reverb=45),
    Genre("ambient", "ambient|drone|meditation|meditative|spa|sleep|new age|healing|space|soundscape|yoga", (56, 72), "lydian|major|dorian|minor", "Imaj7 Imaj7 IVmaj7 IVmaj7|Iadd9 vi7 IVmaj7 Isus2|Imaj9 iii7 IVmaj9 vi7", "i7 VImaj7 i7 iv7|i9 i9 VImaj7 VImaj7|i VII VImaj7 VII", "none", "pedal:contrabass/sub bass",
          ("pad:warm pad/halo pad/new age pad", "bells:crystal/celesta/vibraphone", "slow arp:harp/atmosphere/piano", "choirpad:choir pad/bowed pad"), "flute|pan flute|crystal|shakuhachi", "choir", loose=0.02, drive=0.2, ending="fade", reverb=110),
    Genre("chiptune", "chiptune|8-bit|8 bit|8bit|16-bit|video game|retro game|arcade|nintendo", (130, 164), "major|minor", "I V vi IV|I IV V IV|IV V iii vi", "i VII VI V|i VI VII i|i III VII iv", "chip", "octaves:square lead",
          ("arp:square lead", "fast arp:calliope", "stab:square lead"), "square lead|calliope|saw lead", "square lead", kit=25, loose=0.0, drive=0.75, reverb=5),
    Genre("reggaeton", "reggaeton|dembow|latin trap|latin pop|urbano", (88, 100), "minor|harmonic minor|phrygian", "vi IV I V|I V ii IV", "i VI III VII|i iv VII III|i VII VI V", "dembow", "tresillo:sub bass/synth bass",
          ("pluck:crystal/nylon guitar", "pad:warm pad/synth strings", "stab:synth brass/brass", "arp:marimba/kalimba"), "flute|crystal|nylon guitar", "synth voice", kit=25, loose=0.003, drive=0.7, reverb=30),
    Genre("reggae", "reggae|dub|ska|dancehall|rocksteady|roots", (70, 88), "major|mixolydian|minor", "I IV I V|I ii IV V|I V vi IV", "i iv i VII|i VII VI v|i iv VII III", "one drop|steppers", "dub:finger bass/sub bass",
          ("skank:clean guitar/muted guitar", "bubble:organ", "hits:brass", "pad:rock organ"), "trumpet|harmonica|rock organ", swing=0.58, loose=0.009, drive=0.55, ending="fade", reverb=50),
    Genre("salsa", "salsa|latin|mambo|cuban|cumbia|merengue|son|rumba|mariachi|cha cha", (96, 124), "minor|major|harmonic minor", "I IV V IV|I vi ii V|ii V I I", "i iv V iv|i VII VI V|i iv VII III", "salsa|cumbia", "tumbao:acoustic bass/finger bass",
          ("montuno:piano", "hits:brass/trumpet", "strum:nylon guitar", "pad:strings"), "trumpet|trombone|flute", loose=0.006, drive=0.75, ending="ring", reverb=30),
    Genre("afrobeat", "afrobeat|afrobeats|afro|amapiano|highlife|african|afro house", (100, 118), "minor|dorian|major", "I IV V IV|I V IV V|vi IV I V", "i VII VI VII|i iv i VII|i7 iv7 VII v", "afro|amapiano", "tresillo:finger bass/synth bass",
          ("pick:clean guitar", "stab:organ/electric piano", "hits:brass", "arp:kalimba/marimba"), "tenor sax|kalimba|flute", loose=0.006, drive=0.65, reverb=30),
    Genre("tango", "tango|milonga|flamenco|gypsy|klezmer|balkan|polka|french cafe", (108, 128), "harmonic minor|minor|phrygian", "I V I V7|I vi ii V", "i V7 i V7|i iv V7 i|iv i V7 i|i VII VI V", "tango", "root five:contrabass/acoustic bass",
          ("march:piano/accordion", "pad:strings", "pick:nylon guitar"), "bandoneon|violin|clarinet|accordion", loose=0.01, drive=0.6, ending="ring", reverb=35),
    Genre("waltz", "waltz|vals|carousel|music box", (108, 156), "major|harmonic minor", "I V7 V7 I|I vi ii V|I IV V7 I", "i iv V7 i|i VI iv V7", "waltz|none", "waltz:contrabass/acoustic bass",
          ("waltz:piano/accordion/harp", "pad:strings", "arp:harp/celesta"), "violin|clarinet|flute|music box", meter=3, loose=0.012, drive=0.45, ending="slow", reverb=55),
    Genre("lullaby", "lullaby|children|kids|nursery|christmas|baby|bedtime", (72, 96), "major|major pentatonic", "I IV I V|I V vi IV|I vi IV V", "i VI iv V|i VII VI VII", "none|sleigh", "pedal:acoustic bass",
          ("alberti:music box/celesta", "pad:strings/warm pad", "bells:glockenspiel"), "celesta|flute|recorder|music box", meter=3, loose=0.012, drive=0.25, ending="slow", reverb=60),
    Genre("cinematic", "cinematic|epic|orchestral|trailer|soundtrack|film score|score|heroic|fantasy|battle|adventure|symphonic", (76, 124), "minor|dorian|harmonic minor|major", "I V vi IV|vi IV I V|I bVI bVII I", "i VI III VII|i VI iv V|i VII VI VII|i iv VI VII", "epic|epic march", "pulse:contrabass/cello",
          ("ostinato:strings", "pad:slow strings", "hits:brass", "choirpad:choir"), "french horn|violin|trumpet|cello", "choir", kit=48, loose=0.008, drive=0.75, ending="slow", reverb=90),
    Genre("classical", "classical|baroque|romantic era|chamber|string quartet|sonata|orchestra|neoclassical|piano solo|opera|minuet", (66, 120), "major|minor|harmonic minor", "I IV V7 I|I vi ii V7|I V vi iii IV I ii V7", "i iv V7 i|i VI ii7 V7|i iv VII III VI ii7 V7 i", "none", "pedal:cello/contrabass",
          ("alberti:piano/harp/harpsichord", "pad:strings", "pizz:pizzicato", "bells:harp"), "violin|flute|oboe|clarinet|cello", "choir", loose=0.014, drive=0.45, ending="slow", reverb=75),
    Genre("world", "world|indian|raga|bollywood|arabic|oriental|middle eastern|asian|chinese|japanese traditional|ethnic|desert|persian|turkish", (84, 116), "phrygian|harmonic minor|minor pentatonic|dorian", "I bII I bII|I IV bVII I", "i bII i VII|i VII i iv|i5 i5 bII i5", "tabla|bodhran", "pedal:contrabass/cello",
          ("pick:sitar/koto/nylon guitar", "pad:bowed pad/strings", "arp:dulcimer/shamisen"), "shakuhachi|sitar|pan flute|fiddle", kit=0, loose=0.01, drive=0.5, ending="fade", reverb=60),
    Genre("ballad", "ballad|power ballad|piano ballad|slow song|love song|torch", (62, 78), "major|minor", "I V vi IV|I iii IV V|vi IV I V|Iadd9 V vi7 IVmaj7", "i VI III VII|i v VI iv|i VII VI iv", "rock half|ballad", "root five:finger bass/fretless bass",
          ("ballad:piano", "pad:strings", "pick:steel guitar/nylon guitar", "choirpad:choir"), "piano|violin|cello|alto sax", loose=0.012, drive=0.45, ending="slow", reverb=65),
    Genre("pop", "pop|pop rock|pop-rock|teen pop|hyperpop|top 40|radio|commercial|jingle", (96, 124), "major|minor", POP_MAJOR, POP_MINOR, "rock|four rock|pop", "eighths:finger bass/synth bass",
          ("pulse:piano/electric piano", "strum:clean guitar/steel guitar", "pad:strings/warm pad", "pluck:polysynth"), "piano|saw lead|clean guitar", loose=0.006, drive=0.65, reverb=35),
)  # fmt: skip
