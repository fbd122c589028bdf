"""Downloads from a local server that answers as the Hub does."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("huggingface_hub", reason="the engine's packages are not installed")
pytest.importorskip("torch", reason="the engine's packages are not installed")

from acestep_mcp.api.errors import ConfigurationError, StorageError
from acestep_mcp.engines.ace_step_v1 import published
from acestep_mcp.engines.ace_step_v1.lyrics import vocabulary_file
from acestep_mcp.engines.ace_step_v15 import published as published15
from acestep_mcp.engines.model.hub import DownloadPlan, check_free_space

pytestmark = pytest.mark.process

VOCABULARY = os.environ.get("ACESTEP_LYRIC_VOCAB")  # gone while a test runs


def safetensors(name: str, size: int = 1 << 20) -> bytes:
    header = json.dumps({name: {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def small(name: str) -> bytes:
    """Unique content: the Hub's library downloads equal files once."""
    return safetensors(name) if name.endswith(".safetensors") else json.dumps({"a": name}).encode()


V1 = {name: small(name) for name in published.FILES} | {"README.md": b"not needed"}
V15 = {name: small(name) for name in (*published15.PUBLISHED.names, "tokenizer/merges.txt")}
SHARDS = [Path(name).name for name in V15 if "-of-" in name]
V15["transformer/diffusion_pytorch_model.safetensors.index.json"] = json.dumps(
    {"weight_map": {name: name for name in SHARDS}}
).encode()
V15_SFT = {name: content for name, content in V15.items() if "-of-" not in name and name != "tokenizer/tokenizer.json"}
V15_SFT |= {name: small(name) for name in ("transformer/diffusion_pytorch_model.safetensors", "README.md")}
del V15_SFT["transformer/diffusion_pytorch_model.safetensors.index.json"]
SFT = published15.CHECKPOINTS[published15.SFT]
HUB = {published.PUBLISHED: V1, published15.PUBLISHED: V15, SFT: V15_SFT}
COMMITS = {SFT: "5" * 40}
"""The commit of a revision that is a branch."""


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        for hosted, content in HUB.items():
            name, revision = hosted.repository, COMMITS.get(hosted, hosted.revision)
            sizes = [{"size": len(c), "oid": oid(c), "blobId": oid(c)} for c in content.values()]
            if path in {f"/api/models/{name}/revision/{revision}", f"/api/models/{name}/revision/{hosted.revision}"}:
                entries = [{"rfilename": n, **size} for n, size in zip(content, sizes, strict=True)]
                self._json({"id": name, "sha": revision, "siblings": entries})
            elif path == f"/api/models/{name}/tree/{revision}":
                self._json([{"type": "file", "path": n, **size} for n, size in zip(content, sizes, strict=True)])
            elif path.startswith(f"/{name}/resolve/{revision}/"):
                self._file(path.split(revision + "/")[1], content, revision)
            else:
                continue
            return
        self._answer(404, b"", {})

    def _json(self, content) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str, published: dict[str, bytes], revision: str) -> None:
        content = published[name]
        headers = {"ETag": f'"{oid(content)}"', "X-Repo-Commit": revision, "Accept-Ranges": "bytes"}
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        if self.command == "GET":
            self.server.sent.append(name)
        if self.command == "GET" and name == self.server.breaks:
            self.server.breaks = None
            self._answer(200, content[: len(content) // 2], headers, length=len(content))
            self.close_connection = True
        else:
            self._answer(206 if first else 200, content[first:], headers)

    def _answer(self, status: int, body: bytes, headers: dict, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    server.sent, server.breaks = [], None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetched(hub, folder: Path, *options: str) -> subprocess.CompletedProcess:
    """Run `acestep-mcp engine --download` in a new process: the Hub's address is read when its library is imported."""
    vocabulary = folder / "vocab.json"
    vocabulary.write_text("{}", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "ACESTEP_"))}
    environment |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1",
        "ACESTEP_DATA_DIR": str(folder), "HF_HUB_DOWNLOAD_TIMEOUT": "5",
    }  # fmt: skip
    command = [sys.executable, "-m", "acestep_mcp", "engine", "--download", "--vocab", str(vocabulary), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)


def snapshot(folder: Path) -> Path:
    return published.PUBLISHED.snapshot(folder / "hf" / "hub")


