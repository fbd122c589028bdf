"""What a release is made with: `python -m tools.release lock | audit | build | sbom | mcpb | server-json`.

`lock` writes requirements-dev.txt again: the newest versions that pyproject.toml allows, for all platforms, with their
hashes. `audit` asks a database of known vulnerabilities about them. `build` makes the wheel and the source archive in
dist/, twice, and compares. `sbom` lists in dist/ what a user installs (CycloneDX). They need `pip install --group release`.
`mcpb` makes dist/acestep-mcp.mcpb for Claude Desktop, and `server-json` writes server.json for the MCP registry; they need
the package itself.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements-dev.txt"
DIST = ROOT / "dist"
_HEAD = """\
# Every package of the tests and the linters, with the hashes of its files: pip install --require-hashes -r requirements-dev.txt
# Written by `python -m tools.release lock`. torch is left out, which has builds for many devices; constraints.txt has its version.
"""


def run(*command: str, **environment: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=os.environ | environment, check=True)


def compiled(target: Path, *more: str) -> None:
    """The versions of what pyproject.toml names, in a file."""
    options = (
        "--universal",
        "--generate-hashes",
        "--python-version",
        "3.11",
        "--no-header",
        "--no-annotate",
        "--quiet",
    )
    run("uv", "pip", "compile", "pyproject.toml", *options, *more, "-o", str(target))


def lock() -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "lock.txt"
        compiled(target, "--extra", "test", "--group", "lint", "--upgrade")
        LOCK.write_text(_HEAD + target.read_text(encoding="utf-8"), encoding="utf-8")


def audit() -> None:
    run("pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip", "--strict")


def build() -> None:
    """Equal sources give equal files: every time in them is that of the last commit."""
    asked = ["git", "log", "-1", "--format=%ct"]
    epoch = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    sums = []
    with tempfile.TemporaryDirectory() as folder:
        for target in (DIST, Path(folder)):
            run("hatchling", "build", "-d", str(target), SOURCE_DATE_EPOCH=epoch)
        for first in sorted(Path(folder).iterdir()):
            digest = hashlib.sha256(first.read_bytes()).hexdigest()
            if digest != hashlib.sha256((DIST / first.name).read_bytes()).hexdigest():
                sys.exit(f"{first.name} is another file at the second build. Look for what depends on time or place.")
            sums.append(f"{digest}  {first.name}\n")
    (DIST / "SHA256SUMS").write_text("".join(sums), encoding="ascii")
    print("".join(sums), end="")


def sbom() -> None:
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "requirements.txt"
        compiled(target)
        out = DIST / "acestep-mcp.cdx.json"
        run(
            "cyclonedx_py",
            "requirements",
            str(target),
            "--pyproject",
            "pyproject.toml",
            "--output-reproducible",
            "-o",
            str(out),
        )
        print(out)


def mcpb() -> None:
    from tools import bundle

    path = bundle.pack(DIST)
    print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")


def server_json() -> None:
    from tools import bundle

    print(bundle.write_registry_entry())


COMMANDS = {"lock": lock, "audit": audit, "build": build, "sbom": sbom, "mcpb": mcpb, "server-json": server_json}


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    try:
        COMMANDS[sys.argv[1]]()
    except subprocess.CalledProcessError as exc:
        sys.exit(exc.returncode)


if __name__ == "__main__":
    main()
