"""Lyrics that say in words that nobody sings: "Instrumental", "(no vocals)", "sans paroles", "纯音乐", "n/a"."""

from __future__ import annotations

import re
from itertools import pairwise

from acestep_mcp.readers.folding import folded

_ABBREVIATED = re.compile(r"\b(?:n [ad]|w o)\b")
_LONGEST = 200  # characters; longer lyrics have words to sing


def _words(text: str) -> frozenset[str]:
    return frozenset(folded(text).split())


_INSTRUMENTAL = _words(
    "inst instr instrumental instrumentally instrumentale instrumentales instrumentals strumentale "
    "strumentali instrumentaal instrumentaali instrumentalny instrumentalna instrumentalne instrumentalni "
    "instrumentalis enstrumantal instrumentalstuck instrumentalversion инструментал "
    "инструментальная инструментальный инструментальное инструменталка інструментал інструментальна "
    "інструментальне інструментальний ορχηστρικο ορχηστρικη playback موسيقية آلية אינסטרומנטלי वाद्य"
)
_WITHOUT = _words(
    "no not none null non without zero sans aucun aucune pas sin ningun ninguna sem nenhum nenhuma senza nessun "
    "nessuna ohne kein keine keinen keinerlei zonder geen utan ingen inga uden uten ilman ei без нет нету никакого никаких "
    "немає нема немае жодних bez zadnych brak brakuje zadny nelkul nincs yok olmadan fara nici χωρις οχι "
    "بدون بلا دون ללא בלי בלא बिना नहीं tanpa khong"
)
_VOICES = _words(
    "vocal vocals voice voices singing singer singers lyric lyrics words sung chant voix paroles parole chanteur "
    "chanteuse chante voz voces letra letras canto cantante vocales vocais cantor palabras palavras voce voci testo testi "
    "cantato gesang stimme stimmen text texte songtext worte worter gesungen zang tekst stem stemmen zanger sang sangen "
    "rost roster laulua laulu sanoja вокал вокала вокалу голос голоса голосу голосов слов слова слів текст текста тексту "
    "пения спів співу wokal wokalu spiewu glosu slow tekstu zpevu textu vokalu hlasu enek szoveg enekhang soz sozler sozsuz "
    "vokal vokalsiz versuri φωνη φωνητικα στιχους στιχοι غناء كلمات صوت أصوات שירה מילים קול गायन बोल आवाज lirik loi"
)
_ONLY = _words(
    "only just purely pure strictly fully entirely completely all solo solamente solely seulement uniquement juste rien apenas "
    "somente so soltanto solamente esclusivamente nur rein reines ausschliesslich alleen enkel bara endast kun bare vain "
    "только лишь чисто лише тільки tylko jen pouze csak sadece yalnizca doar numai μονο فقط רק केवल सिर्फ hanya"
)
_MUSIC = _words(
    "music beat beats musique instruments musica instrumentos strumenti musik instrumente muziek instrumenten musikk "
    "musiikki музыка музыку музика музику инструменты інструменти muzyka muzyke instrumenty hudba zene muzik muzica "
    "muzica μουσικη موسيقى آلات מוזיקה כלים संगीत musik nhac"
)
_BESIDES = _words(
    "a an the any this that it is are be should must will with of for in and or at please here there has have want track tracks "
    "version versions piece pieces song songs section part break tune background backing bgm beat lyrics vocals purpose only "
    "karaoke la le les l un une el los las lo o os as de du des del di d et e y und et i si con avec com mit es soll sein ist "
    "est version morceau piste pista faixa brano pezzo stuck titel lied chanson cancion cancao canzone pour favor por prego "
    "bitte композиция версия трек пьеса песня композиція версія пісня и та utwor wersja nagranie piosenka numero"
)
# What stands in a field that has no value.
_NOTHING = _words(
    "none no nil null na empty blank nothing nan undefined false tbd aucun aucune aucunes neant ninguna ninguno nenhuma "
    "nenhum nessuno nessuna keine keiner keins geen inga ingen ei нет немає немае brak zadne zadny nincs yok nici niciuna "
    "οχι بدون لا אין नहीं 无 無 没有 沒有 なし 無し ナシ 없음 없다 무"
)
_EAST_ASIAN = re.compile(
    "(?:"
    "[纯純]?(?:音乐|音樂)(?:曲|版)|[纯純](?:音乐|音樂|伴奏|器乐|器樂)|只有(?:音乐|音樂|伴奏)|[纯純]?(?:器乐|器樂|演奏)(?:曲|版)?|伴奏(?:版)?|"
    "(?:没有|沒有|无|無|不要|不需要|不含)(?:任何)?(?:人声|人聲|歌词|歌詞|演唱|歌唱|歌声|歌聲|唱|词|詞)(?:部分)?|"
    "インスト(?:ゥルメンタル|ルメンタル|ゥルメンツ)?|器楽曲?|演奏のみ|音楽のみ|伴奏のみ|BGM|曲|版|のみ|だけ|バージョン|"
    "(?:歌|歌詞|ボーカル|ヴォーカル|声|唄|詞)(?:は|が|も)?(?:なし|無し|ナシ|ない|無い|不要|入らない)|"
    "인스트루?멘[탈털]|인스트|연주곡?만?|반주만?|경음악|기악곡?|음악만|버전|"
    "(?:보컬|가사|노래|목소리|음성)(?:은|는|이|가|도)?(?:없음|없이|없는|없어요|없습니다|필요없음)|音乐|(?:敬?[请請]您?)?(?:欣赏|欣賞)"
    ")+",
    re.IGNORECASE,
)
_UNSAYING = re.compile("(?:bgm|曲|版|のみ|だけ|バージョン|버전|音乐|[请請您]*(?:欣赏|欣賞))+", re.IGNORECASE)


def is_instrumental(lyrics: str) -> bool:
    """True when the lyrics ask for no vocals: empty, `[inst]`, "instrumental", "no vocals", "n/a", in many languages.

    All of the text has to say so: "instrumental to my heart" is sung.
    """
    text = lyrics.strip()
    return len(text) <= _LONGEST and _says_none(folded(text))


def _says_none(text: str) -> bool:
    text = _ABBREVIATED.sub(lambda found: "without" if found[0] == "w o" else "none", text)
    words = text.split()
    if not words or (len(words) == 1 and words[0] in _NOTHING):
        return True
    joined = "".join(words)
    if _EAST_ASIAN.fullmatch(joined) and not _UNSAYING.fullmatch(joined):
        return True
    sung = any(one == two and one not in _INSTRUMENTAL for one, two in pairwise(words))  # "la la", "na na", "no no"
    if sung or not all(_is_known(word) for word in words):
        return False
    said = {word for word in words if word in _INSTRUMENTAL}
    without = any(word in _WITHOUT for word in words) and any(word in _VOICES for word in words)
    only = any(word in _ONLY for word in words) and any(word in _MUSIC for word in words)
    return bool(said) or without or only or "sozsuz" in words or "vokalsiz" in words


def _is_known(word: str) -> bool:
    return any(word in known for known in (_INSTRUMENTAL, _WITHOUT, _VOICES, _ONLY, _MUSIC, _BESIDES, _NOTHING))
