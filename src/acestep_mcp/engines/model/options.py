"""What a model engine is built from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from acestep_mcp.api.model_options import AbsolutePath, ModelOptions


class EngineOptions(ModelOptions):
    """The model options, the folder for downloaded data, and what sings in drafts and plays them."""

    data_dir: Path
    voice: Literal["auto", "synth", "font"] = "auto"
    soundfont: AbsolutePath | None = None
