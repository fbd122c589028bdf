"""Which language lines are in, by their small words."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Words that are not stressed in a sentence; they also tell which language a text is in.
_LISTS = {
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
FUNCTION_WORDS = {language: frozenset(words.split()) for language, words in _LISTS.items()}
_ALSO_ENGLISH = frozenset({"no", "la", "na", "so", "yeah", "oh", "all", "die", "man", "come", "son", "sin", "sol"})


def language_of(lines: Iterable[str]) -> str:
    """The language of the lines as a code such as "en"; "even" for languages without word stress, "other" if unknown."""
    text = " ".join(lines).lower().replace("’", "'")
    script = _script_language(text)
    if script:
        return script
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)
    counts = {language: sum(word in known for word in words) for language, known in FUNCTION_WORDS.items()}
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
