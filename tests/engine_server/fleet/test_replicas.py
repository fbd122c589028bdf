"""Replicas on a real Ray cluster (ACESTEP_TESTS_RAY_PYTHON), which a server in a process of its own has songs made by."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.ray_cluster import PORTS, PYTHON, Cluster, another_machine, processes_of

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]
APP = "/fal-ai/ace-step"
CONNECT = """
import sys
from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.fleet.connection import connect
try:
    connect(sys.argv[1])
except ConfigurationError as exc:
    sys.exit(exc.message)
"""


class Desk:
    """A client of the server, and the folder in which its engines note what they do."""

    def __init__(self, http: httpx.Client, folder: Path) -> None:
        self.http, self.folder = http, folder

    def devices(self) -> list[dict]:
        return self.http.get("/health").json()["devices"]

    def until(self, *states: str) -> list[dict]:
        """Wait until the replicas are in these states, in any order."""
        give_up = time.monotonic() + 60
        while True:
            found = self.devices()
            if sorted(each["state"] for each in found) == sorted(states):
                return found
            assert time.monotonic() < give_up, found
            time.sleep(0.05)

    def submit(self, tags: str, seed: int = 1, **body: object) -> str:
        path = APP + ("/audio-to-audio" if body else "")
        body = {"tags": tags, "seed": seed} | (body or {"duration": 5})
        return self.http.post(path, json=body).raise_for_status().json()["request_id"]

    def ended(self, job: str) -> httpx.Response:
        give_up = time.monotonic() + 60
        while (state := self.http.get(f"{APP}/requests/{job}/status").json()["status"]) != "COMPLETED":
            assert time.monotonic() < give_up, state
            time.sleep(0.05)
        return self.http.get(f"{APP}/requests/{job}")

    def runs(self) -> list[tuple[int, str]]:
        """The process and the tags of each run so far."""
        path = self.folder / "runs"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(int(pid), tags) for pid, tags in (line.split(" ", 1) for line in lines)]

    def began(self, count: int) -> list[tuple[int, str]]:
        give_up = time.monotonic() + 60
        while len(found := self.runs()) < count:
            assert time.monotonic() < give_up, found
            time.sleep(0.02)
        return found

    def release(self) -> None:
        (self.folder / "release").touch()


@contextmanager
def served(cluster: Cluster, folder: Path, *bounds: object) -> Iterator[Desk]:
    command = [PYTHON, "-m", "tests.engine_server.fleet.served", cluster.address, folder, *bounds]
    with subprocess.Popen(
        list(map(str, command)), env=cluster.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            with httpx.Client(base_url=process.stdout.readline().strip(), timeout=30) as http:
                yield Desk(http, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_the_job_of_a_killed_replica_is_played_again_first_and_no_replica_outlives_the_server(ray_cluster, tmp_path):
    with served(ray_cluster, tmp_path, 2, 2) as desk:
        assert all(each["node"] for each in desk.until("ready", "ready"))
        jobs = [desk.submit(f"hold {name}", seed) for seed, name in enumerate("abc")]
        first, second = desk.began(2)
        assert {first[1], second[1]} == {"hold a", "hold b"}
        os.kill(first[0], signal.SIGKILL)
        again = desk.began(3)[2]
        assert (again[1], again[0] in (first[0], second[0])) == (first[1], False)
        desk.release()
        assert [desk.ended(job).status_code for job in jobs] == [200, 200, 200]
        assert sum(each["restarts"] for each in desk.until("ready", "ready")) == 1
        pids = {pid for pid, _ in desk.runs()}
    assert sorted(tags for _, tags in desk.runs()) == sorted(["hold a", "hold b", "hold c", first[1]])
    give_up = time.monotonic() + 20
    while alive := pids & set(processes_of(ray_cluster.process.pid)):
        assert time.monotonic() < give_up, alive
        time.sleep(0.05)


def test_a_stopped_song_ends_within_a_step_and_its_replica_plays_the_next_with_its_source(ray_cluster, tmp_path, wav):
    with served(ray_cluster, tmp_path, 1, 1) as desk:
        desk.until("ready")
        bug = desk.submit("sleep", 2)  # the file that says how long is not there
        assert desk.ended(bug).status_code == 500
        assert "ray:0: a song failed because of a bug" in (tmp_path / "server.log").read_text(encoding="utf-8")
        held = desk.submit("hold")
        desk.began(2)
        began = time.monotonic()
        desk.http.put(f"{APP}/requests/{held}/cancel")
        assert desk.ended(held).status_code == 499
        uploaded = desk.http.post("/files/upload", content=wav, headers={"x-fal-file-name": "song.wav"}).json()
        job = desk.submit("folk", 7, audio_url=uploaded["access_url"], original_tags="x")
        _, first, second = desk.began(3)
        assert time.monotonic() - began < 4  # a replica that does not stop is killed after 5 s
        assert desk.ended(job).json()["seed"] == 7
    assert (second[0], second[1]) == (first[0], "folk, from 5 s")


def test_there_are_as_many_replicas_as_jobs_within_bounds_and_none_is_ended_during_its_song(ray_cluster, tmp_path):
    with served(ray_cluster, tmp_path, 1, 3, 1) as desk:
        desk.until("ready")
        jobs = [desk.submit("hold", seed) for seed in range(4)]
        desk.until("playing", "playing", "playing")
        assert len({pid for pid, _ in desk.began(3)}) == 3
        for job in (jobs[3], jobs[0]):
            desk.http.put(f"{APP}/requests/{job}/cancel")
        desk.until("playing", "playing")
        desk.release()
        assert [desk.ended(job).status_code for job in jobs[1:3]] == [200, 200]
        desk.until("ready")
    assert len(desk.runs()) == 3


def test_replicas_are_replaced_one_by_one_when_the_weights_link_leads_elsewhere(ray_cluster, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "weights"
    link.symlink_to("old")
    with served(ray_cluster, tmp_path, 2, 2, 60, link) as desk:
        desk.until("ready", "ready")
        jobs = [desk.submit(f"hold {name}", seed) for seed, name in enumerate("ab")]
        before = desk.began(2)
        (tmp_path / "next").symlink_to("new")
        (tmp_path / "next").replace(link)
        time.sleep(2.5)
        assert [each["state"] for each in desk.devices()] == ["playing", "playing"]
        desk.release()
        assert [desk.ended(job).status_code for job in jobs] == [200, 200]
        ready, give_up = [], time.monotonic() + 60
        while len({pid for pid, tags in desk.runs() if tags.endswith("by new")}) < 2:
            assert time.monotonic() < give_up
            ready.append(sum(each["state"] in ("ready", "playing") for each in desk.devices()))
            jobs = [desk.submit("x", seed) for seed in (1, 2)]
            assert [desk.ended(job).status_code for job in jobs] == [200, 200]
        assert min(ready) >= 1
        assert sum(each["restarts"] for each in desk.devices()) == 0
    assert [tags for _, tags in before] == ["hold a, by old", "hold b, by old"]
    assert not {pid for pid, tags in desk.runs() if tags.endswith("by new")} & {pid for pid, _ in before}


def test_the_songs_of_a_machine_that_dies_are_made_on_the_others(ray_cluster, tmp_path):
    with another_machine(PYTHON, ray_cluster, cpus=2) as machine, served(ray_cluster, tmp_path, 6, 6) as desk:
        desk.until(*["ready"] * 6)
        jobs = [desk.submit(f"hold {seed}", seed) for seed in range(6)]
        there = set(processes_of(machine.pid))
        lost = {tags for pid, tags in desk.began(6) if pid in there}
        assert len(lost) == 2
        for pid in there:
            os.kill(pid, signal.SIGKILL)
        desk.until("playing", "playing", "playing", "playing", "starting", "starting")
        desk.release()
        assert [desk.ended(job).status_code for job in jobs] == [200] * 6
    assert sorted(tags for _, tags in desk.runs()) == sorted([*(f"hold {seed}" for seed in range(6)), *lost])


def test_weights_that_cannot_be_loaded_stop_one_replica_and_the_others_play_on_with_the_old(ray_cluster, tmp_path):
    for name in ("old", "broken", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "weights"
    link.symlink_to("old")

    def lead_to(name: str) -> None:
        (tmp_path / "next").symlink_to(name)
        (tmp_path / "next").replace(link)

    with served(ray_cluster, tmp_path, 2, 2, 60, link) as desk:
        desk.until("ready", "ready")
        lead_to("broken")
        found = desk.until("failed", "ready")
        assert "These weights are broken. Fetch them again." in str(found)
        time.sleep(3)  # the other is not tried
        desk.until("failed", "ready")
        assert desk.ended(desk.submit("x")).status_code == 200
        lead_to("new")
        give_up = time.monotonic() + 60
        while len({pid for pid, tags in desk.runs() if tags == "x, by new"}) < 2:
            assert time.monotonic() < give_up
            jobs = [desk.submit("x", seed) for seed in (1, 2)]
            assert [desk.ended(job).status_code for job in jobs] == [200, 200]
    assert desk.runs()[0][1] == "x, by old"


def test_a_process_joins_with_the_token_only_and_no_cluster_that_asks_for_none(ray_cluster):
    def connected(address: str, **environment: str) -> str:
        done = subprocess.run(
            [PYTHON, "-c", CONNECT, address], env=ray_cluster.environment | environment, capture_output=True, text=True,
            timeout=100, check=False,
        )  # fmt: skip
        return done.stderr if done.returncode else ""

    assert connected(ray_cluster.address) == ""
    assert "The token must be that of the cluster" in connected(ray_cluster.address, RAY_AUTH_TOKEN="0" * 32)
    assert "no Ray cluster answers there" in connected("127.0.0.1:9")


def test_the_cluster_listens_off_loopback_only_at_ports_that_are_documented(ray_cluster):
    inodes = set()
    for pid in processes_of(ray_cluster.process.pid):
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(os.readlink(link))
            except OSError:
                continue
    open_ports = {port for port, inode, is_local in listening() if f"socket:[{inode}]" in inodes and not is_local}
    page = (Path(__file__).parents[3] / "docs" / "many-machines.md").read_text(encoding="utf-8")
    assert set(PORTS.values()) - {6384, 10001} <= open_ports
    assert 8265 not in open_ports
    for port in open_ports:
        assert 10002 <= port <= 10999 or f"`{port}`" in page, port


def listening() -> Iterator[tuple[int, str, bool]]:
    """The port of each socket that listens, its inode, and whether it is on loopback."""
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] != "0A":
                continue
            address, _, port = fields[1].partition(":")
            words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
            raw = b"".join(words)
            if len(raw) == 16 and raw[:12] == b"\0" * 10 + b"\xff\xff":
                raw = raw[12:]
            text = socket.inet_ntop(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw)
            yield int(port, 16), fields[9], text.startswith("127.") or text == "::1"


def test_the_command_makes_a_draft_on_the_cluster_and_ends_at_sigterm(ray_cluster, tmp_path):
    environment = ray_cluster.environment | {"ACESTEP_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [PYTHON, "-m", "acestep_mcp", "engine", "--ray", "auto", "--port", "0", "--data-dir", str(tmp_path / "e")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stderr if "served at" in line)
            with httpx.Client(base_url=line.split("served at ")[1].split(" ")[0], timeout=30) as http:
                desk = Desk(http, tmp_path)
                song = desk.ended(desk.submit("lofi")).json()
                [device] = desk.devices()
                assert http.get(song["audio"]["url"]).content[:4] == b"RIFF"
            assert (device["songs"], song["acestep"]["engine"]) == (1, "draft")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 143
