"""The formants of vowels and of voiced consonants, for a man's and a woman's voice.

Sources: the means of Peterson and Barney, "Control methods used in a study of the vowels", JASA 24 (1952), table II, for
i I E { A O U u V 3 (X-SAMPA), and of Hillenbrand and others, "Acoustic characteristics of American English vowels", JASA
97 (1995), table V, for e and o and for the fourth formant. The others lie between those: a between { and A, @ between V
and 3, the rounded front vowels y, 2 and 9 between i and u, e and o, E and O, and 1 between i and u.
"""

from __future__ import annotations

_MEASURED: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "i": ((270, 2290, 3010), (310, 2790, 3310)),
    "I": ((390, 1990, 2550), (430, 2480, 3070)),
    "e": ((476, 2089, 2691), (536, 2530, 3047)),
    "E": ((530, 1840, 2480), (610, 2330, 2990)),
    "{": ((660, 1720, 2410), (860, 2050, 2850)),
    "A": ((730, 1090, 2440), (850, 1220, 2810)),
    "O": ((570, 840, 2410), (590, 920, 2710)),
    "o": ((497, 910, 2459), (555, 1035, 2828)),
    "U": ((440, 1020, 2240), (470, 1160, 2680)),
    "u": ((300, 870, 2240), (370, 950, 2670)),
    "V": ((640, 1190, 2390), (760, 1400, 2780)),
    "3": ((490, 1350, 1690), (500, 1640, 1960)),
    "a": ((730, 1330, 2450), (880, 1530, 2840)),
    "@": ((520, 1350, 2350), (600, 1570, 2700)),
    "y": ((270, 1750, 2250), (320, 2050, 2600)),
    "2": ((430, 1550, 2300), (480, 1850, 2650)),
    "9": ((550, 1450, 2350), (630, 1700, 2700)),
    "1": ((300, 1500, 2400), (350, 1750, 2750)),
}
# Consonants that have formants: lips or tongue close the mouth (m n N), or nearly so.
_CONSONANTS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "m": ((260, 1000, 2200), (290, 1150, 2550)),
    "n": ((270, 1450, 2400), (300, 1650, 2750)),
    "N": ((280, 1900, 2500), (310, 2200, 2850)),
    "M": ((270, 1100, 2250), (300, 1250, 2600)),
    "l": ((360, 1250, 2700), (400, 1450, 3050)),
    "r": ((380, 1200, 1650), (420, 1400, 1900)),
    "w": ((300, 700, 2200), (340, 780, 2600)),
    "j": ((270, 2150, 2900), (310, 2600, 3200)),
}
FORMANTS = {
    "man": {sound: both[0] for sound, both in (_MEASURED | _CONSONANTS).items()},
    "woman": {sound: both[1] for sound, both in (_MEASURED | _CONSONANTS).items()},
}
"""The first three formants in Hz, by singer and by sound in X-SAMPA; M is a hum."""
UPPER = {
    "man": (3400.0, 4100.0, 5000.0, 6000.0, 7000.0, 8000.0, 9000.0, 10000.0, 11000.0),
    "woman": (4200.0, 4950.0, 6000.0, 7150.0, 8300.0, 9450.0, 10600.0, 11750.0),
}
"""The formants above the third, which are nearly the same in all sounds."""
BANDWIDTHS = {"man": (60.0, 80.0, 110.0, 200.0, 300.0), "woman": (75.0, 100.0, 140.0, 320.0, 420.0)}
"""In Hz, of the first five formants."""
NASALS = frozenset("mnNM")
