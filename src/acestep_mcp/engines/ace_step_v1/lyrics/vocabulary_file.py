"""The file of the lyric vocabulary: where it is looked for, and its download from the model's repository."""

from __future__ import annotations

from pathlib import Path

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.model import hub
from acestep_mcp.engines.model.checkpoint import DOWNLOAD_HINT
from acestep_mcp.engines.model.options import EngineOptions

FILE = "vocab.json"
URL = (
    "https://raw.githubusercontent.com/ace-step/ACE-Step/d612523f50e252c0e138e68ae75b06223f96e934"
    "/acestep/models/lyrics_utils/vocab.json"
)
SHA256 = "c2a66ea48c478c0bb9acb5497144b926acdeaa37128faa799508d40f2b9cc558"


def find(options: EngineOptions, weights: Path) -> Path:
    """The one in the options alone if given, else the one beside the weights, else the downloaded one.

    Raises ConfigurationError if there is none.
    """
    given, downloaded = options.lyric_vocab, download_path(options.data_dir)
    for file in (given,) if given else (weights / FILE, downloaded):
        if file.is_file():
            return file
    if given:
        raise ConfigurationError(f"the lyric vocabulary {given} is not there: correct --vocab or ACESTEP_LYRIC_VOCAB.")
    raise ConfigurationError(
        f"the lyric vocabulary {downloaded} is not there: {DOWNLOAD_HINT}, or name one with --vocab."
    )


def download_path(data_dir: Path) -> Path:
    """Where a downloaded vocabulary is stored."""
    return data_dir / "ace-step-v1" / FILE


def download(data_dir: Path, fetch: hub.Fetch, report: hub.Report) -> None:
    """Fetch it unless it is there, and check its SHA-256."""
    file = download_path(data_dir)
    if file.is_file():
        return
    report(f"Fetching the lyric vocabulary (0.4 MB) into {file}")
    remedy = "get the model's vocab.json from a source you trust and name it with --vocab"
    hub.fetch_checked(fetch, URL, SHA256, file, remedy)
