import sys
from pathlib import Path

_PARTS = str(Path(__file__).parents[1] / "parts")
if _PARTS not in sys.path:
    sys.path.insert(0, _PARTS)
