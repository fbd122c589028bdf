"""Fetching what is published: first how much and where to, then whole files or none."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from acestep_mcp.api.errors import ConfigurationError, StorageError
from acestep_mcp.engines.ace_step_v1 import published
from acestep_mcp.files import DATA_ADVICE, atomic, make_folder, storage_error, storage_errors

Say = Callable[[str], None]
Fetch = Callable[[str, Path], None]
"""Brings the file at an address to a path; raises our own errors."""
_SPARE = 64 << 20
_OTHER_DISK = "set HF_HOME to a folder on another disk"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be fetched from the Hub: the bytes of each file, and those that are not there yet."""

    published: published.Published
    folder: Path
    sizes: Mapping[str, int]
    missing: Mapping[str, int]

    def told(self) -> str:
        name = self.published.repository
        if not self.missing:
            return f"The weights of {name} are all there: {self.folder}"
        some = "" if len(self.missing) == len(self.sizes) else f" of {_gigabytes(self.sizes)}"
        what = f"{_gigabytes(self.missing)}{some} in {len(self.missing)} files"
        return f"Fetching the weights of {name} at {self.published.revision[:7]}: {what}, into {self.folder}"


def everything(options: published.Options, fetch: Fetch, say: Say) -> None:
    """Weights into the Hugging Face cache and the lyric vocabulary beside our data, where a person named none.

    Raises ConfigurationError when a host cannot be asked or sends something else, StorageError when the disk is full.
    """
    if options.weights is None:
        published.found(fetched(published.PUBLISHED, say))
    if options.vocabulary is None:
        fetch_vocabulary(options.data_dir, fetch, say)


def fetched(published: published.Published, say: Say) -> Path:
    """The folder of the Hugging Face cache, with all the files in it.

    What is cut short is fetched anew; a broken download goes on where it ended. Shows its progress on stderr. Raises
    ConfigurationError, StorageError.
    """
    from huggingface_hub import snapshot_download

    plan = _planned(published)
    say(plan.told())
    if plan.missing:
        check_room(plan)
        for name in plan.missing:
            _discard(plan.folder / name)
        with _hub_errors():
            snapshot_download(published.repository, revision=published.revision, allow_patterns=list(published.files))
    return plan.folder


def _planned(published: published.Published) -> Plan:
    """Ask the Hub how large the files of our revision are, and look which of them are missing."""
    from huggingface_hub import HfApi

    with _hub_errors():
        model = HfApi().model_info(published.repository, revision=published.revision, files_metadata=True)
    known = {entry.rfilename: entry.size or 0 for entry in model.siblings or ()}
    absent = [name for name in published.files if name not in known]
    if absent:
        raise ConfigurationError(
            f"The Hub's {published.repository} has no {', '.join(absent)}: name a folder with --weights."
        )
    sizes = {name: known[name] for name in published.files}
    folder = published.snapshot()
    missing = {name: size for name, size in sizes.items() if not _is_whole(folder / name, size)}
    return Plan(published, folder, sizes, missing)


def fetch_vocabulary(data_dir: Path, fetch: Fetch, say: Say) -> None:
    """The lyric vocabulary, which must be the very file that the model was made with."""
    file = published.kept_vocabulary(data_dir)
    if file.is_file():
        return
    say(f"Fetching the lyric vocabulary (0.4 MB) into {file}")
    make_folder(file.parent, DATA_ADVICE)
    with atomic(file, DATA_ADVICE) as unchecked:
        fetch(published.VOCABULARY_URL, unchecked)
        if hashlib.sha256(unchecked.read_bytes()).hexdigest() != published.VOCABULARY_SHA256:
            raise ConfigurationError(
                f"{published.VOCABULARY_URL} is not the file it was, and was not kept: "
                "get the model's vocab.json from somebody you trust and name it with --vocab."
            )


def _is_whole(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size


def _discard(file: Path) -> None:
    """Remove a file of the cache with what it points to: the Hub's library would take it as it is."""
    with storage_errors("replace", file, _OTHER_DISK):
        if file.exists():
            file.resolve().unlink()
        file.unlink(missing_ok=True)


def check_room(plan: Plan) -> None:
    """Raises StorageError when the disk has too little room for what is missing."""
    there = next(parent for parent in plan.folder.parents if parent.exists())
    free, needed = shutil.disk_usage(there).free, sum(plan.missing.values()) + _SPARE
    if free < needed:
        raise StorageError(
            f"{there} has {free / 1e9:.1f} GB free and the weights need {needed / 1e9:.1f} GB. "
            f"Free some space, or {_OTHER_DISK}."
        )


def _gigabytes(sizes: Mapping[str, int]) -> str:
    return f"{sum(sizes.values()) / 1e9:.2f} GB"


@contextmanager
def _hub_errors() -> Iterator[None]:
    # httpx's own class, by the way its user offers it: here nobody makes requests by themselves.
    from huggingface_hub.errors import HTTPError, RevisionResolutionError, XetDownloadError  # type: ignore[attr-defined]

    try:
        yield
    except (HTTPError, OSError, RevisionResolutionError, XetDownloadError, RuntimeError) as exc:
        if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
            raise storage_error(exc, "fetch the weights into", Path(exc.filename or "the cache"), _OTHER_DISK) from exc
        told = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ConfigurationError(
            f"The weights could not be fetched from the Hugging Face Hub: {told[0].rstrip('.')}. "
            "Try again (what has arrived is kept), or name a folder that holds them with --weights."
        ) from exc
