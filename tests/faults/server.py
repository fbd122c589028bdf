"""`acestep-mcp` whose dead neighbours are found out after a second: `python -m tests.faults.server COMMAND ...`."""

import sys

from acestep_mcp import assembly
from acestep_mcp.cli import main

LEASE = 1.0

if __name__ == "__main__":
    assembly.open_studio.__wrapped__.__kwdefaults__["lease"] = LEASE  # type: ignore[attr-defined]
    sys.exit(main())
