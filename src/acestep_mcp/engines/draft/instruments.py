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

# Common names for the instruments above.
NAMES: dict[str, str] = {
    "rhodes": "electric piano", "wurlitzer": "electric piano", "keys": "electric piano", "e-piano": "electric piano",
    "grand piano": "piano", "upright piano": "piano", "vibes": "vibraphone", "bells": "glockenspiel",
    "chimes": "tubular bells", "hammond": "rock organ", "acoustic guitar": "steel guitar",
    "classical guitar": "nylon guitar", "spanish guitar": "nylon guitar", "electric guitar": "clean guitar",
    "guitar": "steel guitar", "distorted guitar": "distortion guitar", "heavy guitar": "distortion guitar",
    "guitars": "clean guitar", "upright bass": "acoustic bass", "double bass": "acoustic bass",
    "bass guitar": "finger bass", "electric bass": "finger bass", "808": "sub bass", "808 bass": "sub bass",
    "saxophone": "tenor sax", "sax": "tenor sax", "horns": "brass", "horn section": "brass", "brass section": "brass",
    "string section": "strings", "orchestra": "strings", "string quartet": "strings", "violins": "strings",
    "flutes": "flute", "horn": "french horn", "synth": "polysynth", "synths": "polysynth",
    "synthesizer": "polysynth", "synth lead": "saw lead", "synth pad": "warm pad", "pad": "warm pad",
    "pads": "warm pad", "choirs": "choir", "tin whistle": "whistle", "bagpipes": "bagpipe", "erhu": "fiddle",
    "mbira": "kalimba", "steelpan": "steel drums", "pianos": "piano", "pluck": "crystal", "plucks": "crystal",
    "music-box": "music box", "xylo": "xylophone", "strings section": "strings", "ukulele": "nylon guitar",
    "mandolin": "banjo", "harpsichords": "harpsichord", "synth-bass": "synth bass", "bansuri": "flute",
    "guzheng": "koto", "pipa": "shamisen", "oud": "nylon guitar", "lute": "nylon guitar",
}  # fmt: skip

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
