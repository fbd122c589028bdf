"""Renders twenty draft songs to listen to into a folder: as many genres, half of them with words, in one command.

python -m bench.listening FOLDER [--seconds 60]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.draft_sound import LYRICS

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import write
from acestep_mcp.engines import Audio
from acestep_mcp.engines.draft import DraftEngine

TAGS = (
    "pop, female vocals", "rock, male vocals, electric guitar", "metal, fast", "punk", "folk, acoustic guitar", "country", "ballad, piano",
    "hip hop, boom bap", "trap", "lofi, chill", "deep house", "techno", "drum and bass", "synthwave", "reggae",
    "bossa nova", "salsa", "jazz, saxophone", "cinematic, epic", "ambient",
)  # fmt: skip
_WITHOUT_WORDS = frozenset({"metal, fast", "lofi, chill", "techno", "drum and bass", "cinematic, epic", "ambient"})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--seconds", type=float, default=60)
    chosen = arguments.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    engine = DraftEngine(keep_worker=True)
    for number, tags in enumerate(TAGS, start=1):
        lyrics = "" if tags in _WITHOUT_WORDS else LYRICS
        request = TextToAudio(tags=tags, lyrics=lyrics, duration=chosen.seconds, seed=number)
        *_, audio = engine.generate(request, None)
        assert isinstance(audio, Audio)
        file = chosen.folder / f"{number:02} {tags.split(',')[0]}.wav"
        write(file, audio.sound, format="wav", tags=FileTags(title=tags))
        print(file, *audio.notes, sep="\n    ")
    engine.close()


if __name__ == "__main__":
    main()
