"""The examples for Ray Serve and KubeRay in deploy/ against the schemas of those who read them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.ray_cluster import HOW, PYTHON

yaml = pytest.importorskip("yaml")

DEPLOY = Path(__file__).parents[3] / "deploy"
CHECK = """
import json, sys
from ray.serve.schema import ServeDeploySchema
ServeDeploySchema.model_validate(json.load(sys.stdin))
"""
# Read now: tests run without the settings of the person who runs them.
CRD = os.environ.get("ACESTEP_TESTS_RAYSERVICE_CRD")


def service() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "ray-service.yaml").read_text(encoding="utf-8"))


def configs() -> list[dict[str, Any]]:
    """What Serve is given in each of the two."""
    alone = yaml.safe_load((DEPLOY / "ray-serve.yaml").read_text(encoding="utf-8"))
    return [alone, yaml.safe_load(service()["spec"]["serveConfigV2"])]


@pytest.mark.parametrize("config", configs(), ids=["serve", "kuberay"])
def test_the_application_is_ours_and_its_options_are_those_of_the_command(config) -> None:
    from acestep_mcp.cli.engine import engine
    from acestep_mcp.cli.ray_serve import front

    [application] = config["applications"]
    assert application["import_path"] == f"{front.__module__}:{front.__name__}"
    options = [option for option in application["args"]["options"] if not option.startswith(("--weights", "--vocab"))]
    given = engine.make_context("engine", ["--ray", "auto", *options]).params
    assert given["min_replicas"] <= given["max_replicas"]
    assert [each["name"] for each in application["deployments"]] == ["front"]


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("config", configs(), ids=["serve", "kuberay"])
def test_serve_accepts_its_configuration(config) -> None:
    if PYTHON is None:
        pytest.skip(HOW)

    def refusal(given: dict[str, Any]) -> str:
        done = subprocess.run(
            [PYTHON, "-c", CHECK], input=json.dumps(given), capture_output=True, text=True, check=False
        )
        return done.stderr

    assert refusal(config) == ""
    [application] = config["applications"]
    wrong = {**application["deployments"][0], "max_ongoing_requests": "many"}
    assert "max_ongoing_requests" in refusal({**config, "applications": [application | {"deployments": [wrong]}]})


def test_kuberay_knows_every_field_of_the_service() -> None:
    """ACESTEP_TESTS_RAYSERVICE_CRD is the file helm-chart/kuberay-operator/crds/ray.io_rayservices.yaml of KubeRay."""
    if CRD is None:
        pytest.skip(
            "ACESTEP_TESTS_RAYSERVICE_CRD is not set: the path of ray.io_rayservices.yaml of ray-project/kuberay"
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(CRD, encoding="utf-8") as file:
        versions = yaml.load(file, loader)["spec"]["versions"]
    schema = next(each for each in versions if each["name"] == "v1")["schema"]["openAPIV3Schema"]
    assert list(unknown(service(), schema)) == []
    assert list(unknown(service() | {"sepc": {}}, schema)) == ["/sepc"]


def unknown(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Where a value has a field that its schema lacks, or another type."""
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if schema.get("x-kubernetes-int-or-string"):
        if not isinstance(value, int | str):
            yield path
    elif not isinstance(value, types[schema["type"]]) or value not in schema.get("enum", [value]):
        yield path
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from unknown(each, schema["items"], f"{path}/{number}")
    elif isinstance(value, dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        missing = set(schema.get("required", [])) - set(value)
        yield from (f"{path}/{name} is missing" for name in missing)
        for name, each in value.items():
            if (path, name) == ("", "metadata"):  # Kubernetes' own
                continue
            if name in known or others:
                yield from unknown(each, known.get(name, others), f"{path}/{name}")
            else:
                yield f"{path}/{name}"


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_server_is_an_application_of_serve_that_takes_other_weights_without_a_stop(ray_cluster, tmp_path) -> None:
    config = yaml.safe_load((DEPLOY / "ray-serve.yaml").read_text(encoding="utf-8"))
    [application] = config["applications"]
    application["args"] = {"options": ["--engine=draft", f"--data-dir={tmp_path / 'e'}", "--key=k", "--max-replicas=2"]}
    file = tmp_path / "serve.yaml"

    def run(**user_config: str) -> subprocess.Popen[bytes]:
        application["deployments"][0]["user_config"] = user_config
        file.write_text(json.dumps(config), encoding="utf-8")
        command = "import sys; from ray.serve.scripts import cli; sys.argv[0] = 'serve'; cli()"
        environment = ray_cluster.environment | {"RAY_ADDRESS": ray_cluster.address, "ACESTEP_DATA_DIR": str(tmp_path)}
        return subprocess.Popen([PYTHON, "-c", command, "run", str(file)], env=environment)

    with httpx.Client(base_url="http://127.0.0.1:8000", headers={"Authorization": "Key k"}) as http:
        running = [run()]
        try:
            until(http, "ready")
            assert http.post("/fal-ai/ace-step", json={}, headers={"Authorization": ""}).status_code == 401
            job = http.post("/fal-ai/ace-step", json={"tags": "lofi", "duration": 5, "seed": 1}).json()["request_id"]
            with http.stream("GET", f"/fal-ai/ace-step/requests/{job}/status/stream") as events:
                assert "COMPLETED" in list(events.iter_lines())[-2]
            song = http.get(f"/fal-ai/ace-step/requests/{job}").json()
            assert http.get(song["audio"]["url"]).content[:4] == b"RIFF"
            running.append(run(weights=str(tmp_path)))
            until(http, "starting")
            [device] = until(http, "ready")
            assert (device["songs"], device["restarts"]) == (1, 0)  # the server is the same, its replica is another
        finally:
            for serve in reversed(running):
                serve.send_signal(signal.SIGINT)
                serve.wait(60)


def until(http: httpx.Client, state: str) -> list[dict[str, Any]]:
    """Wait until every replica is in this state."""
    give_up, devices = time.monotonic() + 120, []
    while not devices or any(each["state"] != state for each in devices):
        assert time.monotonic() < give_up, devices
        time.sleep(0.1)
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
            devices = http.get("/health").json()["devices"]
    return devices
