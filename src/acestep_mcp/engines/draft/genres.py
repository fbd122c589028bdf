"""The musical traits of each genre, as data. The readers' table of styles says which genre plays which style.

Progressions are Roman numerals; `|` separates alternatives. A layer is `pattern:instrument/instrument`; patterns are
in patterns.py, grooves in drums.py, instruments in instruments.py. Fuller sections have more layers, the first ones
first.
"""

from __future__ import annotations

from dataclasses import dataclass

from acestep_mcp.readers.style_table import STYLES

POP_MAJOR = "I V vi IV|vi IV I V|I vi IV V|IV I V vi"
POP_MINOR = "i VI III VII|i iv VI V|VI VII i i|i VII VI VII"


@dataclass(frozen=True, slots=True)
class Genre:
    """`swing` is the share of a swing unit (1 or 0.5 beats) that its first half takes; 0.5 is straight.

    `loose` is the standard deviation of note timing in seconds; `drive`, 0 to 1, is how full and loud the music is;
    `ending` is "ring", "slow" or "fade".
    """

    name: str
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

    @property
    def tempo(self) -> tuple[int, int]:
        """The usual range in quarter notes per minute."""
        return next(style.tempo for style in STYLES if style.genre == self.name and not style.near)


GENRES: tuple[Genre, ...] = (
    Genre("lofi", "major|dorian|minor",
          "Imaj7 vi7 ii7 V7|IVmaj7 iii7 vi7 vi7|Imaj7 IVmaj7 iii7 vi7", "i7 iv7 VImaj7 v7|i9 VImaj7 i9 v7|iv7 VII7 IIImaj7 VImaj7",
          "lofi|boom bap", "lazy:finger bass/acoustic bass", ("spread:electric piano/piano", "pad:warm pad", "pick:nylon guitar/jazz guitar", "bells:vibraphone/music box"),
          "electric piano|vibraphone|flute|jazz guitar", swing=0.58, swing_unit=0.5, loose=0.014, drive=0.4, ending="fade", reverb=45),
    Genre("trap", "minor|phrygian|harmonic minor",
          "vi IV I V|I iii vi IV", "i i VI VI|i VI i v|i iv i VI", "trap|trap sparse", "sub:sub bass",
          ("bells:glockenspiel/crystal/piano", "pad:choir pad/synth strings", "arp:crystal/kalimba", "stab:synth brass/brass"),
          "square lead|flute|glockenspiel", "synth voice", kit=25, loose=0.003, drive=0.6, ending="ring", reverb=45),
    Genre("hip hop", "minor|dorian|major",
          "I vi IV V|ii7 V7 Imaj7 vi7", "i7 iv7 i7 VImaj7|i VI i VII|i7 VII VImaj7 v7", "boom bap|boom bap 2", "hop:finger bass/acoustic bass",
          ("stab:electric piano/piano", "pad:strings/warm pad", "hits:brass/muted trumpet", "pick:jazz guitar/clean guitar"),
          "muted trumpet|flute|electric piano", swing=0.56, swing_unit=0.5, loose=0.009, drive=0.55, ending="fade", reverb=25),
    Genre("synthwave", "minor|dorian|major",
          "I V vi IV|IV V iii vi", "i VI III VII|i VII VI VII|VI VII i v", "four rock|electro", "eighths:synth bass",
          ("arp:polysynth/crystal", "pad:synth strings/warm pad", "stab:synth brass", "bells:fm piano"), "saw lead|square lead",
          "synth voice", kit=24, loose=0.002, drive=0.65, ending="fade", reverb=60),
    Genre("synth-pop", "major|minor",
          "I V vi IV|vi V IV V|I iii vi IV", "i VII VI V|VI VII i III|i III VII VI", "four rock|disco", "octaves:synth bass",
          ("pulse:polysynth", "pad:synth strings/sweep pad", "arp:crystal/fm piano", "stab:synth brass"), "saw lead|square lead|fm piano",
          "voice lead", kit=24, loose=0.002, drive=0.7, reverb=40),
    Genre("j-pop", "major|minor",
          "IVmaj7 V7 iii7 vi|IV V vi I|I V vi iii IV I IV V", "VI VII i i|VI VII v i|i VII VI V", "rock 8|four rock", "moving:pick bass/finger bass",
          ("pulse:bright piano/piano", "strum:clean guitar", "pad:strings", "arp:crystal"), "saw lead|bright piano|violin", "voice lead",
          loose=0.004, drive=0.8, reverb=35),
    Genre("k-pop", "minor|major", "I vi IV V|vi IV I V", "i VI III VII|i iv VII III|VI v i i",
          "four rock|electro", "octaves:synth bass", ("stab:polysynth/bright piano", "pad:synth strings", "arp:crystal", "pluck:polysynth"),
          "saw lead|crystal", "voice lead", kit=24, loose=0.002, drive=0.75),
    Genre("indie", "major|mixolydian|minor",
          "I IV vi V|I iii IV IV|IV I V vi", "i VI iv v|i III VII iv", "rock 8|rock", "eighths:pick bass",
          ("strum:clean guitar/steel guitar", "arp:clean guitar", "pad:warm pad/strings", "pulse:piano"), "clean guitar|glockenspiel|organ", loose=0.01, drive=0.6, reverb=50),
    Genre("punk", "major|minor", "I V vi IV|I IV V V|I IV I V", "i VI III VII|i iv VI V",
          "punk", "eighths:pick bass", ("power:distortion guitar", "power2:overdriven guitar", "strum:clean guitar"), "overdriven guitar|distortion guitar",
          kit=16, loose=0.006, drive=0.95, reverb=15),
    Genre("metal", "phrygian|minor|harmonic minor",
          "I IV V I|I bVII IV I", "i i bII i|i VI VII i|i iv VI V|i5 VI5 III5 VII5", "metal|metal double", "gallop:pick bass",
          ("gallop:distortion guitar", "power:distortion guitar", "pad:choir"), "distortion guitar|overdriven guitar", kit=16, loose=0.003, drive=1.0, reverb=20),
    Genre("rock", "major|mixolydian|minor pentatonic",
          "I IV V IV|I bVII IV I|I V vi IV|I IV I V", "i VII VI VII|i III VII iv|i VI VII i", "rock|rock 8|rock half", "eighths:pick bass/finger bass",
          ("power:overdriven guitar/distortion guitar", "strum:clean guitar", "pad:rock organ/organ"), "overdriven guitar|distortion guitar|rock organ", kit=16, loose=0.007, drive=0.85, reverb=25),
    Genre("country", "major|mixolydian", "I IV I V|I V IV I|I I IV V|vi IV I V", "i VII VI VII|i iv i V",
          "train|country", "root five:acoustic bass/finger bass", ("boom chuck:steel guitar", "roll:banjo", "pad:organ", "pick:clean guitar"), "fiddle|harmonica|clean guitar", loose=0.008, drive=0.6, reverb=25),
    Genre("folk", "major|dorian|mixolydian|minor", "I V vi IV|I IV I V|I iii IV V", "i VII VI VII|i III iv v|i iv VII III",
          "brush folk|none", "root five:acoustic bass", ("pick:steel guitar/nylon guitar", "strum:steel guitar", "pad:strings/accordion", "bells:glockenspiel"), "flute|fiddle|harmonica|recorder",
          kit=40, loose=0.011, drive=0.4, ending="slow"),
    Genre("celtic", "dorian|mixolydian|major", "I V IV I|I bVII I V|I IV bVII I", "i VII i VII|i VII VI VII|i III VII i",
          "bodhran|brush folk", "root five:acoustic bass", ("strum:steel guitar", "pick:harp/dulcimer", "pad:bagpipe/accordion"), "whistle|fiddle|flute", kit=40, meter=3, loose=0.008, drive=0.55, ending="slow"),
    Genre("blues", "blues|mixolydian", "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7|I7 IV7 I7 V7", "i7 i7 i7 i7 iv7 iv7 i7 i7 V7 iv7 i7 V7|i7 iv7 i7 V7",
          "shuffle|shuffle ride", "walking:finger bass/acoustic bass", ("shuffle:overdriven guitar/clean guitar", "stab:organ/piano", "pad:rock organ"), "harmonica|overdriven guitar|clean guitar|tenor sax",
          swing=0.66, loose=0.012, drive=0.6, ending="slow", reverb=30),
    Genre("swing", "major|dorian", "I6 vi7 ii7 V7|Imaj7 VI7 II7 V7|I6 I7 IV6 iv6", "i6 VI7 ii7 V7|i6 iv6 V7 i6",
          "swing|swing ride", "walking:acoustic bass", ("charleston:piano", "hits:brass", "boom chuck:jazz guitar", "pad:tenor sax"), "clarinet|trumpet|alto sax", kit=32, swing=0.66, loose=0.008, drive=0.7, ending="slow", reverb=35),
    Genre("bossa nova", "major|dorian|minor", "Imaj7 vi7 ii7 V7|Imaj7 II7 ii7 V7|Imaj9 ii9 iii7 ii9", "i7 iv7 ii7 V7|i9 iv9 VII7 IIImaj7|i7 VImaj7 iv7 V7",
          "bossa|samba", "bossa:acoustic bass", ("bossa:nylon guitar", "charleston:electric piano/piano", "pad:strings"), "flute|tenor sax|vibraphone|nylon guitar", kit=40, loose=0.008, drive=0.45, ending="slow"),
    Genre("jazz", "major|dorian|minor", "ii7 V7 Imaj7 vi7|Imaj7 vi7 ii7 V7|iii7 VI7 ii7 V7|Imaj7 IV7 iii7 VI7", "i7 iv7 ii7 V7|i9 VImaj7 ii7 V7|iv7 VII7 IIImaj7 VImaj7 ii7 V7 i6 i6",
          "swing ride|swing", "walking:acoustic bass", ("charleston:piano", "spread:jazz guitar/vibraphone", "pad:strings"), "tenor sax|muted trumpet|vibraphone|clarinet|piano", kit=32, swing=0.64, loose=0.011, drive=0.5, ending="slow", reverb=40),
    Genre("gospel", "major", "I IV I V|I vi ii7 V7|I I7 IV iv", "i iv i V|i VI iv V", "soul|rock half", "hop:finger bass",
          ("ballad:piano", "pad:choir", "spread:rock organ/organ", "hits:brass"), "rock organ|tenor sax|piano", "choir", swing=0.6, loose=0.01, drive=0.65, ending="slow", reverb=60),
    Genre("r&b", "dorian|minor|major", "Imaj9 vi9 ii9 V9|IVmaj7 iii7 vi7 vi7|Imaj7 iii7 IVmaj7 iv6", "i9 iv9 VImaj7 v7|i7 VII VImaj7 v7|VImaj7 v7 i9 i9",
          "soul|lofi", "hop:finger bass/fretless bass", ("spread:electric piano", "stab:clean guitar", "pad:strings/warm pad", "hits:brass"), "tenor sax|electric piano|fretless bass|flute", swing=0.57, swing_unit=0.5, loose=0.012, drive=0.5, ending="fade", reverb=40),
    Genre("funk", "dorian|mixolydian|minor pentatonic", "I9 I9 IV9 I9|I7 IV7 I7 bVII|I9 IV9 I9 V9", "i7 IV9 i7 IV9|i9 i9 iv9 i9|i7 VII i7 IV9",
          "funk|funk 2", "slap:slap bass/finger bass", ("scratch:muted guitar/clean guitar", "clav:clavinet", "hits:brass", "pad:organ"), "alto sax|trumpet|clavinet", loose=0.005, drive=0.75, reverb=20),
    Genre("disco", "minor|dorian|major", "I vi ii V|Imaj7 vi7 IVmaj7 V7", "i7 iv7 VII7 IIImaj7|i VII VI V|i7 VImaj7 iv7 v7",
          "disco", "octaves:finger bass/slap bass", ("scratch:muted guitar/clean guitar", "pad:strings", "offbeat:electric piano/piano", "hits:brass"), "strings|alto sax|saw lead", loose=0.004, drive=0.75, reverb=35),
    Genre("deep house", "minor|dorian", "vi IV I V|Imaj7 vi7 IVmaj7 vi7", "i7 VImaj7 iv7 v7|i9 i9 iv9 iv9|i VI VII i",
          "house|house 2", "offbeats:synth bass/sub bass", ("offbeat:piano/electric piano", "pad:warm pad/sweep pad", "arp:crystal/polysynth", "pluck:polysynth"), "saw lead|flute|vibraphone", "synth voice", kit=24, loose=0.002, drive=0.7, ending="fade", reverb=40),
    Genre("techno", "minor|phrygian|minor pentatonic", "I I bVII bVII|I I IV I", "i i i i|i i VI VI|i i bII i", "techno|house 2", "sixteenths:synth bass",
          ("arp:polysynth/square lead", "stab:synth brass/polysynth", "pad:sweep pad/bowed pad"), "square lead|saw lead", "synth voice", kit=25, loose=0.0, drive=0.8, ending="fade", reverb=50),
    Genre("trance", "minor|harmonic minor", "vi IV I V|I V vi IV", "i VI III VII|i VII VI VII|VI VII i i", "trance|techno", "offbeats:synth bass",
          ("pluck:saw lead/polysynth", "pad:synth strings/sweep pad", "arp:crystal/polysynth", "supersaw:fifths lead"), "saw lead|square lead", "synth voice", kit=24, loose=0.0, drive=0.85, ending="fade", reverb=60),
    Genre("drum and bass", "minor|dorian", "Imaj7 vi7 IVmaj7 V|vi IV I V", "i VI iv v|i7 VImaj7 IIImaj7 VII|i VII VI VI", "break|break 2", "sub:sub bass/synth bass",
          ("pad:warm pad/halo pad", "spread:electric piano", "arp:crystal", "stab:polysynth"), "saw lead|flute|crystal", "synth voice", kit=24, loose=0.002, drive=0.8, ending="fade", reverb=50),
    Genre("dubstep", "minor|phrygian", "vi IV I V|I IV vi V", "i i VI VII|i VI i VII|i iv VI V", "half time|half time 2", "wobble:synth bass",
          ("supersaw:saw lead/fifths lead", "pad:sweep pad/choir pad", "arp:square lead/crystal", "stab:synth brass"), "square lead|saw lead", "synth voice", kit=24, loose=0.0, drive=0.9, reverb=35),
    Genre("edm", "minor|major", "IV V vi I|vi IV I V", "VI VII i III|i VI III VII|iv VI i VII", "house|trance", "octaves:synth bass",
          ("pluck:polysynth/saw lead", "pad:synth strings/sweep pad", "arp:crystal", "stab:synth brass"), "saw lead|crystal|square lead", "voice lead", kit=24, loose=0.0, drive=0.85, reverb=45),
    Genre("ambient", "lydian|major|dorian|minor", "Imaj7 Imaj7 IVmaj7 IVmaj7|Iadd9 vi7 IVmaj7 Isus2|Imaj9 iii7 IVmaj9 vi7", "i7 VImaj7 i7 iv7|i9 i9 VImaj7 VImaj7|i VII VImaj7 VII", "none", "pedal:contrabass/sub bass",
          ("pad:warm pad/halo pad/new age pad", "bells:crystal/celesta/vibraphone", "slow arp:harp/atmosphere/piano", "choirpad:choir pad/bowed pad"), "flute|pan flute|crystal|shakuhachi", "choir", loose=0.02, drive=0.2, ending="fade", reverb=110),
    Genre("chiptune", "major|minor", "I V vi IV|I IV V IV|IV V iii vi", "i VII VI V|i VI VII i|i III VII iv", "chip", "octaves:square lead",
          ("arp:square lead", "fast arp:calliope", "stab:square lead"), "square lead|calliope|saw lead", "square lead", kit=25, loose=0.0, drive=0.75, reverb=5),
    Genre("reggaeton", "minor|harmonic minor|phrygian", "vi IV I V|I V ii IV", "i VI III VII|i iv VII III|i VII VI V", "dembow", "tresillo:sub bass/synth bass",
          ("pluck:crystal/nylon guitar", "pad:warm pad/synth strings", "stab:synth brass/brass", "arp:marimba/kalimba"), "flute|crystal|nylon guitar", "synth voice", kit=25, loose=0.003, drive=0.7, reverb=30),
    Genre("reggae", "major|mixolydian|minor", "I IV I V|I ii IV V|I V vi IV", "i iv i VII|i VII VI v|i iv VII III", "one drop|steppers", "dub:finger bass/sub bass",
          ("skank:clean guitar/muted guitar", "bubble:organ", "hits:brass", "pad:rock organ"), "trumpet|harmonica|rock organ", swing=0.58, loose=0.009, drive=0.55, ending="fade", reverb=50),
    Genre("salsa", "minor|major|harmonic minor", "I IV V IV|I vi ii V|ii V I I", "i iv V iv|i VII VI V|i iv VII III", "salsa|cumbia", "tumbao:acoustic bass/finger bass",
          ("montuno:piano", "hits:brass/trumpet", "strum:nylon guitar", "pad:strings"), "trumpet|trombone|flute", loose=0.006, drive=0.75, ending="ring", reverb=30),
    Genre("afrobeat", "minor|dorian|major", "I IV V IV|I V IV V|vi IV I V", "i VII VI VII|i iv i VII|i7 iv7 VII v", "afro|amapiano", "tresillo:finger bass/synth bass",
          ("pick:clean guitar", "stab:organ/electric piano", "hits:brass", "arp:kalimba/marimba"), "tenor sax|kalimba|flute", loose=0.006, drive=0.65, reverb=30),
    Genre("tango", "harmonic minor|minor|phrygian", "I V I V7|I vi ii V", "i V7 i V7|i iv V7 i|iv i V7 i|i VII VI V", "tango", "root five:contrabass/acoustic bass",
          ("march:piano/accordion", "pad:strings", "pick:nylon guitar"), "bandoneon|violin|clarinet|accordion", loose=0.01, drive=0.6, ending="ring", reverb=35),
    Genre("waltz", "major|harmonic minor", "I V7 V7 I|I vi ii V|I IV V7 I", "i iv V7 i|i VI iv V7", "waltz|none", "waltz:contrabass/acoustic bass",
          ("waltz:piano/accordion/harp", "pad:strings", "arp:harp/celesta"), "violin|clarinet|flute|music box", meter=3, loose=0.012, drive=0.45, ending="slow", reverb=55),
    Genre("lullaby", "major|major pentatonic", "I IV I V|I V vi IV|I vi IV V", "i VI iv V|i VII VI VII", "none|sleigh", "pedal:acoustic bass",
          ("alberti:music box/celesta", "pad:strings/warm pad", "bells:glockenspiel"), "celesta|flute|recorder|music box", meter=3, loose=0.012, drive=0.25, ending="slow", reverb=60),
    Genre("cinematic", "minor|dorian|harmonic minor|major", "I V vi IV|vi IV I V|I bVI bVII I", "i VI III VII|i VI iv V|i VII VI VII|i iv VI VII", "epic|epic march", "pulse:contrabass/cello",
          ("ostinato:strings", "pad:slow strings", "hits:brass", "choirpad:choir"), "french horn|violin|trumpet|cello", "choir", kit=48, loose=0.008, drive=0.75, ending="slow", reverb=90),
    Genre("classical", "major|minor|harmonic minor", "I IV V7 I|I vi ii V7|I V vi iii IV I ii V7", "i iv V7 i|i VI ii7 V7|i iv VII III VI ii7 V7 i", "none", "pedal:cello/contrabass",
          ("alberti:piano/harp/harpsichord", "pad:strings", "pizz:pizzicato", "bells:harp"), "violin|flute|oboe|clarinet|cello", "choir", loose=0.014, drive=0.45, ending="slow", reverb=75),
    Genre("world", "phrygian|harmonic minor|minor pentatonic|dorian", "I bII I bII|I IV bVII I", "i bII i VII|i VII i iv|i5 i5 bII i5", "tabla|bodhran", "pedal:contrabass/cello",
          ("pick:sitar/koto/nylon guitar", "pad:bowed pad/strings", "arp:dulcimer/shamisen"), "shakuhachi|sitar|pan flute|fiddle", kit=0, loose=0.01, drive=0.5, ending="fade", reverb=60),
    Genre("trip hop", "minor|dorian", "I iii IV iv|vi iii IV I", "i VI iv v|i7 iv7 i7 VImaj7|i III VI v", "trip hop", "dub:finger bass/sub bass",
          ("spread:electric piano/piano", "pad:slow strings/warm pad", "pick:muted guitar/clean guitar", "bells:vibraphone/crystal"), "muted trumpet|electric piano|cello",
          kit=8, swing=0.55, swing_unit=0.5, loose=0.012, drive=0.45, ending="fade", reverb=70),
    Genre("drill", "minor|harmonic minor|phrygian", "vi IV I V|vi iii IV V", "i VI i v|i iv VI V|i i VI VII", "drill", "slide:sub bass/synth bass",
          ("spread:piano", "pad:slow strings/choir pad", "arp:celesta/crystal", "bells:glockenspiel"), "piano|celesta|violin", "synth voice", kit=25, loose=0.003, drive=0.6, reverb=50),
    Genre("phonk", "phrygian|minor|harmonic minor", "vi IV V vi|I bII I bVII", "i i bII i|i VI i VII|i bII i v", "phonk", "pulse:synth bass/sub bass",
          ("stab:synth brass/saw lead", "pad:choir pad/choir", "arp:square lead", "bells:tubular bells"), "steel drums|square lead", "synth voice", kit=25, loose=0.0, drive=0.9, ending="fade", reverb=30),
    Genre("grime", "phrygian|minor pentatonic|minor", "vi V vi IV|I bII I bVII", "i i VII i|i bII i VII|i VI VII i", "grime", "stabs:synth bass/sub bass",
          ("pluck:square lead/polysynth", "hits:synth brass/brass", "pizz:pizzicato", "pad:synth strings"), "square lead|synth brass|shamisen", "synth voice", kit=25, loose=0.0, drive=0.75, reverb=10),
    Genre("uk garage", "minor|dorian", "IVmaj7 iii7 vi7 vi7|ii7 V7 Imaj7 vi7", "i7 iv7 VII7 IIImaj7|i9 VImaj7 iv7 v7|i7 v7 VImaj7 v7", "two step", "garage:synth bass/sub bass",
          ("offbeat:organ/electric piano", "stab:vibraphone/polysynth", "pad:warm pad", "arp:crystal"), "organ|alto sax|vibraphone", "voice lead", kit=24, swing=0.58, swing_unit=0.5, loose=0.003, drive=0.7, ending="fade", reverb=30),
    Genre("hardstyle", "minor|harmonic minor", "vi IV I V|IV V vi vi", "i VI III VII|VI VII i v|i iv VI VII", "hardstyle", "reverse:synth bass",
          ("supersaw:saw lead/fifths lead", "pluck:saw lead", "pad:synth strings", "stab:synth brass"), "saw lead|fifths lead", "synth voice", kit=24, loose=0.0, drive=1.0, reverb=45),
    Genre("post-rock", "major|lydian|minor|dorian", "Iadd9 iii IV IV|vi IV Iadd9 V|I I IV vi", "i VI III VII|i9 VImaj7 i9 iv7|VI III i i", "post-rock", "eighths:pick bass",
          ("slow arp:clean guitar/electric grand", "tremolo:clean guitar", "pad:strings/bowed pad", "power:overdriven guitar"), "clean guitar|glockenspiel|cello", "choir", kit=8, loose=0.012, drive=0.6, ending="slow", reverb=105),
    Genre("shanty", "dorian|mixolydian|minor|major", "I V I IV|I bVII IV I|I IV V I", "i VII i v|i VII VI VII|i III VII i", "stomp", "root five:contrabass/acoustic bass",
          ("march:accordion", "strum:steel guitar/banjo", "choirpad:choir"), "fiddle|whistle|accordion", "choir", kit=0, swing=0.62, loose=0.014, drive=0.65, reverb=30),
    Genre("ska", "major|mixolydian|minor", "I IV V IV|I vi ii V|I V IV V", "i iv VII III|i VII VI V|i VI VII i", "ska", "walking:finger bass/pick bass",
          ("offbeat:clean guitar/muted guitar", "bubble:organ", "hits:brass", "stab:tenor sax"), "trumpet|trombone|tenor sax", loose=0.006, drive=0.8, reverb=20),
    Genre("soca", "major|mixolydian", "I IV V IV|I V IV V|I vi IV V", "i VII VI VII|i iv VII i", "soca", "soca:synth bass/finger bass",
          ("offbeat:bright piano/organ", "arp:steel drums", "hits:brass", "pluck:polysynth"), "steel drums|trumpet|alto sax", kit=0, loose=0.004, drive=0.95, reverb=20),
    Genre("bachata", "minor|major|harmonic minor", "I V ii V|I vi IV V|vi IV V I", "i VII VI V|i iv VII III|i VI iv V", "bachata", "bachata:acoustic bass/finger bass",
          ("requinto:steel guitar/nylon guitar", "boom chuck:nylon guitar", "pad:strings"), "nylon guitar|clean guitar|alto sax", loose=0.006, drive=0.6, reverb=35),
    Genre("mariachi", "major|harmonic minor|minor", "I V7 V7 I|I IV V7 I|I vi ii V7", "i V7 V7 i|i iv V7 i|i VII VI V", "none", "oompah:acoustic bass",
          ("son:nylon guitar", "hits:trumpet/brass", "pad:strings", "arp:harp"), "trumpet|violin", loose=0.009, drive=0.75, reverb=30),
    Genre("corrido", "major|minor|mixolydian", "I V7 V7 I|I IV V7 I|I I V7 V7", "i iv V7 i|i VII VI V|i i V7 i", "corrido", "waltz:tuba/acoustic bass",
          ("waltz:accordion", "requinto:steel guitar", "strum:nylon guitar"), "accordion|steel guitar|trumpet", meter=3, loose=0.01, drive=0.65, reverb=15),
    Genre("chanson", "minor|harmonic minor|major", "I vi ii V7|I IV ii7 V7|Imaj7 vi7 ii7 V7", "i iv V7 i|i7 iv7 VII7 IIImaj7|i VI ii7 V7", "musette|none", "waltz:acoustic bass/contrabass",
          ("pick:nylon guitar", "waltz:accordion/piano", "pad:strings"), "accordion|clarinet|violin", kit=40, meter=3, loose=0.014, drive=0.4, ending="slow", reverb=45),
    Genre("march", "major", "I IV I V|I V7 V7 I|I vi ii V7|IV I V7 I", "i iv V i|i VI V i", "march", "oompah:tuba",
          ("march:brass", "offbeat:french horn/trombone", "arp:clarinet/piccolo", "hits:trumpet"), "piccolo|trumpet|clarinet", "choir", kit=48, loose=0.004, drive=0.8, reverb=40),
    Genre("anthem", "major|mixolydian", "I V vi IV|IV I V vi|I IV vi V|I iii IV V", "i VI III VII|VI VII i i", "anthem", "pulse:finger bass/pick bass",
          ("pulse:piano/organ", "pad:strings", "choirpad:choir", "power:overdriven guitar", "hits:brass"), "french horn|trumpet|overdriven guitar", "choir", kit=16, loose=0.008, drive=0.85, ending="slow", reverb=85),
    Genre("jingle", "major|major pentatonic", "I IV V I|I vi IV V|IV V I I", "i VI VII i|i iv V i", "jingle", "bounce:acoustic bass/finger bass",
          ("pizz:marimba/pizzicato", "strum:nylon guitar", "stab:bright piano", "bells:glockenspiel"), "whistle|glockenspiel|xylophone", loose=0.004, drive=0.65, reverb=15),
    Genre("bhangra", "mixolydian|minor pentatonic|dorian", "I bVII I IV|I I bVII I|I IV bVII I", "i VII i iv|i i VII i|i VI VII i", "dhol", "dhol:synth bass/sub bass",
          ("tumbi:sitar/banjo", "bubble:accordion", "stab:synth brass"), "sitar|flute|saw lead", kit=0, swing=0.62, swing_unit=0.5, loose=0.005, drive=0.9, reverb=20),
    Genre("qawwali", "dorian|mixolydian|phrygian|major", "I I IV I|I bVII IV I|I V IV I", "i i VII i|i iv VII i|i bII i VII", "qawwali", "pedal:cello/contrabass",
          ("bubble:accordion", "choirpad:choir", "pick:sitar/dulcimer"), "accordion|sitar|fiddle", "choir", kit=0, loose=0.012, drive=0.6, reverb=55),
    Genre("ballad", "major|minor", "I V vi IV|I iii IV V|vi IV I V|Iadd9 V vi7 IVmaj7", "i VI III VII|i v VI iv|i VII VI iv", "rock half|ballad", "root five:finger bass/fretless bass",
          ("ballad:piano", "pad:strings", "pick:steel guitar/nylon guitar", "choirpad:choir"), "piano|violin|cello|alto sax", loose=0.012, drive=0.45, ending="slow", reverb=65),
    Genre("pop", "major|minor", POP_MAJOR, POP_MINOR, "rock|four rock|pop", "eighths:finger bass/synth bass",
          ("pulse:piano/electric piano", "strum:clean guitar/steel guitar", "pad:strings/warm pad", "pluck:polysynth"), "piano|saw lead|clean guitar", loose=0.006, drive=0.65, reverb=35),
)  # fmt: skip
