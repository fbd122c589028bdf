"""Print the shell command that README.md shows under `<!-- command: NAME -->`, so that CI runs what people read."""

import re
import sys
from pathlib import Path

name, readme = sys.argv[1], Path(sys.argv[2])
found = re.findall(
    rf"<!-- command: {re.escape(name)} -->\n```sh\n(.*?)\n```", readme.read_text(encoding="utf-8"), re.DOTALL
)
if len(found) != 1:
    sys.exit(f"{readme} has {len(found)} commands called {name}; there must be exactly one")
sys.stdout.write(found[0] + "\n")
