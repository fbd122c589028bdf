"""The options of a model on this machine, each declared once: `Settings` inherits the fields, the command line derives from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator


def absolute(path: Path) -> Path:
    """The path with `~` expanded. A relative one is refused: no host says what it would be relative to."""
    try:
        path = path.expanduser()
    except RuntimeError as exc:
        raise ValueError(str(exc)) from exc
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


Checkpoint = Literal[
    "ACE-Step/acestep-v15-xl-turbo-diffusers",
    "ACE-Step/acestep-v15-xl-sft-diffusers",
    "ACE-Step/acestep-v15-xl-base-diffusers",
]
"""The models of ACE-Step 1.5 that can be fetched."""
AbsolutePath = Annotated[Path, AfterValidator(absolute)]


@dataclass(frozen=True, slots=True)
class Flag:
    """What the command line needs beyond a field's name, type, description and examples."""

    name: str | None = None
    """The flag, where it is not the field's name."""
    metavar: str | None = None
    folder: bool = False
    """A path names a folder, not a file."""
    negated: bool = False
    """There is a `--no-` form too."""


class ModelOptions(BaseModel):
    """What the engine loads and where it computes.

    A new option is a field here and the code that uses it. Descriptions are the command line's help.
    """

    model_config = ConfigDict(frozen=True)

    weights: Annotated[AbsolutePath | None, Flag(folder=True)] = Field(
        None, description="The folder with the published weights. [default: found in the caches of Hugging Face]"
    )
    lyric_vocab: Annotated[AbsolutePath | None, Flag("--vocab")] = Field(
        None, description="The vocab.json of v1, for lyrics."
    )
    """None looks beside the weights and in the data folder."""
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$",
        description="auto, cuda, cuda:1, mps or cpu. [default: auto]",
        examples=["auto", "cuda", "cuda:1", "mps", "cpu"],
    )
    """A name as PyTorch knows it; "auto" takes CUDA, else MPS, else the CPU."""
    dtype: Literal["bfloat16", "float16", "float32"] | None = Field(None, description="What it computes in.")
    """None is the device's usual one."""
    offload: bool = Field(False, description="Keep on the GPU only the part that computes.")
    quantize: Literal["int8", "fp8"] | None = Field(
        None, description="Large matrices in half the memory (fp8, for v1: faster, on new GPUs); needs torchao."
    )
    compile: Annotated[bool | None, Flag(negated=True)] = Field(
        None, description="Compile the model: a slow first song, faster ones after. [default: v1 on CUDA]"
    )
    batch: int = Field(
        1, ge=1, le=16, description="Songs that v1 makes at once: faster together on a GPU. [default: 1]"
    )
    lora: Annotated[tuple[tuple[Path, float], ...], Flag(metavar="FILE[:WEIGHT]")] = Field(
        (), description="A LoRA adapter for every song. May be repeated."
    )
    """Adapters and their weights; as text, `FILE` or `FILE:WEIGHT` separated by `;`."""
    lora_dir: Annotated[AbsolutePath | None, Flag(folder=True)] = Field(
        None, description="A folder of LoRA adapters for 1.5 that tags may name: lora:NAME."
    )

    attention: Literal["native", "flash", "xformers"] | None = Field(
        None, description="What computes the attention of 1.5, if its package is installed. [default: torch's own]"
    )
    checkpoint: Checkpoint | None = Field(None, description="The published model of 1.5. [default: xl-turbo]")
    shift: float | None = Field(
        None, ge=1, le=5, description="Timestep shift of 1.5, from 1 (detail) to 5 (form). [default: turbo 3, else 1]"
    )

    @field_validator("lora", mode="before")
    @classmethod
    def _adapters(cls, value: Any) -> Any:
        given = value.split(";") if isinstance(value, str) else value
        if not isinstance(given, list | tuple):
            raise ValueError("must be a list")  # noqa: TRY004 - one type for whatever is wrong with a setting
        return tuple(_adapter(part) if isinstance(part, str) else part for part in given if part)


def _adapter(given: str) -> tuple[Path, float]:
    """`FILE` or `FILE:WEIGHT`; the colon after a Windows drive letter belongs to the file."""
    file, colon, weight = given.strip().rpartition(":")
    if colon and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", weight):
        return absolute(Path(file)), float(weight)
    return absolute(Path(given.strip())), 1.0
