"""Tries to have an outside audio file used: a link takes the place of a song again and again while it is given as `audio_url`.

`python -m bench.link_swap [TRIES]`: how many tries were accepted, refused, and got the outside file.
"""

import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

from acestep_mcp.api.errors import InvalidRequest, NotFound
from acestep_mcp.inputs import Inputs

OUTSIDE = 2.0


def written(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(8000 * seconds), np.int16), 8000)
    return path


def swap(place, target, spare, over):
    """Alternate between a link to `target` and the kept entry, each time by one rename."""
    while not over.is_set():
        spare.symlink_to(target)
        spare.replace(place)
        os.link(place.parent / "kept.wav", spare)
        spare.replace(place)


def swap_folder(place, target, over):
    old = place.with_name("old")
    while not over.is_set():
        place.rename(old)
        place.symlink_to(target)
        place.unlink()
        old.rename(place)


def tried(inputs, path):
    try:
        return "outside" if inputs.resolve(str(path)).seconds == OUTSIDE else "accepted"
    except InvalidRequest:
        return "refused"


def raced(inputs, path, tries, swapper, *arguments):
    over = threading.Event()
    thread = threading.Thread(target=swapper, args=(*arguments, over))
    thread.start()
    try:
        return Counter(tried(inputs, path) for _ in range(tries))
    finally:
        over.set()
        thread.join()


def main():
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    sys.setswitchinterval(1e-5)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder).resolve()
        song = written(top / "music" / "sub" / "song.wav", 1.0)
        shutil.copyfile(song, song.with_name("kept.wav"))
        outside = written(top / "private" / "song.wav", OUTSIDE)

        def find(name):
            raise NotFound(f"There is no track {name!r}.")

        inputs = Inputs((top / "music",), top / "scratch", find)
        files = raced(inputs, song, tries, swap, song, outside, song.with_name("spare.wav"))
        folders = raced(inputs, song, tries, swap_folder, song.parent, outside.parent)
    for what, found in (("a file", files), ("a folder", folders)):
        print(
            f"{what} swapped: {found.total()} tries, {found['accepted']} accepted, {found['refused']} refused, {found['outside']} outside"
        )
    return 1 if files["outside"] or folders["outside"] else 0


if __name__ == "__main__":
    sys.exit(main())
