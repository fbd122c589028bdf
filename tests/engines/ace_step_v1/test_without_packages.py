"""Without the engine's packages, every command that needs the engine names them."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

HIDDEN = """
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in ("torch", "transformers") else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
from acestep_mcp.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("engine", "--engine", "ace-step-v1", "--port", "0"),
        pytest.param(("engine", "--download"), marks=pytest.mark.slow),
        ("make", "text-to-audio", "--tags", "piano"),
    ],
)
def test_missing_packages_are_named_with_the_install_command(environment, arguments) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, *arguments], env=environment | {"ACESTEP_BACKEND": "engine"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs the Python packages torch, transformers" in done.stderr
    assert "pip install 'acestep-mcp[engine]'" in done.stderr
    assert "Traceback" not in done.stderr
