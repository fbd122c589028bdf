"""Which syllables of a word are stressed: by spelling in English, by the rules of the language elsewhere."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

STRESSED, EVEN, UNSTRESSED = 1.0, 0.5, 0.0

# Words that are not stressed in a sentence; they also tell which language a text is in.
_FUNCTION_WORDS = {
    "en": "a an the and or but nor so if as at by for from in into of off on onto to up with than that this these those i "
          "you he she it we they me him her us them my your his its our their is am are was were be been do does did has "
          "have had can could will would shall should may might must i'm you're he's she's it's we're they're i've you've "
          "we've they've i'll you'll he'll she'll it'll we'll they'll i'd you'd he'd she'd we'd they'd there's that's let's "
          "not when where while who whom whose which what how like through till 'til just some there then em 'em ya "
          "gonna oh ooh",
    "es": "el la los las un una y o de del al a en con por para que se me te le lo les nos mi tu su mis tus sus es no si "
          "más como pero sin yo",
    "pt": "o os as um uma e ou do da dos das em no na nos nas com por pra para que se me te lhe meu minha teu tua seu sua "
          "é não mais como mas sem eu você de a",
    "it": "il lo la i gli le un una uno e o di del della dei delle a al alla in nel nella con per che si mi ti ci vi non "
          "più come ma senza io tu mio mia tuo tua sei è da dal",
    "fr": "le la les un une des et ou de du au aux à en dans avec pour par que qui se me te ne pas je tu il elle nous vous "
          "on mon ma mes ton ta tes son sa ses ce cette est es suis sur sans comme mais plus ni",
    "de": "der die das den dem des ein eine einen einem einer und oder aber in im ins an am auf aus bei mit nach von vom zu "
          "zum zur für um ich du er sie es wir ihr mich dich sich uns mir dir mein meine dein deine sein seine ist bin bist "
          "sind war nicht so wie wenn dass durch",
    "nl": "de het een en of maar in op aan van voor met naar bij uit ik jij je hij zij ze wij we mij me jou mijn jouw zijn "
          "is ben bent niet dat die als te er",
    "pl": "i a w we z ze na do od o po za się nie to ja ty on ona my wy mnie mi mój moja twój jest są jak że co czy dla bez",
    "cs": "a i v ve z ze na do od o po za se si ne to já ty on ona my vy mě mi můj tvůj je jsem jsou jak že co pro bez",
    "fi": "ja on ei en et se sä mä minä sinä hän me te he mun sun kun kuin niin mutta tai jos että",
    "hu": "a az és egy nem hogy is van én te ő mi ti de ha csak mint már még el meg",
    "tr": "ve bir bu şu o ben sen biz siz de da ki ne için gibi ile mi mı",
    "sv": "och en ett jag du han hon det den vi ni de i på av för med till från som är var inte att om min din mig dig när",
    "da": "og en et jeg du han hun det den vi de i på af for med til fra som er var ikke at om min din mig dig når",
    "ro": "și un o eu tu el ea noi voi cu la de din pe în nu că ce mai să îmi îți mă te",
    "id": "dan yang di ke dari aku kamu kau ini itu tak dengan untuk ku mu pada",
}  # fmt: skip
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_ALSO_ENGLISH = frozenset({"no", "la", "na", "so", "yeah", "oh", "all", "die", "man", "come", "son", "sin", "sol"})
_INITIAL = frozenset({"fi", "cs", "hu"})
_GERMANIC = frozenset({"de", "nl", "sv", "da"})
_FINAL = frozenset({"fr", "tr", "he"})
_ACUTE_MARKS = frozenset({"\u0301", "\u0300", "\u0302"})
_MARKED = frozenset({"es", "it", "pt", "el"})
_LOAN = re.compile(r"(?:ieren|iert|tion|tät|ismus|ei)$")
_GERMAN_PREFIX = re.compile(
    r"(?:be|ge|er|ver|zer|ent|emp|miss|ont|her|för)(?=[^aeiouyäöü]*[aeiouyäöüåæø]\S*[^aeiouyäöü]*[aeiouyäöüåæø])"
)

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


def language_of(lines: Iterable[str]) -> str:
    """The language of the lines as a code such as "en"; "even" for languages without word stress, "other" if unknown."""
    text = " ".join(lines).lower().replace("’", "'")
    script = _script_language(text)
    if script:
        return script
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)
    counts = {language: sum(word in known for word in words) for language, known in _WORDS.items()}
    marked = any(unicodedata.combining(character) for character in unicodedata.normalize("NFD", text)) or "ß" in text
    # These are English as well, only not without stress.
    counts["en"] += sum(word in _ALSO_ENGLISH for word in words)
    if marked:
        counts["en"] //= 2
    best = max(counts, key=lambda language: counts[language])
    if counts[best] * 8 >= len(words) and (best == "en" or counts[best] > counts["en"]):
        return best
    return "other" if marked else "en"


def _script_language(text: str) -> str | None:
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return "en"
    names = [unicodedata.name(character, "").partition(" ")[0].partition("-")[0] for character in letters]
    common = max(set(names), key=names.count)
    if common in {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}:
        return "even"
    return {"LATIN": None, "CYRILLIC": "ru", "GREEK": "el", "HEBREW": "he"}.get(common, "other")


@lru_cache(maxsize=8192)
def stresses(word: str, count: int, language: str) -> tuple[float, ...]:
    """The stress of each of the `count` syllables of a word as it is sung in a sentence, 0 to 1."""
    word = word.lower().replace("’", "'")
    if language == "even" or count < 1:
        return (EVEN,) * count
    if word in _WORDS.get(language, frozenset()):
        return (UNSTRESSED,) * count
    if count == 1:
        return (STRESSED,)
    at = min(count - 1, max(0, _stressed(word, count, language)))
    found = [UNSTRESSED] * count
    found[at] = STRESSED
    for other in (*range(at - 2, -1, -2), *range(at + 2, count, 2)):
        found[other] = 0.3 if found[other] == UNSTRESSED else found[other]
    return tuple(found)


def _stressed(word: str, count: int, language: str) -> int:
    if language == "en":
        return english_stress(word, count)
    marked = _written_accent(word, language)
    if marked is not None:
        return marked
    if language in _GERMANIC:
        loan = _LOAN.search(word)
        return count - (2 if loan[0] in {"ieren", "ismus"} else 1) if loan else int(bool(_GERMAN_PREFIX.match(word)))
    if language in _INITIAL:
        return 0
    return count - 1 if language in _FINAL else _penult(word, count, language)


def _penult(word: str, count: int, language: str) -> int:
    """The syllable before the last, or the last of a word that ends as the language stresses its end."""
    final = {
        "es": r"[^aeiouáéíóúns]$",
        "pt": r"(?:[ilruzx]|[iu]s|im|um|ão|ões|ã)$",
        "ro": r"[^aeiouăî]$",
        "it": r"[^aeiou]$",
    }.get(language)
    return count - 1 if final and re.search(final, word) else max(0, count - 2)


def _written_accent(word: str, language: str) -> int | None:
    """The syllable whose vowel has a written accent, where the language writes stress; ё is always stressed."""
    groups = list(_vowel_groups(word))
    for number, group in enumerate(groups):
        accented = any(mark in _ACUTE_MARKS for mark in unicodedata.normalize("NFD", group))
        if (accented and language in _MARKED) or (language == "ru" and "ё" in group):
            return number
    return None


def _vowel_groups(word: str) -> Iterable[str]:
    for match in re.finditer(r"[aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœаеёиоуыэюяіїєάέήίόύώαεηιουω]+", word):
        yield match[0]


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


def sentence_stresses(words: Sequence[tuple[str, int]], language: str) -> list[list[float]]:
    """The stress of each syllable of the words of a line, given with their numbers of syllables.

    Of three unstressed syllables in a row the middle one is a little stronger, and so is the last word of a line.
    """
    found = [list(stresses(word, count, language)) for word, count in words]
    flat = [(at, number) for at, word in enumerate(found) for number in range(len(word))]
    for before, (at, number), after in zip(flat, flat[1:], flat[2:], strict=False):
        if all(found[a][n] == UNSTRESSED for a, n in (before, (at, number), after)):
            found[at][number] = 0.3
    if found and len(found[-1]) == 1:
        found[-1][0] = max(found[-1][0], 0.6 if language != "even" else EVEN)
    return found
