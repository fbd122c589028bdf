"""Files of a published model: where the Hugging Face cache keeps them, and whether they are complete."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
DOWNLOAD_HINT = "`acestep-mcp engine --download` fetches it"
_JSON_FILES = ("config.json", "model_index.json")
_LONGEST_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class HubFiles:
    """Files of one revision of a repository on the Hugging Face Hub.

    `names` must be there. `optional` are patterns of files that are fetched if they are there.
    """

    repository: str
    revision: str
    names: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def snapshot(self, cache: Path | None = None) -> Path:
        """Their folder in a cache with Hugging Face's layout; None is the user's own cache.

        A revision that is a branch is the commit that was last fetched of it.
        """
        if cache is None:
            from huggingface_hub import constants  # 20 ms

            cache = Path(constants.HF_HUB_CACHE)
        folder = cache / f"models--{self.repository.replace('/', '--')}"
        branch = folder / "refs" / self.revision
        commit = branch.read_text(encoding="utf-8").strip() if branch.is_file() else self.revision
        return folder / "snapshots" / commit

    def absent(self, remedy: str) -> ConfigurationError:
        return ConfigurationError(
            f"the weights of {self.repository} are not on this machine ({self.snapshot()} is where they would be looked "
            f"for): {remedy} with --weights or ACESTEP_WEIGHTS."
        )


def require_whole(files: Iterable[Path], remedy: str) -> None:
    """Raises ConfigurationError with the first file that is missing, truncated or invalid."""
    for file in files:
        if problem := file_problem(file):
            raise ConfigurationError(f"{file} {problem}: {remedy}.")


def file_problem(file: Path) -> str | None:
    """What is wrong with a file, as the end of a sentence. Of a safetensors file only the header is read."""
    try:
        if file.suffix == ".safetensors":
            return _safetensors_problem(file)
        if file.name in _JSON_FILES or file.name.endswith(".index.json"):
            read_config(file)
        return None if file.stat().st_size else "is empty"
    except FileNotFoundError:
        return "is missing"
    except OSError as exc:
        return f"cannot be read ({exc.strerror or exc})"
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):  # JSON, but of another shape
        return "is not what its name says"


def read_config(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError, OSError."""
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as exc:
        raise ValueError("nested too deep") from exc
    if not isinstance(config, dict):
        raise ValueError("no object")  # noqa: TRY004 - as for a file that is not JSON
    return config


def config_of(kind: type[Config], given: Mapping[str, Any]) -> Config:
    """A dataclass from those entries of a config.json that it has fields for."""
    return kind(**{field.name: given[field.name] for field in fields(kind) if field.name in given})


def _safetensors_problem(file: Path) -> str | None:
    """Whether the file ends where its header says."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 0 < length <= min(_LONGEST_HEADER, max(0, size - 8)):
            return f"is cut short or not a safetensors file ({size:,} bytes)"
        header = json.loads(opened.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    expected = 8 + length + max(ends, default=0)
    return None if size == expected else f"is not whole: {size:,} bytes where its header says {expected:,}"
