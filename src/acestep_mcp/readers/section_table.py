"""The words for a song's sections in the languages that songs are written in."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

from typing import Literal

Kind = Literal["intro", "verse", "pre-chorus", "chorus", "bridge", "solo", "build", "drop", "break", "outro"]

# Words that are seldom sung: these are marks without square brackets too.
SURE: dict[Kind, str] = {
    "verse": "verse|verses|stanza|verso|versos|estrofa|estrofe|couplet|couplets|strophe|strofa|strofe|strofă|куплет|"
    "zwrotka|sloka|verze|versszak|vers|säkeistö|dörtlük|κουπλέ|στροφή|主歌|aメロ|1절|2절|3절|4절|벌스",
    "pre-chorus": "pre chorus|prechorus|pre hook|pre coro|precoro|pre estribillo|preestribillo|pré refrão|pré refrain|"
    "prérefrain|vorrefrain|pre refrain|pre ritornello|предприпев|пред припев|передприспів|przedrefren|pre refren|"
    "导歌|導歌|预副歌|預副歌|bメロ|プリコーラス|프리코러스|프리 코러스",
    "chorus": "chorus|choruses|post chorus|postchorus|refrain|estribillo|coro|post coro|refrão|pós refrão|post refrain|"
    "ritornello|kehrreim|припев|рефрен|приспів|refren|refrén|refrein|refräng|omkvæd|omkved|refreng|kertosäe|refrén|nakarat|"
    "ρεφρέν|επωδός|لازمة|اللازمة|كورس|الكورس|פזמון|मुखड़ा|điệp khúc|副歌|サビ|コーラス|후렴구|후렴|코러스",
    "bridge": "bridge|middle 8|middle eight|puente|brücke|bruecke|бридж|mostek|brygga|jembatan|γέφυρα|桥段|橋段|"
    "cメロ|dメロ|ブリッジ|브릿지|브리지",
    "intro": "intro|introduction|introducción|introdução|introduzione|einleitung|vorspiel|интро|вступление|вступ|інтро|"
    "wstęp|úvod|εισαγωγή|前奏|イントロ|인트로|전주",
    "outro": "outro|аутро|zakończenie|尾奏|アウトロ|後奏|아웃트로|아우트로|후주",
    "solo": "interlude|interludio|interlúdio|interludium|zwischenspiel|intermezzo|проигрыш|програш|tussenspel|"
    "mellanspel|välisoitto|间奏|間奏|간주",
}
# Words that are also sung: these are marks in square brackets, in headings and before a colon.
UNSURE: dict[Kind, str] = {
    "verse": "part|parte|partie|teil|часть|частина|część|rap|spoken word|bait|kıta|مقطع|المقطع|בית|अंतरा|đoạn|1番|2番|3番|"
    "第一段|第二段|第三段|ラップ|说唱|說唱|랩",
    "pre-chorus": "pre|lift|climb",
    "chorus": "hook|hooks|reprise|хук|reff|स्थायी|フック|훅",
    "bridge": "ponte|pont|most|мост|міст|переход|brug|köprü|átvezető|punte|جسر|גשר|过渡|過渡|过桥",
    "intro": "opening|prelude|start|entrada|ouverture|apertura|giriş|مقدمة|المقدمة|פתיחה|引子|开场|開場|도입",
    "outro": "ending|end|coda|finale|final|fin|closing|tag|vamp|cierre|encerramento|chiusura|schluss|schluß|ende|ausklang|"
    "nachspiel|концовка|финал|кода|конец|кінцівка|фінал|кінець|koniec|závěr|slut|loppu|τέλος|خاتمة|الخاتمة|סיום|"
    "结尾|結尾|尾声|尾聲|结束|結束|エンディング|엔딩|끝",
    "solo": "solo|solos|inst|instr|instrumental|instrumentals|instrumentale|instrumental break|riff|lead break|turnaround|"
    "assolo|strumentale|соло|инструментал|інструментал|solówka|wstawka|przerywnik|soolo|独奏|獨奏|ソロ|インスト|솔로|연주",
    "build": "build|buildup|build up|riser|ビルド|빌드업",
    "drop": "drop|beat drop|bass drop|дроп|ドロップ|드롭",
    "break": "break|breakdown|брейк|ブレイク|브레이크",
}
# Any other name beside these decides: "[Puente final]" is a bridge, "[Refrain instrumental]" a chorus.
WEAK = (
    "final|finale|fin|end|ending|start|part|parte|partie|teil|часть|частина|część|tag",
    "instrumental|instrumentale|inst|rap|spoken word",
    "solo|연주|独奏|獨奏|ソロ|솔로|соло",
)
ENGLISH = (
    "verse|verses|stanza|pre chorus|prechorus|pre hook|chorus|choruses|post chorus|postchorus|refrain|bridge|middle 8|"
    "middle eight|intro|introduction|outro|interlude|intermezzo|part|rap|spoken word|lift|climb|hook|hooks|reprise|opening|"
    "prelude|start|ending|end|coda|finale|closing|tag|vamp|solo|solos|inst|instrumental|instrumental break|riff|lead break|"
    "turnaround|build|buildup|build up|riser|drop|beat drop|bass drop|break|breakdown"
)
# What may stand beside a section's name. The first line is English.
BESIDES = (
    "i|ii|iii|iv|v|vi|one|two|three|four|five|six|first|second|third|fourth|last|final|finale|ending|big|double|half|time|"
    "short|long|extended|repeat|repeats|repeated|again|acoustic|the|a|b|c|d|spoken|rap|rapped|soft|quiet|loud|full|main|another|new|"
    "1st|2nd|3rd|4th|st|nd|rd|th|no|nr|guitar|piano|drum|drums|bass|sax|saxophone|synth|violin|fiddle|harmonica|trumpet|organ|"
    "keyboard|string|strings|brass|horn|flute|cello|banjo|accordion|vocal|electric|instrumental|beat"
)
FOREIGN_BESIDES = (
    "de|del|du|da|do|di|на|à|la|le|el|y|et|und|e|der|die|das|último|última|dernier|dernière|letzter|letzte|letztes|primer|primera|"
    "primo|prima|primeiro|primeira|segundo|segunda|secondo|seconda|premier|première|deuxième|troisième|erste|erster|zweite|"
    "zweiter|dritte|dritter|tercero|tercera|terceiro|terzo|ultimo|ultima|последний|финальный|первый|второй|третий|й|останній|"
    "перший|другий|ostatni|ostatnia|pierwszy|pierwsza|drugi|druga|wiederholen|wiederholung|repetir|repite|repetição|répéter|"
    "ripetere|повтор|повторить|повторення|powtórz|repetición|ripeti"
)
JOINED_BESIDES = "第|番|段|部分|最后|最後|大|ラスト|落ち|마지막|一|二|三|四|五|重复|重複|繰り返し|반복|절"
REPEAT = (
    "repeat|repeats|repeated|again|repetir|repite|repetición|repetição|répéter|wiederholen|wiederholung|ripetere|ripeti|повтор|"
    "повторить|повторення|powtórz|重复|重複|繰り返し|반복"
)
FINAL = (
    "final|finale|último|última|ultimo|ultima|dernier|dernière|letzter|letzte|letztes|последний|финальный|останній|ostatni|"
    "ostatnia|最后|最後|ラスト|마지막"
)
# The beginnings of the words for an instrument.
INSTRUMENTS = {
    "guitar": "guitar|gitar|gitaar|chitarr|гитар|гітар|吉他|ギター|기타",
    "piano": "piano|klavier|пианин|фортепиан|роял|фортепіан|fortepian|钢琴|鋼琴|ピアノ|피아노",
    "saxophone": "sax|sassofon|saks|саксофон|萨克斯|薩克斯|サックス|색소폰",
    "drum": "drum|batería|bateria|batteri|schlagzeug|барабан|perkusj|鼓|ドラム|드럼",
    "bass": "bass|bajo|baixo|басс|贝斯|貝斯|ベース|베이스",
    "violin": "violin|violon|geige|скрипк|skrzyp|小提琴|バイオリン|바이올린",
}
