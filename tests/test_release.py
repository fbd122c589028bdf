"""What a release is made from: pinned packages with hashes, and files that are the same at every build."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
PINS = re.findall(
    r"^([\w.-]+)==([^ ;\\]+)( ;[^\\]*)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$",
    (REPOSITORY / "requirements-dev.txt").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_every_package_of_the_tests_is_pinned_with_hashes_to_a_version_that_is_asked_for():
    pinned = {}
    for name, version, _, hashes in PINS:
        pinned.setdefault(canonicalize_name(name), []).append((version, hashes))
    groups = (
        PROJECT["project"]["dependencies"],
        PROJECT["project"]["optional-dependencies"]["test"],
        PROJECT["dependency-groups"]["lint"],
    )
    for requirement in (Requirement(text) for group in groups for text in group):
        versions = [version for version, _ in pinned.get(canonicalize_name(requirement.name), [])]
        assert versions, f"{requirement}: run python -m tools.release lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}, but {versions}"


def test_nothing_in_the_lock_file_is_without_a_version_or_hash():
    lines = (REPOSITORY / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(packages) == len(PINS) > 50
    assert not [line for line in lines if "://" in line]


@pytest.mark.process
def test_equal_sources_give_equal_files_wherever_and_whenever_they_are_built(tmp_path):
    parts = [
        REPOSITORY / name
        for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "src", "prompts", "tools")
    ]
    digests = []
    for number, (place, mask) in enumerate((("one", 0o022), ("another/place", 0o077))):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        for part in parts:
            if part.is_dir():
                shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(part, folder / part.name)
        for path in folder.rglob("*"):
            os.utime(path, (10**9 + number * 10**7,) * 2)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-d", "out"], cwd=folder, capture_output=True, timeout=50, check=True,
            env=os.environ | {"SOURCE_DATE_EPOCH": "1767225600", "TZ": ("UTC", "Asia/Tokyo")[number]}, umask=mask,
        )  # fmt: skip
        digests.append(
            {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "out").iterdir()}
        )
    assert len(digests[0]) == 2
    assert digests[0] == digests[1]
