"""English words that the spelling rules get wrong, or that songs hold often, with their stressed syllable, as data."""

from __future__ import annotations

STRESSED_SYLLABLES = {
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
STRESSED_SYLLABLES.update({"eternity": 1, "gravity": 0, "california": 2, "undercover": 2, "universe": 0, "overnight": 2, "romance": 1,
               "present": 0, "magazine": 2, "gasoline": 2, "silhouette": 2, "rodeo": 0, "desire": 1})  # fmt: skip
