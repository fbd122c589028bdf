"""What a model engine is built from."""

from __future__ import annotations

from pathlib import Path

from acestep_mcp.api.model_options import ModelOptions


class EngineOptions(ModelOptions):
    """The model options and the folder for downloaded data."""

    data_dir: Path
