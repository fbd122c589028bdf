"""Words in brackets or asterisks that say how something is sung or heard: (softly), *claps*."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
from functools import cache

from acestep_mcp.readers.folding import folded

# One of these is enough, if nothing but these and the words below is in the brackets.
_SURE = (
    "whisper whispers whispered whispering softly quietly gently tenderly loudly shouted shouting screamed screaming yelled "
    "yelling spoken speaking murmured murmuring mumbled mumbling laughs laughing laughter giggles giggling chuckles "
    "chuckling sighs sighing gasps gasping sobs sobbing inhales inhaling exhales exhaling breathes coughs coughing cheers cheering applause "
    "claps clapping handclap handclaps snaps snapping stomps stomping whistles whistling hums humming beatbox beatboxing adlib "
    "adlibs harmonies harmonizing harmonized falsetto cappella acappella acapella emotionally dramatically angrily playfully slowly sounds noises ambience fadeout crescendo decrescendo "
    "diminuendo staccato legato rubato ritardando sfx autotuned vocoder instrumental "
    "susurro susurros susurrado susurrando hablado suavemente gritando gritado risas aplausos palmas silbido silbando suspira "
    "suspiro sussurro sussurrado sussurrando falado gritado risadas risos assobio chuchote chuchotement chuchotements murmure "
    "parle doucement crie rires applaudissements soupir soupire siffle sifflement geflustert flustert flusternd gesprochen leise "
    "geschrien gelachter lacht applaus klatscht klatschen seufzt pfeift pfeifend summt sussurrato sussurrata parlato dolcemente "
    "sottovoce urlato risate applausi sospira sospiro fischio шепотом шепчет шепот говорит говорком речитативом тихо негромко "
    "кричит смех смеется аплодисменты хлопки вздох вздыхает свист пошепки шепоче голосно смих смиеться оплески зитхае szeptem "
    "szepcze szept cicho glosno krzyczy smiech oklaski mowione mowiac gefluister fluisterend zacht gelach viskande viskar skratt "
    "applader fisiltiyla fisildayarak alkis"
)
# Two of these together, or with one above.
_LOOSE = (
    "music beat beats drums drum guitar piano bass strings synth riff lick fill crowd audience choir voice vocal vocals male "
    "female backing background ad lib libs fade fades fading pause pauses silence stops starts swells builds drops tempo key "
    "change modulation breath breathing sound noise effect effects ringing rings phone footsteps vinyl crackle record scratch "
    "siren sirens echoing reverb distorted distortion cracks voice-over voiceover rapped rapping repeats harmony solo "
    "instrument instruments break interlude"
)
_BESIDES = (
    "a an the and with of to for in on by then very more less almost like as from over under only at end each time both all "
    "together into tone style sec secs second seconds s bar bars 1 2 3 4 5 6 7 8 9 10 15 20 30 up down out away high low deep "
    "raspy breathy slow fast faster slower louder softer quieter quiet soft loud gentle intense emotional dramatic angry sad happy "
    "playful long short sung man woman men women boy girl children kids lead duet hand hands finger fingers foot rain thunder "
    "wind waves birds bell bells door again repeat word words "
    "con com avec mit und y et e с и з та z i voz voix voce stimme голосом"
)
_PHRASES = re.compile(
    r"\b(?:fad(?:e|es|ing) (?:out|in)|with (?:feeling|emotion|passion)|sounds? of|deep breaths?|slows down|speeds up)\b"
)
_JOINED = (
    "低语|低語|轻声|輕聲|耳语|耳語|念白|独白|獨白|旁白|掌声|掌聲|笑声|笑聲|欢呼|歡呼|叹息|嘆息|哼唱|口哨|拍手|ささやき|ささやく|囁き|囁く|語り|セリフ|台詞|"
    "拍手|笑い声|笑い|歓声|ため息|口笛|ハミング|속삭임|속삭이|박수|웃음|환호|내레이션|나레이션|대사|휘파람|허밍|한숨"
)
_CAPTIONS = frozenset(
    {"music", "musik", "musica", "musique", "музыка", "музика", "muzyka", "音乐", "音樂", "音楽", "음악"}
)
_SPARE = 4  # characters beside one of the words of scripts without spaces


def is_direction(text: str, beside: str = "") -> bool:
    """Whether a text in brackets is a stage direction; one that echoes a word of the line `beside` it is sung."""
    plain = _PHRASES.sub("sounds", folded(text))
    if any(word in plain and len(plain) <= len(word) + _SPARE for word in _JOINED.split("|")):
        return True
    if plain in _CAPTIONS and not folded(beside):
        return True
    words = plain.split()
    sure, loose, besides = _vocabulary()
    named = sum(word in loose for word in words) + 2 * sum(word in sure for word in words)
    if named < 2 or not all(word in sure or word in loose or word in besides for word in words):
        return False
    said = set(folded(beside).split())
    return not any(word in said for word in folded(text).split() if word not in besides)


@cache
def _vocabulary() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(folded(words).split()) for words in (_SURE, _LOOSE, _BESIDES))
