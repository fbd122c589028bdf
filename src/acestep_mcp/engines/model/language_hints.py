"""What distinguishes the languages in Latin script: their letters and common words in songs."""

from __future__ import annotations

import re

# The letters of each language beyond a to z, including those of common loan words.
LETTERS = {
    "en": "é",
    "de": "äöüß",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "es": "áéíñóúü",
    "it": "àèéìíîòóùú",
    "pt": "áâãàçéêíóôõúü",
    "pl": "ąćęłńóśźż",
    "tr": "âçğıîöşûü",
    "cs": "áčďéěíňóřšťúůýž",
    "nl": "áéèëïóöüĳ",
    "hu": "áéíóöőúüű",
}

COMMON = {
    code: frozenset(words.split())
    for code, words in {
        "en": "the and you your my me i i'm i'll don't can't it's let's we she he is are was to of in on for with all no "
        "love baby kiss heart night day light come go stay hold dance dancing feel know never forever again home girl "
        "boy away now one more time this that what when why so just got give take make like hello goodbye",
        "de": "der die das und ich du wir ihr sie er ist bin bist sind war nicht kein mein dein mich dich mir dir ein eine "
        "zu von mit für auf in im nur noch so wie was wenn liebe herz nacht tag komm geh halt immer nie alles gut",
        "fr": "le la les un une des et je tu il elle nous vous est suis es mon ma mes ton ta tes moi toi me te ne pas plus "
        "que qui dans sur pour avec sans au du de c'est j'ai amour coeur cœur nuit jour encore toujours reste ici viens",
        "es": "el la los las un una y yo tú tu él ella nosotros es soy eres está mi mis me te se no más que quien en de del "
        "al con sin por para como amor corazón noche día vida ven dale dame siempre nunca nada todo aquí quiero mami",
        "it": "il lo la gli i le un una e io tu lui lei noi è sono sei mio mia tuo tua me te mi ti si non più che chi in di "
        "del della al con senza per come amore cuore notte giorno vita vieni qui sempre mai niente tutto resta voglio "
        "ciao bella",
        "pt": "o a os as um uma e eu tu você ele ela nós é sou és está meu minha teu tua me te se não mais que quem em de do "
        "da no na ao com sem por para como amor coração noite dia vida vem cá sempre nunca nada tudo aqui quero só lá",
        "pl": "i ja ty on ona my jest jestem jesteś są mój moja twój twoja mnie mi cię ci się nie tak co kto w na do od z za "
        "po jak gdy kiedy gdzie miłość serce noc dzień życie chodź tylko zawsze nigdy nic wszystko dom tu bez już",
        "tr": "ve ben sen o biz siz bu şu bir benim senin bana sana beni seni değil var yok ne kim için gibi ile de da çok "
        "aşk kalp kalbim gece gün hayat gel git hep hiç her şey yine artık gözlerin canım sevgilim aman",
        "cs": "a já ty on ona my je jsem jsi jsou můj moje tvůj tvoje mě mi tě ti se si ne tak co kdo v na do od z za po jak "
        "když kde láska srdce noc den život pojď jen vždy nikdy nic všechno tu bez už dům jako nech",
        "nl": "de het een en ik jij je hij zij wij we is ben bent zijn was niet geen mijn jouw jou mij me te van met voor op "
        "in nog maar zo als wat wie liefde hart nacht dag kom ga hou houd altijd nooit alles hier vast laat naar",
        "hu": "a az egy és én te ő mi ti van vagy vagyok nem is ne meg már még csak hogy mint ha ki hol mit az én engem "
        "téged nekem neked szerelem szív szívem éj éjjel nap élet gyere mindig soha semmi minden itt ott",
    }.items()
}  # fmt: skip

# Vocal sounds of any language: oh, la la, na na, yeah, hey, hmm, boom ...
SOUNDS = re.compile(
    r"a+h*|o+h*|u+h*|e+h+|[aeou]y+|(?:l[aáoeiuy]+h?)+|(?:n[aáo]+h?)+|(?:d[aou]+m?)+|(?:sh?a+)+|(?:t[ru]+)+|y+e+a+h*|"
    r"y(?:ay|o|up|ep)+|h[ea]+y*|h[aeiou]+h?|(?:h[aeiou])+|h?m+|w+h*o+a*h*|wo+w|o+w|b(?:oo+m|a)|(?:du+b?)+|r?a+m?"
)

# Common Chinese characters that Japanese character sets contain but Japanese rarely uses.
CHINESE = frozenset("我你您她们們这這那哪吗嗎呢吧啊了的是没沒很说說给給让讓跟爱对过还着喜欢喝吃找谁誰什么麼怎")
