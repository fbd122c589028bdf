"""wavesurfer.js is the published one, with its licence, and cannot be changed unnoticed."""

import hashlib
import io
import tarfile

import pytest
from tools import vendor_wavesurfer as vendored


def packed(**files):
    """A package as npm packs it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def test_the_script_is_the_one_that_was_checked_and_begins_with_its_whole_licence():
    script = (vendored.ASSETS / vendored.SCRIPT).read_bytes()
    licence = (vendored.ASSETS / vendored.LICENCE).read_bytes()
    assert hashlib.sha256(script).hexdigest() == vendored.SCRIPT_SHA256
    assert licence.startswith(b"BSD 3-Clause License")
    assert script.index(licence.strip()) < script.index(b"*/")
    assert f"wavesurfer.js {vendored.VERSION}".encode() in script[:40]


def test_the_script_is_kept_as_it_was_packed_below_its_licence():
    files = vendored.vendored(
        packed(**{"dist/wavesurfer.min.js": b"!function(){}()\n", "LICENSE": b"BSD, and so on\n"})
    )
    assert files[vendored.SCRIPT].endswith(b"BSD, and so on\n*/\n!function(){}()\n")
    assert files[vendored.LICENCE] == b"BSD, and so on\n"


def test_another_package_than_the_published_one_is_refused(monkeypatch):
    monkeypatch.setattr(vendored, "SHA512", "other")
    with pytest.raises(SystemExit, match="it is not the same package"):
        vendored.checked(packed(LICENSE=b""))
