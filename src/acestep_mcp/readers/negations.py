# ruff: noqa: RUF001 - words in many languages are intended
"""The words that refuse something or limit a song to something, in English and other languages."""

from __future__ import annotations

from typing import Literal

from acestep_mcp.readers.words import Phrases, phrase_set, word_set

Negation = Literal["noun", "list", "adjective"]

# "noun" refuses a noun with its adjectives ("no sad piano": no piano), "list" also all of "A, B and C",
# "adjective" only the next word ("not too sad piano": the piano stays).
_NOUN = (
    "no|neither|without|without any|w/o|w/out|minus|zero|free of|free from|devoid of|lacking|absence of|except|except for|"
    "not a|not an|not any|instead of|rather than|without the use of|other than|apart from|anything but|no more|not one|"
    "no need for|isn't a|is not a|hate|nothing with|everything but|all but|ditch|ditch the|nix|nix the|scrap the|kill the|hold the|"
    "lose the|cut the|hold off on|rather not have|rather not hear|sin|sin la|sin el|nada de|ningún|ninguna|ningun|sans|sans la|"
    "sans le|pas de|pas d'|aucun|aucune|ohne|kein|keine|keinen|keiner|sem|sem a|sem o|nenhum|nenhuma|senza|nessun|nessuna|"
    "niente|без|нет|zonder|geen|uden|ingen|utan|inga|inget|bez|żadnych|不要|没有|沒有|无|無|别用"
)
_LIST = (
    "avoid|avoiding|skip|skipping|leave out|leaving out|exclude|excluding|excludes|omit|omitting|don't use|do not use|"
    "don't want|do not want|don't add|do not add|don't include|do not include|don't need|do not need|doesn't have|"
    "does not have|doesn't need|don't have|do not have|dont use|dont want|dont add|dont include|never use|never add|"
    "shouldn't have|should not have|must not have|shouldn't use|can't stand|keep out|stay away from|steer clear of|"
    "i don't like|not a fan of|no fan of|not fond of|don't play|do not play|take out|remove|get rid of|mute"
)
_ADJECTIVE = (
    "less|not|non|not be|isn't|is not|not at all|never|nothing|nothing too|don't make it|do not make it|don't make this|"
    "dont make it|make it not|don't let it be|don't let it get|don't be|shouldn't be|should not be|must not be|"
    "shouldn't sound|should not sound|doesn't sound|not sound|don't sound|never be|never get|don't go|can't be|"
    "not get|don't want it|do not want it|don't want it to be|don't want it to sound|i don't want it|don't want this|"
    "anything that isn't|far from|no muy|no demasiado|pas|pas trop|nicht|nicht zu|nicht so|não muito|non troppo|не|не слишком|niet|inte"
)

NEGATIONS: Phrases[Negation] = Phrases(
    [(word, "noun") for word in _NOUN.split("|")]
    + [(word, "list") for word in _LIST.split("|")]
    + [(word, "adjective") for word in _ADJECTIVE.split("|")]
)
# "not only piano" refuses nothing.
NOT_NEGATIONS = phrase_set(
    "not only|not just|not necessarily|not always|no less|no doubt|why not|if not|not to mention|nothing but|no matter|not without|never without|without doubt|"
    "no strings attached|no bells and whistles|without bells and whistles|without any bells and whistles"
)
# Words between a negation and what it refuses.
FILLERS = phrase_set(
    "any|the|a|an|too|so|very|much|more|of|be|that|this|those|really|overly|too much|too many|any kind of|any sort of|"
    "use of|any form of|all|kind of|any type of|my|some|it|to|sound|make|lots of|anything|single|at all|used|le|la|les|"
    "los|las|el|der|die|das|den|dem|einen|eine|o|os|as|il|lo|gli|un|una|des|du|d'|de|trop|zu|so|muy|muito|troppo|слишком|heavy use of|other"
)
# Behind these the last refusal ends with an exception: "no instruments except piano".
EXCEPTIONS = phrase_set(
    "except|except for|but|besides|other than|apart from|beside|save for|just|excepto|außer|sauf|salvo|exceto|tranne|кроме"
)
OR = phrase_set("or|nor|and/or|/|oder|noch|ni|ou|né|или|ani|och")
AND = phrase_set("and|&|+|und|et|y|e|и|plus|и|i|en")
# A style or mood before these is what is refused: "no sad songs".
MUSIC_NOUNS = phrase_set(
    "song|songs|music|track|tracks|tune|tunes|vibe|vibes|feel|feeling|mood|style|styles|sound|sounds|stuff|elements|"
    "influence|influences|ballad feel|atmosphere|undertones|tone|tones|instruments|genre|beat|beats|production|"
    "banger|anthems|chorus|melody|melodies|parts|textures"
)
# "guitar solo", "drum loops": the part is refused, not the instrument.
PARTS = phrase_set("solo|solos|riff|riffs|fill|fills|break|breaks|shredding")
AFTERWARDS = phrase_set(
    "none|less|off|no|0|excluded|forbidden|not allowed|absent|muted|not present|are not allowed|are off|turned off|are absent|should be absent|not needed|not wanted|aren't needed|are not needed|isn't needed|is not needed|"
    "unwanted|is forbidden|are forbidden|is banned|are banned|なし|無し|ナシ|抜き|のない|없이|없는|없음|금지"
)
ONLY_BEFORE = phrase_set(
    "only|just|solely|purely|exclusively|nothing but|nothing except|nothing other than|no instruments but|unaccompanied|nothing more than|"
    "a lone|lone|entirely|solo|nur|seulement|juste|rien que|sólo|solamente|apenas|somente|soltanto|только|alleen|只有|只用|只"
)
ONLY_AFTER = phrase_set(
    "only|alone|by itself|by themselves|on its own|on their own|unaccompanied|seul|seule|solamente|"
    "allein|のみ|だけ|만|独奏|独奏曲|ソロのみ"
)
ALONE_VOICES = phrase_set("a cappella|acapella|a capella|acappella|acapela|а капелла|アカペラ|아카펠라|阿卡贝拉")
# Whatever is named before or after these is all there is.
NOTHING_ELSE = phrase_set(
    "nothing else|no other instruments|no other instrument|that's all|and that's it|y nada más|sonst nichts"
)
# "without you" refuses no instrument, whatever follows.
NOT_ADJECTIVES = word_set(
    "you me him her us them it that this one man woman reason need way more i we they he she is are was want play plays "
    "use add only just please and or but with for in on to of from at by"
)
# "solo piano intro", "only in the chorus": about a section, not about the whole song.
SECTION_WORDS = word_set(
    "intro outro break breaks bridge section sections part parts interlude ending opening hook verse chorus verses over "
    "on with in during then before until first passage line lines moment moments followed"
)
IN_A_SECTION = word_set("in during at on until till before after for")
SECTIONS = word_set(
    "intro outro verse verses chorus choruses bridge break breakdown interlude beginning start end ending first second third last "
    "hook section pre-chorus solo middle"
)
