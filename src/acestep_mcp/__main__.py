"""`python -m acestep_mcp` is the command `acestep-mcp`."""

import sys

from acestep_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main())
