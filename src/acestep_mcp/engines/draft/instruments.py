"""The instruments a tag can name, by their General MIDI program."""

from __future__ import annotations

PROGRAMS: dict[str, int] = {
    "piano": 0, "bright piano": 1, "electric grand": 2, "honky-tonk": 3, "electric piano": 4, "fm piano": 5,
    "harpsichord": 6, "clavinet": 7, "celesta": 8, "glockenspiel": 9, "music box": 10, "vibraphone": 11,
    "marimba": 12, "xylophone": 13, "tubular bells": 14, "dulcimer": 15, "organ": 16, "rock organ": 18,
    "church organ": 19, "accordion": 21, "harmonica": 22, "bandoneon": 23, "nylon guitar": 24, "steel guitar": 25,
    "jazz guitar": 26, "clean guitar": 27, "muted guitar": 28, "overdriven guitar": 29, "distortion guitar": 30,
    "acoustic bass": 32, "finger bass": 33, "pick bass": 34, "fretless bass": 35, "slap bass": 36,
    "synth bass": 38, "sub bass": 39, "violin": 40, "viola": 41, "cello": 42, "contrabass": 43,
    "tremolo strings": 44, "pizzicato": 45, "harp": 46, "timpani": 47, "strings": 48, "slow strings": 49,
    "synth strings": 50, "choir": 52, "voice": 53, "synth voice": 54, "trumpet": 56, "trombone": 57, "tuba": 58,
    "muted trumpet": 59, "french horn": 60, "brass": 61, "synth brass": 62, "soprano sax": 64, "alto sax": 65,
    "tenor sax": 66, "baritone sax": 67, "oboe": 68, "english horn": 69, "bassoon": 70, "clarinet": 71,
    "piccolo": 72, "flute": 73, "recorder": 74, "pan flute": 75, "shakuhachi": 77, "whistle": 78, "ocarina": 79,
    "square lead": 80, "saw lead": 81, "calliope": 82, "voice lead": 85, "fifths lead": 86, "new age pad": 88,
    "warm pad": 89, "polysynth": 90, "choir pad": 91, "bowed pad": 92, "halo pad": 94, "sweep pad": 95,
    "crystal": 98, "atmosphere": 99, "sitar": 104, "banjo": 105, "shamisen": 106, "koto": 107, "kalimba": 108,
    "bagpipe": 109, "fiddle": 110, "steel drums": 114, "taiko": 116,
}  # fmt: skip

# What plays an instrument of the readers' table whose name is not in PROGRAMS.
PLAYED_BY: dict[str, str] = {
    "keyboards": "electric piano", "guitar": "steel guitar", "acoustic guitar": "steel guitar",
    "electric guitar": "clean guitar", "distorted guitar": "distortion guitar", "pedal steel guitar": "steel guitar",
    "mandolin": "banjo", "ukulele": "nylon guitar", "cavaquinho": "nylon guitar", "bajo sexto": "steel guitar",
    "guitarron": "acoustic bass", "requinto": "nylon guitar", "vihuela": "nylon guitar", "bouzouki": "steel guitar",
    "lute": "nylon guitar", "oud": "nylon guitar", "tanpura": "sitar", "tumbi": "sitar", "sarangi": "fiddle", "harmonium": "accordion",
    "melodica": "harmonica", "erhu": "fiddle", "guzheng": "koto", "pipa": "shamisen", "balalaika": "banjo",
    "honky-tonk piano": "honky-tonk", "bass guitar": "finger bass", "upright bass": "acoustic bass", "pizzicato strings": "pizzicato",
    "bansuri": "flute", "saxophone": "tenor sax", "horns": "brass", "woodwinds": "clarinet", "bagpipes": "bagpipe",
    "tin whistle": "whistle", "whistling": "whistle", "duduk": "english horn", "bells": "glockenspiel",
    "hang drum": "steel drums", "theremin": "whistle", "mellotron": "strings", "synth": "polysynth",
    "synth pad": "warm pad", "synth lead": "saw lead", "arpeggiator": "polysynth", "vocoder": "synth voice",
}  # fmt: skip

# Spellings that are played by something else than the instrument they are a spelling of.
SPELLINGS: dict[str, str] = {
    "hammond": "rock organ", "hammond organ": "rock organ", "guitars": "clean guitar", "crystal": "crystal",
    "overdriven guitar": "overdriven guitar", "overdriven guitars": "overdriven guitar", "rock organ": "rock organ",
    "bright piano": "bright piano", "fm piano": "fm piano", "electric grand": "electric grand", "plucks": "crystal",
    "pluck": "crystal", "contrabass": "contrabass", "finger bass": "finger bass", "pick bass": "pick bass",
    "square lead": "square lead",
    "square-wave lead": "square lead", "atmosphere": "atmosphere", "808": "sub bass",
}  # fmt: skip

