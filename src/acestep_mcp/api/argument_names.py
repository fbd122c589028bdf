"""The argument that is meant by a wrong name: models correct themselves at once if they are told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_MEANT = {
    "audio_url": "audio file input song source track track_id url",
    "changes": "fields overrides params settings",
    "cursor": "next next_cursor offset page",
    "duration": "audio_duration duration_seconds length length_seconds minutes seconds song_length time",
    "edit_mode": "mode type",
    "end": "end_time stop to until",
    "end_time": "end stop to until",
    "extend_after_duration": "after append duration extend seconds",
    "extend_before_duration": "before intro prepend",
    "format": "codec extension file_format file_type output_format type",
    "guidance_scale": "cfg cfg_scale guidance",
    "job_id": "id job task_id request_id",
    "limit": "count max max_results n number page_size",
    "lyrics": "lyric new_lyrics text words",
    "name": "file file_name filename label output path section title",
    "number_of_steps": "infer_step inference_steps num_inference_steps num_steps steps",
    "original_lyrics": "old_lyrics source_lyrics",
    "original_tags": "old_tags source_tags",
    "prompt": "about caption description idea query text",
    "query": "filter q search text title",
    "restore": "undelete undo",
    "section": "name part section_name",
    "sections": "marks parts",
    "seed": "random_seed",
    "start": "begin from start_time",
    "start_time": "begin from start",
    "tags": "caption description genre genres prompt style styles tag",
    "takes": "count n number versions",
    "track_id": "audio_url file file_name filename id name song song_id title track uri",
    "track_ids": "ids songs tracks",
    "variance": "amount denoise strength",
}
_NEAR = 0.75


def meant(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is meant: written in another way, known by this name elsewhere, or misspelt."""
    wanted = _plain(name)
    known = {_plain(other): other for other in names}
    if wanted in known:
        return known[wanted]
    for plain, other in known.items():
        if wanted in _MEANT.get(plain, "").split():
            return other
    longer = [plain for plain in known if plain.startswith(f"{wanted}_") or wanted.startswith(f"{plain}_")]
    close = longer if len(longer) == 1 else difflib.get_close_matches(wanted, known, 1, _NEAR)
    return known[close[0]] if close else None


def _plain(name: str) -> str:
    """In snake_case."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:60])).casefold()
