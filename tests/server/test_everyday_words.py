"""A text search over the tool list finds the right tool for what people say, as hosts with many tools do it."""

from __future__ import annotations

import math
import re
from collections import Counter

import pytest

from acestep_mcp.server.tools.table import TOOLS

SENTENCES = {
    # Orders.
    "write a sad country song about my dog": "text_to_audio prompt_to_audio",
    "make background music for a podcast": "text_to_audio prompt_to_audio",
    "generate a 30 second jingle with a female voice": "text_to_audio prompt_to_audio",
    "make it longer": "audio_outpaint",
    "extend this song by 20 seconds": "audio_outpaint",
    "redo the chorus": "remake_section audio_inpaint",
    "replace the part from 30 to 45 seconds": "audio_inpaint",
    "turn this song into jazz": "audio_to_audio",
    "translate the lyrics to Spanish and keep the music": "audio_to_audio",
    "stop making that song": "cancel_job",
    "delete that song": "delete_track",
    "save it as mp3": "export_track",
    # Questions.
    "is it done yet?": "get_job",
    "how long will it take until my song is ready?": "get_job",
    "which songs have I made so far?": "list_tracks",
    "what lyrics does this song have?": "get_track",
    "which of these two takes is louder?": "compare_tracks",
    "can I hear it?": "play_track",
    "how much money have I spent today?": "status",
    "why does it say draft and not ACE-Step?": "status",
    "can you sing other words over the same music?": "audio_to_audio",
    "could you add an intro before the first verse?": "audio_outpaint",
    "can you bring back the song I deleted?": "delete_track",
    "what tempo and key is this song in?": "get_track",
    # Wishes.
    "I want another version with a different seed": "remake_track",
    "I'd like three more takes of this": "remake_track",
    "I need an instrumental beat for my video": "text_to_audio prompt_to_audio",
    "I would like to hear the song now": "play_track",
    "please fix the second verse": "remake_section audio_inpaint",
    "I'd like this as a rock cover": "audio_to_audio",
    "let the song go on for another minute": "audio_outpaint",
    "I need the MIDI notes of this": "export_track",
    "I want to find the song about the rain": "list_tracks",
    "please put that track in the trash": "delete_track",
    "I want to know which engine is running": "status",
    "I want to tell you where the chorus begins and ends": "mark_sections",
    # Fragments.
    "lofi beat, 80 bpm, mellow piano": "text_to_audio",
    "continue this song": "audio_outpaint",
    "same song but slower and sadder": "audio_to_audio remake_track",
    "remix, techno": "audio_to_audio",
    "new ending please": "audio_outpaint audio_inpaint",
    "one more try": "remake_track",
    "bridge again, other words": "remake_section",
    "cancel": "cancel_job",
    "progress?": "get_job",
    "download as flac": "export_track",
    "side by side": "compare_tracks",
    "my music folder": "list_tracks status",
    # Complaints and remarks, from which the wish follows.
    "the song ends too early, it should continue": "audio_outpaint",
    "there is a wrong note at 0:42": "audio_inpaint",
    "the singer mumbles in the second verse, sing that part again": "audio_inpaint remake_section",
    "something is broken, nothing works": "status",
    "I don't like this one, try again": "remake_track",
    "that was the wrong song, undo the delete": "delete_track",
    "the style is wrong, it should be heavy metal": "audio_to_audio",
    "I changed my mind, stop it": "cancel_job",
    "I forgot what settings I used for this song": "get_track",
    "I can't decide which take is better": "compare_tracks",
    "my phone cannot open the wav file, convert it": "export_track",
    "it has been a minute, is the job finished?": "get_job",
}
MISSES = 3


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def ranking(sentence: str, documents: dict[str, list[str]]) -> list[str]:
    """The names by BM25 (k1 = 1.5, b = 0.75), best first, without those that no word finds.

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    """
    mean = sum(map(len, documents.values())) / len(documents)
    found: Counter[str] = Counter()
    for word in words(sentence):
        holders = sum(word in text for text in documents.values())
        weight = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
        for name, text in documents.items():
            count = text.count(word)
            found[name] += weight * count * 2.5 / (count + 1.5 * (0.25 + 0.75 * len(text) / mean))
    return [name for name, score in found.most_common() if score > 0]


@pytest.fixture(scope="module")
def documents() -> dict[str, list[str]]:
    """The words of each tool's name, title, description and parameters."""
    found = {}
    for tool in TOOLS:
        entry = tool.entry()
        parts = [entry.name.replace("_", " "), entry.title or "", entry.description or ""]
        for name, schema in entry.input_schema["properties"].items():
            parts += [name.replace("_", " "), schema.get("description", ""), *map(str, schema.get("enum", []))]
        found[tool.name] = words(" ".join(parts))
    return found


def test_everyday_sentences_find_the_right_tool_among_the_first_three(documents):
    missed = {
        sentence: ranking(sentence, documents)[:3]
        for sentence, right in SENTENCES.items()
        if not set(ranking(sentence, documents)[:3]) & set(right.split())
    }
    assert len(SENTENCES) == 60
    assert len(missed) <= MISSES, missed


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_parameter_and_every_tool_says_what_it_does(tool):
    entry = tool.entry()
    assert len(entry.description) > 40
    silent = [name for name, schema in entry.input_schema["properties"].items() if not schema.get("description")]
    assert silent == []
