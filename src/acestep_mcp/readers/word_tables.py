"""Words for moods, tempo and production that tags and wishes use."""

from __future__ import annotations


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


# Moods by name. The words of a row are about the same to a composer; a word stands in one row.
MOODS: dict[str, str] = {
    "happy": "happy|joyful|cheerful|joy|sunny|bright|playful|fun|feel-good|feel good|funny|celebratory|whimsical|cute|"
    "joyous|merry|glad|silly|humorous|quirky|goofy|comic|lively|jolly|jovial|carefree|cheeky|lighthearted|light-hearted",
    "sad": "sad|melancholic|melancholy|sorrow|heartbreak|heartbroken|lonely|grief|mournful|tearful|somber|bittersweet|"
    "sorrowful|grieving|heartbreaking|homesick|aching|gloomy|depressing|depressive|tragic|plaintive|sombre|bleak|sadness",
    "dark": "dark|ominous|sinister|evil|gothic|brooding|horror|scary|creepy|spooky|haunting|eerie|moody|menacing|gritty|"
    "darkness",
    "chill": "chill|relaxed|relaxing|laid-back|laid back|mellow|easy|cozy|smooth|lazy|chilled|easygoing|cosy|breezy|loungy",
    "calm": "calm|peaceful|serene|gentle|soft|quiet|tender|soothing|tranquil|delicate|slow-moving|calming|subdued",
    "energetic": "energetic|energy|powerful|driving|pumping|explosive|intense|hype|workout|dynamic|high-energy|"
    "high energy|restless|urgent|confident|bold|proud|spirited|vigorous|hard-hitting|frenetic|hectic",
    "aggressive": "aggressive|angry|rage|furious|brutal|raw|violent|heavy|rebellious|fierce|anger|abrasive|chaotic|harsh",
    "epic": "epic|heroic|triumphant|majestic|grand|anthemic|glorious|victorious|dramatic|theatrical|sweeping|hearty|bombastic",
    "romantic": "romantic|love|sensual|intimate|passionate|sweet|seductive|sexy|loving|heartfelt|emotional|sentimental|soulful",
    "dreamy": "dreamy|ethereal|floating|hazy|atmospheric|spacey|airy|otherworldly|hypnotic|spacious|trippy|psychedelic",
    "uplifting": "uplifting|inspiring|hopeful|inspirational|optimistic|motivational|positive|euphoric|ecstatic|devotional",
    "mysterious": "mysterious|suspense|suspenseful|tense|mystery|thriller|spy|noir|enigmatic|nervous|anxious",
    "nostalgic": "nostalgic|vintage|retro|wistful|yearning|longing|nostalgia|reflective|retro-futuristic|dusty",
    "groovy": "groovy|danceable|bouncy|party|summer|tropical|catchy|swinging|peppy|festive|focused|strong groove|celebration",
    "warm": "warm|light",
    "minimal": "minimal|sparse|minimalist|simple|stripped|unplugged|stripped-down|understated|bare|lo-fi",
}

TEMPO_WORDS = (
    "very slow|slow|slow tempo|down-tempo|largo|adagio|lento|andante|moderato|midtempo|mid-tempo|medium tempo|"
    "moderate tempo|upbeat|up-tempo|uptempo|fast|fast tempo|quick|very fast|frantic|allegro|vivace|presto|slowed|sped up|"
    "half-time|double-time|speed|nightcore|slower|faster"
)

# What a song's sound and form can be told to have or not to have.
PRODUCTION = (
    "reverb|echo|delay|distortion|fade-out|fade out|fadeout|fade in|swing|vibrato|solo|solos|guitar solo|guitar solos|"
    "drum solo|piano solo|sax solo|riff|riffs|drop|drops|bass drop|build-up|buildup|build-ups|melody|melodies|lead|leads|breakdown|intro|outro|bridge|chorus|"
    "key change|key changes|modulation|samples|sound effects|vinyl crackle|tape hiss|crackle|noise|applause|crowd noise|"
    "lo-fi production|big reverb|live recording|live performance|8d audio|clean mix|bass boosted|tape saturation|"
    "slowed and reverb|radio edit|club mix|instrumental hook|wide stereo|high quality|"
    "profanity|swearing|swear words|explicit|sidechain|compression|silence|improvisation|ad-libs|ad libs"
)

# Words in other languages for words above.
FOREIGN_WORDS: dict[str, str] = {
    "sad": "triste|tristes|traurig|trauriges|traurige|грустная|грустный|грустно|悲しい|悲伤|슬픈",
    "happy": "alegre|feliz|joyeux|joyeuse|fröhlich|fröhliches|allegra|felice|весёлая|весёлый|楽しい|快乐|행복한",
    "dark": "oscuro|oscura|sombre|düster|düsteres|sombria|cupa|тёмная|тёмный|暗い|黑暗|어두운",
    "slow": "lento|lenta|lent|lente|langsam|langsames|медленная|медленно|遅い|缓慢|느린",
    "fast": "rápido|rápida|rapide|schnell|schnelles|veloce|быстрая|быстро|速い|빠른",
    "calm": "tranquilo|tranquila|calme|ruhig|ruhiges|calmo|calma|спокойная|静かな|安静|잔잔한",
}

# Adjectives that belong to the instrument after them: "crisp snare", "broken accordion".
ADJECTIVES = _split(
    "warm, soft, gentle, dirty, distorted, overdriven, clean, muted, bright, deep, fat, crisp, dusty, live, "
    "heavy, slow, fast, plucked, fingerpicked, strummed, jangly, broken, vintage, old, lonely, solo, lush, "
    "sparse, minimal, big, huge, tight, funky, fuzzy, fuzz, punchy, mellow, detuned, analog, acoustic, "
    "electric, orchestral, delicate, simple, reverb-drenched, shimmering, twangy, smooth, groovy, rolling, "
    "booming, tribal, african, latin, jazzy, quiet, loud, haunting, dreamy, melancholic, airy, dark, wobbly, "
    "walking, bowed, pizzicato, staccato, felt, honky-tonk, out-of-tune"
)

# Traits of the sound that are said of a whole song and of single instruments.
TRAITS = (
    "modern",
    "polished",
    "radio ready",
    "mono",
    "underwater",
    "glossy",
    "professional",
    "complex",
    "busy",
    "noisy",
)
