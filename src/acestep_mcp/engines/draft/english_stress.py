"""The stress of English words, by their spelling."""

from __future__ import annotations

import re

from acestep_mcp.engines.draft.english_words import STRESSED_SYLLABLES

# English. Endings that fix the stress, and how many syllables from the end it falls; the first that fits counts.
_ENDINGS = tuple(
    (re.compile(f"(?:{endings})$"), back)
    for endings, back in (
        ("selves|esque", 2),
        ("ee|eer|een|oo|oon|ique|ette|ade|aire|self", 1),
        ("ically", 4),
        ("tion|sion|cian|cial|tial|cious|tious|geous|gious|ion|ions|ic|ics|itis", 2),
        ("ity|ety|ify|ical|ology|graphy|meter|ience|ient|ious|eous|uous|ia|ian|ial|ional|ual|ium|ius", 3),
    )
)
_NEGATION = re.compile(r"(?:un|dis|mis|non)(?=[^aeiou]*[a-z]{3})")
_INFLECTION = re.compile(r"(?:ings?|in'|ed|es|s|'s|er|ers|est|ly|ness|less|ful|ment|ments|able|y|ish)$")
_WEAK_PREFIX = re.compile(
    r"(?:a(?=bout|bove|cross|dore|fraid|gain|go|head|larm|like|live|lone|long|maze|mong|mount|noth|part|rise|rose|round|shamed|"
    r"side|sleep|wake|ware|way|woke|while|lign|ppear|ppeal|rrive|ttack|ttempt|ttend|llow|fford|gree|bandon|ccept|ddress|bide|"
    r"breast|breeze|shore|stray|void|wait|ward|flame|glow|far|blaze|drift|byss)|be(?=cause|come|came|fall|fell|fit|fore|friend|gin|gan|gun|half|have|hind|hold|lief|liev|long|low|loved?$|moan|neath|reft|seech|side|siege|stow|tray|tween|ware|wilder|witch|yond|queath|reav)|re(?!al|d|st(?!ore|ar|rain)|ad|ck|nd|nt|sc|lic|pt|gi|in|bel|f(?:uge|eren)|co(?:rd|gni)|ason|so?n)(?=[a-z]{3,})|de(?=stroy|cid|ceiv|ceit|clar|clin|fen[ds]|feat|fin[ei]|gree|ject|lay|light|liv|mand|ny|nied|nial|part|pend|press|scen[dt]|serv|sign|spair|spis|tach|tain|tect|vo[tu]|velop|cay|bate|fy|duc|bris|mean|parture|lete|lirious)|"
    r"e(?=nough|scape|vent|rase|ternal|ffect|motion|lect|nor|xist|xact|xcuse|xcept|xplain|xplode|xpect|xpress|xhale|quip)|"
    r"en(?=d?[a-z]{2}[^aeiou]*[aeiou])(?!gine|gland|ter|emy|ergy|vy|d)|in(?=side|to|deed|stead|spire|vite|vent|volve|crease|tend|tense|hale|sane)|"
    r"for(?=ever|get|got|give|gave|sake|bid|lorn)|to(?=night|day|morrow|gether|ward)|with(?=in|out|draw|stand|hold)|un(?=[a-z]{3,})(?!der|cle|it|iv|ion)|"
    r"com(?=plete|pare|pose|mand|mit|pel|bine)|con(?=fess|fuse|nect|trol|sume|ceal|vince|tain|tinue|sole|demn|fine)|"
    r"dis(?=[a-z]{4})(?!tan|co|cip|h)|mis(?=take|tak|place|under|fit)|per(?=haps|ceive|form|mit|fume)|pre(?=tend|pare|fer|dict|serve|vent|cise)|"
    r"pro(?=tect|claim|vide|long|pose|nounce|voke|duce|found)|sur(?=prise|round|render|vive|real|pass)|ob(?=ey|serve|scure|sess|tain)|"
    r"sub(?=lime|merge|mit|side)|sup(?=pose|port|press)|ex(?=[a-z]{3})(?!it|tra|pert|cell)|im(?=[a-z]{4})(?!age|itate|pulse)|"
    r"per(?=fect(?:ion|ed))|ap(?=proach|plaud)|as(?=sume|sure|cend)|ma(?=chine|rine)|ho(?=tel)|gui(?=tar)|po(?=lice|lite|ssess)|"
    r"sin(?=cere)|su(?=preme)|tra(?=peze)|a(?=cquire)|ca(?=ress|nal|reer)|di(?=vine|vide|rect)|bi(?=zarre)|o(?=kay|ppose)|ar(?=range|rest)|u(?=pon|nite)|"
    r"up(?=on)|hel(?=lo)|good(?=bye)|out(?=side|live|run|grow)|my(?=self)|him(?=self)|her(?=self)|your(?=self)|it(?=self))"
)


def english_stress(word: str, count: int) -> int:
    """The stressed syllable of an English word of `count` syllables, by its spelling."""
    plain = word.strip("'")
    stem, lost = _stem(plain, count)
    known = STRESSED_SYLLABLES.get(plain, STRESSED_SYLLABLES.get(stem))
    if known is not None:
        return known
    back = next((back for ending, back in _ENDINGS if count >= back and ending.search(plain)), 0)
    if back:
        return count - back
    if plain.startswith(("every", "any")) or plain.endswith("day"):
        return 0
    if count > 2 and (again := _NEGATION.match(plain)):
        return 1 + english_stress(plain[again.end() :], count - 1)
    return 1 if count > 1 and _WEAK_PREFIX.match(plain) else _by_weight(stem, count - lost)


def _by_weight(stem: str, count: int) -> int:
    """The syllable before the last if it is heavy, else the one before that."""
    if count <= 2:
        return 0
    if re.search(r"(?:ar|or)y$", stem):
        return max(0, count - 4)
    return count - 2 if _heavy_penult(stem) else count - 3


def _stem(word: str, count: int) -> tuple[str, int]:
    """The word without an inflection that leaves the stress where it is, and how many syllables that had."""
    match = _INFLECTION.search(word)
    if not match or count < 2:
        return word, 0
    ending, stem = match[0], word[: match.start()]
    silent = (
        ending in {"s", "'s"}
        or (ending == "ed" and not re.search(r"[td]$", stem))
        or (ending == "es" and not re.search(r"(?:[sxzcg]|[cs]h)$", stem))
    )
    if ending == "y" or len(re.findall(r"[aeiouy]+", stem)) < 1:
        return word, 0
    syllables = 0 if silent else 2 if ending == "able" else 1
    for known in (stem, stem + "e", stem[:-1] + "y" if stem.endswith("i") else stem):
        if known in STRESSED_SYLLABLES:
            return known, syllables
    return stem, min(syllables, count - 1)


def _heavy_penult(word: str) -> bool:
    """Whether the last syllable but one ends in two consonants or has a long vowel, as spelled."""
    groups = list(re.finditer(r"[aeiouy]+", re.sub(r"(?<=[^aeiou])e$", "", word)))
    if len(groups) < 3:
        return False
    penult, last = groups[-2], groups[-1]
    between = word[penult.end() : last.start()]
    light = re.fullmatch(r"(?:[bcdfgkpt][lr]|ch|sh|th|ph|ck|qu|.)", between)
    return len(penult[0]) > 1 or not light
