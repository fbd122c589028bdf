"""`acestep-mcp` whose dead neighbours are found out after a second: `python -m tests.faults.server COMMAND ...`.

FAULTS_LEASE is another number of seconds. FAULTS_MADE is a file to which a small engine writes the seed of each song that it
begins; that takes a second.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from acestep_mcp import assembly
from acestep_mcp.api.requests import Request
from acestep_mcp.cli import main

LEASE = float(os.environ.get("FAULTS_LEASE", "1"))


def small_engine(made: Path) -> None:
    """Take the place of the draft engine."""
    from acestep_mcp.engines import Audio, Source, Step, draft
    from tests.engine_server.sine import Sine

    class Recorded(Sine):
        def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
            with made.open("a", encoding="ascii") as file:
                file.write(f"{request.seed}\n")
            time.sleep(1)
            yield from super().generate(request, source)

    draft.DraftEngine = lambda **_: Recorded()  # type: ignore[misc,assignment]


if __name__ == "__main__":
    assembly.open_studio.__wrapped__.__kwdefaults__["lease"] = LEASE  # type: ignore[attr-defined]
    if "FAULTS_MADE" in os.environ:
        small_engine(Path(os.environ["FAULTS_MADE"]))
    sys.exit(main())
