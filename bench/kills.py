"""SIGKILL at random moments, and before and after every disk call. What must hold then is in tests/faults/checks.py.

    python bench/kills.py 1000 [SEED]     servers, engine servers, workers and device processes, while songs are made on all five endpoints
    python bench/kills.py points          one process: making, deleting and restoring a song

Prints a line of JSON for each problem, and the totals at last. Linux only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        points = arguments[0] == "points"
        command = ["tests.faults.points", folder] if points else ["tests.faults.kills", folder, *arguments]
        return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
