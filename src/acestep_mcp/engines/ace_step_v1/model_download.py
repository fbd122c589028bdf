"""Downloading the published files of v1: weights from the Hub, the lyric vocabulary from the model's repository."""

from __future__ import annotations

import hashlib
from pathlib import Path

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1 import published
from acestep_mcp.engines.model import hub
from acestep_mcp.engines.model.hub import Fetch, Report
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.files import DATA_ADVICE, atomic, make_folder


def download(options: EngineOptions, fetch: Fetch, report: Report) -> None:
    """Fetch weights into the Hugging Face cache and the vocabulary into the data folder, unless the options name them.

    Raises ConfigurationError if a host cannot be reached or sends another file, StorageError if the disk is full.
    """
    if options.weights is None:
        published.find_weights(hub.download(published.PUBLISHED, report))
    if options.lyric_vocab is None:
        download_vocabulary(options.data_dir, fetch, report)


def download_vocabulary(data_dir: Path, fetch: Fetch, report: Report) -> None:
    """Fetch the lyric vocabulary and check its SHA-256."""
    file = published.downloaded_vocabulary(data_dir)
    if file.is_file():
        return
    report(f"Fetching the lyric vocabulary (0.4 MB) into {file}")
    make_folder(file.parent, DATA_ADVICE)
    with atomic(file, DATA_ADVICE) as unchecked:
        fetch(published.VOCABULARY_URL, unchecked)
        if hashlib.sha256(unchecked.read_bytes()).hexdigest() != published.VOCABULARY_SHA256:
            raise ConfigurationError(
                f"{published.VOCABULARY_URL} is not the file it was, and was not kept: "
                "get the model's vocab.json from a source you trust and name it with --vocab."
            )
