"""The stress of English words, by their spelling."""

from __future__ import annotations

import re

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
_KNOWN = {
    word: number
    for number, words in enumerate((
        "every everything everyone everybody nothing something someone somebody somewhere anything anyone nobody honey beauty beautiful "
        "enter hundred wonder under other over ever never only even very any many heaven seven being real really re-al color "
        "wilderness character innocent elephant difficult general melody harmony memory history mystery victory energy "
        "animal capital criminal festival carnival hospital interval signal final carousel candle avenue residue argument "
        "photograph telephone microphone saxophone satellite paradise exercise compromise sacrifice realize recognize "
        "butterfly lullaby dragonfly alphabet cabaret video radio studio stereo rodeo? cameo audio cadillac alcohol "
        "alibi hurricane gasoline? magazine? valentine serpentine dynamite appetite hypnotize fantasize medicine "
        "dangerous glamorous marvelous poisonous envelope pilot violence violet silence diamond triumph lion giant "
        "bedroom sunrise moonlight daylight starlight candlelight midnight rainbow sunset wildfire empire vampire desire? "
        "second instant constant distance distant mountain fountain certain captain bottom problem system welcome "
        "yesterday holiday anyway everyday runaway hideaway highway railway gateway stowaway nowhere passenger messenger silhouette? "
        "open happen listen stolen golden broken frozen women reason season prison person lesson demon "
        "summer winter water river silver sister brother mother father finger flower power tower shower mirror "
        "terror horror error sorrow tomorrow? shadow window meadow pillow yellow hollow follow borrow narrow arrow "
        "promise present? perfect palace surface furnace necklace engine famine destiny enemy legacy fantasy company ecstasy gravity? "
        "chocolate private secret planet comet magnet basket velvet pocket ticket market violet carpet scarlet poet quiet "
        "emptiness loneliness happiness neighbor neighborhood distance pages wishes places horses edges ages changes".replace("?", ""),
        "tomorrow together forever remember december november september october surrender another believe before because begin "
        "between beneath belong beyond become behind below away alone again along about above around across ago alive awake "
        "asleep ahead apart aside afraid amaze banana piano guitar hotel hello okay idea museum horizon umbrella volcano "
        "tornado potato tomato casino bikini cathedral eleven eternity? consider deliver discover recover imagine continue "
        "develop determine examine abandon embrace enough event eternal desire reveal return repeat regret release receive "
        "refrain remain remind reply respect result reverse machine marine police ballet buffet bouquet cafe? "
        "delicious amazing confusion illusion explosion reunion departure adventure agenda dilemma veranda phenomena "
        "goodbye farewell nirvana siesta fiesta bandana havana bolero romance? champagne cocaine parade charade crusade "
        "cliche ennui july rodeo gasoline? intention invention whatever whenever wherever however whoever tonight today "
        "electric fantastic romantic dramatic euphoria utopia insomnia nostalgia until unless without within upon".replace("?", ""),
        "understand overcome overflow silhouette magazine souvenir tambourine gasoline kangaroo serenade masquerade lemonade "
        "disappear disagree interrupt introduce recommend volunteer engineer cigarette universe? afternoon halloween "
        "undercover? california? overnight everafter".replace("?", ""),
    ))
    for word in words.split()
}  # fmt: skip
_KNOWN.update({"eternity": 1, "gravity": 0, "california": 2, "undercover": 2, "universe": 0, "overnight": 2, "romance": 1,
               "present": 0, "magazine": 2, "gasoline": 2, "silhouette": 2, "rodeo": 0, "desire": 1})  # fmt: skip


def english_stress(word: str, count: int) -> int:
    """The stressed syllable of an English word of `count` syllables, by its spelling."""
    plain = word.strip("'")
    stem, lost = _stem(plain, count)
    known = _KNOWN.get(plain, _KNOWN.get(stem))
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
        if known in _KNOWN:
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