# Percussion of the readers' table by the General MIDI drums that play it.
PIECES: dict[str, frozenset[int]] = {
    "snare": frozenset({37, 38, 40}), "kick": frozenset({35, 36}), "hi-hat": frozenset({42, 44, 46}),
    "cymbals": frozenset({49, 51, 52, 53, 55, 57, 59}), "toms": frozenset({41, 43, 45, 47, 48, 50}),
    "congas": frozenset({62, 63, 64}), "bongos": frozenset({60, 61}), "djembe": frozenset({63, 64}),
    "dhol": frozenset({41, 50}), "dholak": frozenset({60, 61}), "tabla": frozenset({60, 61}), "cajon": frozenset({60, 64}),
    "surdo": frozenset({41, 45}), "pandeiro": frozenset({54}), "bodhran": frozenset({41}), "tambourine": frozenset({54}),
    "shaker": frozenset({69, 70, 82}), "claps": frozenset({39}), "finger snaps": frozenset({37}),
    "stomps": frozenset({35}), "cowbell": frozenset({56}), "castanets": frozenset({75}), "log drum": frozenset({45}),
}  # fmt: skip
# What each plays when it is asked for, as in the grooves.
PERCUSSION_ROWS: dict[str, str] = {
    "toms": "L ..........x.x.xx", "congas": "c x..x..x.x..x..xx", "bongos": "b x.xxx.x.x.xxx.x.", "djembe": "d X..xx.x.X..xx.x.",
    "dhol": "F X..x..X.X..x..X.", "dholak": "b X..xx.x.X.x.x.x.", "tabla": "g ..x...o...x..o.x", "cajon": "d X..o..x.X..o..x.",
    "surdo": "F ....X.......X...", "pandeiro": "T xoxxxoxxxoxxxoxx", "bodhran": "F X..o..x..o..x..o", "tambourine": "T ....x.......x...",
    "shaker": "V xoxoxoxoxoxoxoxo", "claps": "C ....X.......X...", "finger snaps": "R ....x.......x...", "stomps": "2 X.......X.......",
    "cowbell": "W x...x...x...x...", "castanets": "l x...x.xxx...x.x.", "log drum": "L ...X..X..X....X.", "percussion": "c ..x..x....x..x..",
}  # fmt: skip
WHOLE_KITS = frozenset({"drums", "drum machine", "breakbeat", "live drums"})
DRUM_KITS = WHOLE_KITS | {"kick", "snare", "hi-hat", "cymbals"}
ELECTRONIC_KITS = frozenset({24, 25})
# Instruments of definite pitch that are drums: they play single notes.
PITCHED_DRUMS = frozenset({"timpani", "taiko"})
# Instruments of struck bars and bells, which play broken chords.
MALLETS = frozenset({"glockenspiel", "xylophone", "tubular bells"})

BASSES = frozenset(name for name, program in PROGRAMS.items() if 32 <= program <= 39)
PADS = frozenset(name for name, program in PROGRAMS.items() if 48 <= program <= 54 or 88 <= program <= 95)
# Instruments that play a melody, one note at a time.
SOLOISTS = frozenset(
    name for name, program in PROGRAMS.items()
    if program in (22, 40, 41, 42, 110, 114) or (56 <= program <= 87 and program not in (61, 62))
)  # fmt: skip

# Lowest and highest pitch of a lead by program; other programs use the range of a voice.
RANGES: dict[int, tuple[int, int]] = {
    42: (43, 67), 57: (43, 67), 58: (36, 55), 67: (46, 67), 66: (50, 72), 70: (41, 65), 60: (48, 70),
    72: (74, 96), 9: (72, 96), 8: (67, 91), 10: (67, 91), 13: (65, 89), 78: (72, 91), 73: (64, 88),
    40: (60, 86), 110: (58, 84), 80: (57, 81), 81: (57, 81), 0: (60, 84), 11: (58, 82), 12: (57, 81),
    4: (57, 79), 5: (60, 82), 108: (60, 82), 107: (58, 80), 106: (55, 76), 114: (60, 81),
}  # fmt: skip
VOICE_RANGE = (57, 76)


def has_sound(name: str) -> bool:
    """Whether the draft can play the instrument of that name in the readers' table."""
    return name == "bass" or any(name in table for table in (PROGRAMS, PLAYED_BY, PIECES, PERCUSSION_ROWS, DRUM_KITS))
