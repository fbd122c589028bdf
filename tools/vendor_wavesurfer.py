"""Fetches wavesurfer.js from npm, checks it by hash, and writes it with its licence to the web assets.

`python -m tools.vendor_wavesurfer` writes the files; with `--check` it only says whether they are the published ones.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "8.0.1"
SHA512 = "h0OnRWSVTqIYLSw3/IVrBtsun/xw9L5u4FA3bjfSDTFMX/xswVWS1JwK4fFu3ulmxRUSHg8zQORl6zENG983eg=="
"""The hash of the package that npm's registry publishes as its `integrity`."""
ASSETS = Path(__file__).parents[1] / "src" / "acestep_mcp" / "web" / "assets"
SCRIPT, LICENCE = "wavesurfer.js", "wavesurfer.LICENSE"


def main() -> int:
    files = vendored(_package())
    if "--check" in sys.argv[1:]:
        differing = [name for name, content in files.items() if (ASSETS / name).read_bytes() != content]
        print(f"Not as published: {', '.join(differing)}" if differing else f"wavesurfer.js {VERSION} is as published.")
        return 1 if differing else 0
    for name, content in files.items():
        (ASSETS / name).write_bytes(content)
        print(f"Wrote {ASSETS / name}")
    return 0


def vendored(package: bytes) -> dict[str, bytes]:
    """The two files, by name. The script begins with the licence, since pages contain the script alone."""
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        script, licence = (_member(archive, name) for name in ("dist/wavesurfer.min.js", "LICENSE"))
    head = f"/*!\nwavesurfer.js {VERSION}, from npm, unchanged below this comment.\n\n".encode()
    return {SCRIPT: head + licence.strip() + b"\n*/\n" + script.strip() + b"\n", LICENCE: licence}


def _package() -> bytes:
    """The package as npm has it. Raises SystemExit when its hash is another."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"wavesurfer.js@{VERSION}", "--json", "--pack-destination", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        package = (Path(folder) / json.loads(done.stdout)[0]["filename"]).read_bytes()
    found = base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != SHA512:
        raise SystemExit(
            f"wavesurfer.js {VERSION} has the SHA-512 {found}, and not {SHA512}: it is not the same package."
        )
    return package


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(f"package/{name}")
    assert member is not None, name
    return member.read()


if __name__ == "__main__":
    raise SystemExit(main())
