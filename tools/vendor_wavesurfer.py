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
SCRIPT_SHA256 = "a738806c08e3c41ad14306340e5c47fd9801403f43f468dda787d1e48f0b61b9"
"""The hash of wavesurfer.js as it is in the assets; a test compares it without the network."""
ASSETS = Path(__file__).parents[1] / "src" / "acestep_mcp" / "web" / "assets"
SCRIPT, LICENCE = "wavesurfer.js", "wavesurfer.LICENSE"


def main() -> int:
    files = vendored(checked(_package()))
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


def checked(package: bytes) -> bytes:
    """The package. Raises SystemExit when it is not the published one."""
    found = base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != SHA512:
        raise SystemExit(f"wavesurfer.js {VERSION} has the SHA-512 {found}, not {SHA512}: it is not the same package.")
    return package


def _package() -> bytes:
    """The package as npm has it."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"wavesurfer.js@{VERSION}", "--json", "--pack-destination", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return (Path(folder) / json.loads(done.stdout)[0]["filename"]).read_bytes()


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(f"package/{name}")
    assert member is not None, name
    return member.read()


if __name__ == "__main__":
    raise SystemExit(main())
