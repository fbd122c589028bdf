"""Words of wishes: relatives, words that only ask for a song, and how a name is written."""

from __future__ import annotations

from acestep_mcp.songwriter.lexicon import word_set

RELATIVES = (
    "brother-in-law|sister-in-law|mother-in-law|father-in-law|son-in-law|daughter-in-law|mother|mom|mum|mommy|mama|father|dad|daddy|papa|grandmother|grandma|granny|nana|grandfather|grandpa|grandparents|"
    "parents|daughter|son|sister|brother|baby|child|children|kids|kid|twins|wife|husband|partner|fiancee|fiance|girlfriend|"
    "boyfriend|friend|friends|best friend|teacher|boss|team|neighbour|neighbor|colleague|aunt|uncle|cousin|niece|nephew|"
    "abuela|abuelo|oma|opa|nonna|nonno|babushka|grandson|granddaughter|stepmom|stepdad|mum|colleagues|coworker|coworkers|neighbours|"
    "roommate|"
    "family|dog|cat|puppy|kitten|horse|students|fans|crew|love|sweetheart|godmother|godfather|nurse|nurses|doctor|soldiers"
)
_UPPER = r"A-Z\u00c0-\u00d6\u00d8-\u00de\u0410-\u042f\u0401\u0141\u015a\u017b\u0179\u0106\u0104\u0118\u0150\u0170\u010c\u010e\u011a\u0147\u0158\u0160\u0164\u016e\u017d\u0130\u015e\u011e"
CAPITAL = rf"(?:(?:Mr|Mrs|Ms|Dr|St)\.? )?[{_UPPER}][\w'\u2019-]*"
"""A pattern for a word with a capital, with its title."""
FILLERS = word_set(
    "birthday break-up breakup apology retirement tribute a an the song songs track tracks music musical tune piece instrumental vocals vocal vocalist voice voices singer sung sing "
    "singing lyrics lyric words create make generate write compose produce give get me us i i'd i'm i'll we you your my please "
    "pls thanks thank can could would should will want wants need needs like love to something some any thing one with and or but "
    "in on of for at by from as is are be it its it's this that these those style styled styles sound sounds sounding feel feels "
    "feeling vibe vibes mood genre kind type sort beat beats bpm tempo key major minor very really super quite so more less bit "
    "little nice good great cool best beautiful amazing awesome short long minute minutes min second seconds sec hour let's "
    "let new full about around using featuring feat while no not without have has also just maybe perhaps anything whatever "
    "everything only though although tho random test hello hi hey prompt string title called titled named tags language english ending intro outro slow fast up mix "
    "era inspired background modern then there here into do does put add use part parts section chorus verse bridge hook "
    "trailer jingle theme podcast video game movie film scene advert ad commercial tell tells banger anthem hit people slower faster"
)
