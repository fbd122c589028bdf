"""Options of an engine server on a Ray cluster, and what is refused before Ray is imported."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.cli.fleet_options import fleet
from acestep_mcp.engines.fleet.connection import check
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.registry import ENGINES


def given(**options: Any) -> dict[str, Any]:
    return {"ray": None, "min_replicas": None, "max_replicas": None, "devices": None} | options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_replicas": 2}, "Give --ray as well"),
        ({"max_replicas": 2}, "Give --ray as well"),
        ({"ray": "auto", "devices": "all"}, "Leave one out"),
        ({"ray": "auto", "min_replicas": 3, "max_replicas": 2}, "--max-replicas 2 is less than --min-replicas 3"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, said, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        fleet(ENGINES["draft"], EngineOptions(data_dir=tmp_path), given(**options))


def test_without_ray_the_options_change_nothing(tmp_path) -> None:
    assert fleet(ENGINES["draft"], EngineOptions(data_dir=tmp_path), given()) is None


def test_a_batch_is_refused_and_where_ray_is_not_installed_the_extra_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match="--batch 2 does not go with --ray"):
        fleet(ENGINES["draft"], EngineOptions(data_dir=tmp_path, batch=2), given(ray="auto"))
    with pytest.raises(ConfigurationError, match=r"pip install 'acestep-mcp\[fleet\]'"):
        fleet(ENGINES["draft"], EngineOptions(data_dir=tmp_path), given(ray="auto"))


def test_an_address_of_rays_client_and_a_cluster_without_a_token_are_refused(tmp_path, monkeypatch) -> None:
    installed = ModuleType("ray")
    installed.__spec__ = ModuleSpec("ray", None)
    monkeypatch.setitem(sys.modules, "ray", installed)
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match="machine that belongs to the cluster"):
        check("ray://10.0.0.1:10001")
    with pytest.raises(ConfigurationError, match="ray get-auth-token --generate"):
        check("auto")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("\n", encoding="ascii")
    with pytest.raises(ConfigurationError, match="ray get-auth-token --generate"):
        check("auto")
    (tmp_path / ".ray" / "auth_token").write_text("a-token\n", encoding="ascii")
    check("auto")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "away"))
    with pytest.raises(ConfigurationError, match="RAY_AUTH_TOKEN_PATH"):
        check("auto")
