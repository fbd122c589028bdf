"""How far a job of acestep.cpp is, by the lines that its server logs. They are no contract, and hold what others ask for."""

from __future__ import annotations

import re

_CREATED = re.compile(r"\[Server\] Job (\w{1,64}) created\b")
_DONE = re.compile(r"\[Server\] Job (\w{1,64}) done\b")
_STARTS = "[Server] Loading synth"
_STEP = re.compile(r"\[DiT\] Step (\d{1,4})/(\d{1,4})\b")
_DECODES = "[VAE] Tiled decode:"
_DENOISING_SHARE = 0.9


def progress(log: bytes, job: str) -> tuple[float, str] | None:
    """The share of the job that is done, and its stage; None where the log does not tell.

    The server works on one job after the other, in the order in which they were created, and logs the end of those that
    succeed. A line is the job's own once the server has begun a job while this one is the first that is left.
    """
    left: list[str] = []
    has_begun, found = False, None
    # The last line may be cut.
    for event in log.decode("utf-8", "replace").split("\n")[:-1]:
        line = event.removeprefix("data: ").strip()
        if created := _CREATED.match(line):
            left.append(created[1])
        elif (done := _DONE.match(line)) and done[1] in left:
            del left[: left.index(done[1]) + 1]
            has_begun = False
        elif line.startswith(_STARTS):
            # The first one has ended without a word if another job begins.
            del left[: int(has_begun)]
            has_begun, found = True, None
        elif has_begun and left and left[0] == job:
            found = _told(line) or found
    return found if left and left[0] == job else None


def _told(line: str) -> tuple[float, str] | None:
    if step := _STEP.match(line):
        number, steps = int(step[1]), int(step[2])
        return (_DENOISING_SHARE * number / steps, "denoising") if 0 < number <= steps else None
    return (_DENOISING_SHARE, "decoding") if line.startswith(_DECODES) else None