def test_only_the_needed_files_are_fetched_once_and_their_size_is_reported_first(hub, tmp_path: Path) -> None:
    done = fetched(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"0.00 GB in 9 files, into {snapshot(tmp_path)}" in done.stderr.splitlines()[0]
    assert published.find_weights(snapshot(tmp_path))
    assert not (snapshot(tmp_path) / "README.md").exists()
    hub.sent.clear()
    again = fetched(hub, tmp_path)
    assert again.returncode == 0 and "are all there" in again.stderr
    assert hub.sent == []


@pytest.mark.slow
def test_the_other_models_files_are_fetched_when_its_engine_is_named(hub, tmp_path: Path) -> None:
    done = fetched(hub, tmp_path, "--engine", "ace-step-v1.5")
    assert done.returncode == 0, done.stderr
    there = published15.PUBLISHED.snapshot(tmp_path / "hf" / "hub")
    assert f"0.01 GB in 15 files, into {there}" in done.stderr.splitlines()[0]
    assert published15.find_weights(there)
    assert set(hub.sent) == set(V15)


@pytest.mark.slow
def test_a_model_of_a_branch_is_fetched_with_the_files_it_has_and_found_again(hub, tmp_path: Path) -> None:
    done = fetched(hub, tmp_path, "--engine", "ace-step-v1.5", "--checkpoint", published15.SFT)
    assert done.returncode == 0, done.stderr
    there = SFT.snapshot(tmp_path / "hf" / "hub")
    assert there.name == COMMITS[SFT]
    assert published15.find_weights(there, SFT) == there
    assert set(hub.sent) == set(V15_SFT) - {"README.md"}
    hub.sent.clear()
    assert (
        "are all there" in fetched(hub, tmp_path, "--engine", "ace-step-v1.5", "--checkpoint", published15.SFT).stderr
    )
    assert hub.sent == []


@pytest.mark.slow
def test_a_file_that_is_cut_short_in_the_cache_is_fetched_again(hub, tmp_path: Path) -> None:
    assert fetched(hub, tmp_path).returncode == 0
    file = snapshot(tmp_path) / published.VOCODER
    file.resolve().write_bytes(V1[published.VOCODER][:1000])
    with pytest.raises(ConfigurationError, match="--download|is not whole"):
        published.find_weights(snapshot(tmp_path))
    hub.sent.clear()
    assert fetched(hub, tmp_path).returncode == 0
    assert hub.sent == [published.VOCODER]
    assert published.find_weights(snapshot(tmp_path))


@pytest.mark.slow
def test_an_interrupted_download_resumes(hub, tmp_path: Path) -> None:
    hub.breaks = published.TRANSFORMER
    done = fetched(hub, tmp_path)
    if done.returncode:  # the library may not retry by itself
        assert "what has arrived is kept" in done.stderr
        assert fetched(hub, tmp_path).returncode == 0
    assert hub.sent.count(published.TRANSFORMER) == 2
    assert published.find_weights(snapshot(tmp_path))


@pytest.mark.slow
def test_a_hub_that_does_not_answer_is_an_error_that_says_what_to_do(hub, tmp_path: Path) -> None:
    hub.shutdown()
    hub.server_close()
    done = fetched(hub, tmp_path)
    assert done.returncode == 1
    assert "could not be fetched" in done.stderr and "--weights" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_little_disk_space_is_an_error_before_the_download(tmp_path: Path) -> None:
    plan = DownloadPlan(published.PUBLISHED, tmp_path / "snapshot", {"a": 1 << 60}, {"a": 1 << 60})
    with pytest.raises(StorageError, match="HF_HOME"):
        check_free_space(plan)


def test_a_vocabulary_with_another_checksum_is_not_kept(tmp_path: Path) -> None:
    requested = []

    def fetch(url: str, path: Path) -> None:
        requested.append(url)
        path.write_text("{}", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="is not the file it was"):
        vocabulary_file.download(tmp_path, fetch, requested.append)
    assert requested[-1].startswith(
        "https://raw.githubusercontent.com/ace-step/ACE-Step/d612523f50e252c0e138e68ae75b06223f96e934/"
    )
    assert list(vocabulary_file.download_path(tmp_path).parent.iterdir()) == []


@pytest.mark.skipif(VOCABULARY is None, reason="ACESTEP_LYRIC_VOCAB does not name the model's vocab.json")
def test_the_right_vocabulary_is_kept_and_fetched_once(tmp_path: Path) -> None:
    right = Path(VOCABULARY).read_bytes()
    lines = []
    for _ in range(2):
        vocabulary_file.download(tmp_path, lambda _, path: path.write_bytes(right), lines.append)
    assert vocabulary_file.download_path(tmp_path).read_bytes() == right
    assert len(lines) == 1
