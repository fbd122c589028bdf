"""Downloads from the Hugging Face Hub into its cache."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from acestep_mcp.api.errors import ConfigurationError, StorageError
from acestep_mcp.engines.model.checkpoint import HubFiles
from acestep_mcp.files import DATA_ADVICE, atomic, make_folder, storage_error, storage_errors

Report = Callable[[str], None]
"""Shows one line of progress."""
Fetch = Callable[[str, Path], None]
"""Downloads the file at an address to a path; raises AceStepError."""
_SPARE = 64 << 20
_OTHER_DISK = "set HF_HOME to a folder on another disk"


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """The size in bytes of each file, and of those that are still missing."""

    files: HubFiles
    folder: Path
    sizes: Mapping[str, int]
    missing: Mapping[str, int]

    def describe(self) -> str:
        name = self.files.repository
        if not self.missing:
            return f"The weights of {name} are all there: {self.folder}"
        total = "" if len(self.missing) == len(self.sizes) else f" of {_gigabytes(self.sizes)}"
        amount = f"{_gigabytes(self.missing)}{total} in {len(self.missing)} files"
        return f"Fetching the weights of {name} at {self.files.revision[:7]}: {amount}, into {self.folder}"


def download(files: HubFiles, report: Report) -> Path:
    """The folder of the Hugging Face cache, with all files in it. Shows progress on stderr.

    Truncated files are fetched again; an interrupted download resumes. Raises ConfigurationError if the Hub cannot be
    reached or lacks a file, StorageError if the disk is full.
    """
    from huggingface_hub import snapshot_download

    plan = _plan(files)
    report(plan.describe())
    if plan.missing:
        check_free_space(plan)
        for name in plan.missing:
            _remove_cached(plan.folder / name)
        with _hub_errors():
            return Path(snapshot_download(files.repository, revision=files.revision, allow_patterns=list(plan.sizes)))
    return plan.folder


def fetch_checked(fetch: Fetch, address: str, sha256: str, file: Path, remedy: str) -> None:
    """Download a file. Raises ConfigurationError if its SHA-256 is another."""
    make_folder(file.parent, DATA_ADVICE)
    with atomic(file, DATA_ADVICE) as unchecked:
        fetch(address, unchecked)
        if hashlib.sha256(unchecked.read_bytes()).hexdigest() != sha256:
            raise ConfigurationError(f"{address} is not the file it was, and was not kept: {remedy}.")


def _plan(files: HubFiles) -> DownloadPlan:
    """ModelCall the Hub for the file sizes of this revision, and compare them with the cache."""
    from huggingface_hub import HfApi

    with _hub_errors():
        model = HfApi().model_info(files.repository, revision=files.revision, files_metadata=True)
    known = {entry.rfilename: entry.size or 0 for entry in model.siblings or ()}
    absent = [name for name in files.names if name not in known]
    if absent:
        raise ConfigurationError(
            f"The Hub's {files.repository} has no {', '.join(absent)}: name a folder with --weights."
        )
    optional = (name for name in known if any(fnmatchcase(name, pattern) for pattern in files.optional))
    sizes = {name: known[name] for name in (*files.names, *sorted(optional))}
    folder = files.snapshot()
    missing = {name: size for name, size in sizes.items() if not _has_size(folder / name, size)}
    return DownloadPlan(files, folder, sizes, missing)


def _has_size(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size


def _remove_cached(file: Path) -> None:
    """Remove a cached file and the blob it links to: the Hub's library would reuse a truncated blob."""
    with storage_errors("replace", file, _OTHER_DISK):
        if file.exists():
            file.resolve().unlink()
        file.unlink(missing_ok=True)


def check_free_space(plan: DownloadPlan) -> None:
    """Raises StorageError if the missing files do not fit on the disk."""
    folder = next(parent for parent in plan.folder.parents if parent.exists())
    free, needed = shutil.disk_usage(folder).free, sum(plan.missing.values()) + _SPARE
    if free < needed:
        raise StorageError(
            f"{folder} has {free / 1e9:.1f} GB free and the weights need {needed / 1e9:.1f} GB. "
            f"Free some space, or {_OTHER_DISK}."
        )


def _gigabytes(sizes: Mapping[str, int]) -> str:
    return f"{sum(sizes.values()) / 1e9:.2f} GB"


@contextmanager
def _hub_errors() -> Iterator[None]:
    # httpx's own class, re-exported by its user: this package may not import httpx.
    from huggingface_hub.errors import HTTPError, RevisionResolutionError, XetDownloadError  # type: ignore[attr-defined]

    try:
        yield
    except (HTTPError, OSError, RevisionResolutionError, XetDownloadError, RuntimeError) as exc:
        if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
            raise storage_error(exc, "fetch the weights into", Path(exc.filename or "the cache"), _OTHER_DISK) from exc
        lines = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ConfigurationError(
            f"The weights could not be fetched from the Hugging Face Hub: {lines[0].rstrip('.')}. "
            "Try again (what has arrived is kept), or name a folder that holds them with --weights."
        ) from exc
