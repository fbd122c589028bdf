"""The connection of this process to a Ray cluster, which must ask for a token."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError

_SECONDS = 10.0
_METHOD = "/ray.rpc.InternalKVGcsService/InternalKVKeys"
"""A call that a cluster with tokens refuses without one."""
_START = (
    "Start one on this machine with `RAY_AUTH_MODE=token ray start --head --include-dashboard=false`, or have it join one with "
    "`RAY_AUTH_MODE=token ray start --address HOST:6379`."
)
_SET_UP = (
    "Ray needs a token, the same on every machine of the cluster. Set RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN), or run "
    "`ray get-auth-token --generate` once and copy ~/.ray/auth_token to the other machines."
)


def connect(address: str) -> Any:
    """The module `ray`, connected to the cluster whose head is at `address`, or with `auto` to the one of this machine.

    The process stays connected until it ends. Raises ConfigurationError.
    """
    check(address)
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.exceptions import RayError

    if address != "auto":
        _check_that_tokens_are_asked_for(address)
    try:
        if not ray.is_initialized():  # else this process is one of Ray's
            ray.init(address=address, namespace="acestep-mcp", log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError, RayError) as exc:
        raise ConfigurationError(
            f"--ray {address}: this process cannot join the Ray cluster ({' '.join(str(exc).split())[:300]}). The token must "
            f"be that of the cluster, and this machine must belong to it. {_START}"
        ) from exc
    if address == "auto":
        _check_that_tokens_are_asked_for(ray.get_runtime_context().gcs_address)
    return ray


def check(address: str) -> None:
    """What can be known before Ray is imported. Raises ConfigurationError."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigurationError("--ray needs Ray, which is not installed: pip install 'acestep-mcp[fleet]'.")
    if "://" in address or not address:
        raise ConfigurationError(
            f"--ray cannot be {address!r}. Give the address of the cluster's head, such as 10.0.0.1:6379, or auto, on a "
            "machine that belongs to the cluster: songs come back through its object store."
        )
    if not _has_token():
        raise ConfigurationError(_SET_UP)


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        path = Path(given) if given else Path.home() / ".ray" / "auth_token"
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError, RuntimeError):
        return False


def _check_that_tokens_are_asked_for(address: str) -> None:
    """Raises ConfigurationError for a cluster that does not answer, or that anyone may use, which it tells no client."""
    import grpc

    code = grpc.StatusCode.OK
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(_METHOD)(b"", timeout=_SECONDS)
        except grpc.RpcError as exc:
            code = exc.code()
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        raise ConfigurationError(f"--ray {address}: no Ray cluster answers there. {_START}")
    if code is not grpc.StatusCode.UNAUTHENTICATED:
        raise ConfigurationError(
            f"The Ray cluster at {address} lets anyone run code who can reach it. Start every node with RAY_AUTH_MODE=token."
        )
