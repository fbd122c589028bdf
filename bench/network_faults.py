"""Many jobs through a proxy that breaks things: each ends with the right song or a clear error, and is bought once.

    python bench/network_faults.py [JOBS] [SHARE]

The proxy spoils a SHARE (0.25) of all requests in eleven ways. Prints how the jobs ended and how often each fault came;
raises AssertionError for a song that is wrong, lost or made twice. Run it in the root of a clone: it uses `tests/`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.client.test_faults import bought, check

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
SHARE = float(sys.argv[2]) if len(sys.argv) > 2 else 0.25


async def main() -> None:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        ledger, made, spoilt = await bought(JOBS, SHARE, Path(folder))
    check(ledger, made, JOBS)
    print({name: len(seeds) for name, seeds in vars(ledger).items()}, f"{time.perf_counter() - began:.0f} s")
    print(dict(spoilt))


anyio.run(main)
