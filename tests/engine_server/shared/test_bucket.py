"""Files of two fronts in a bucket, on moto's S3 server."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

pytest.importorskip("s3fs", reason="the extra fronts is not installed")
boto3 = pytest.importorskip("boto3")

from acestep_mcp.api.requests import TextToAudio  # noqa: E402
from acestep_mcp.engine_server.jobs import QueueJob  # noqa: E402
from acestep_mcp.engine_server.results import earlier_result  # noqa: E402
from acestep_mcp.engine_server.shared.bucket_store import BucketStore  # noqa: E402

pytestmark = [pytest.mark.process, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def stores(tmp_path: Path, monkeypatch):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "y", "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:{1}".format(*server.get_host_and_port()))
        boto3.client("s3").create_bucket(Bucket="songs")
        yield [BucketStore("s3://songs/x", tmp_path / name, 1 << 20) for name in ("a", "b")]
    finally:
        server.stop()


def test_what_one_front_stores_the_other_gives_and_forgets(stores) -> None:
    a, b = stores
    name, unknown = a.new_name(".wav"), a.new_name(".wav")
    made = a.job("job-1") / "result"
    made.write_bytes(b"song" * 100)
    a.publish(made, name)
    (a.job("job-2") / "source").write_bytes(b"source")
    a.keep_source("job-2")
    a.keep_outcome("job-2", b"{}")

    signed = httpx.get(b.address(name))
    assert (signed.content, signed.headers["content-type"]) == (b"song" * 100, "audio/wav")
    assert b.find(name).read_bytes() == signed.content
    assert b.source("job-2").read_bytes() == b"source"
    assert (b.outcome("job-2"), b.outcome("job-3")) == (b"{}", None)
    assert (b.address(unknown), b.find(unknown)) == (None, None)
    b.forget([name])
    assert a.address(name) is None


def test_parts_that_came_to_both_fronts_are_joined_and_leftovers_are_swept(stores) -> None:
    a, b = stores
    for number, (store, content) in enumerate(((a, b"one"), (b, b"two")), 1):
        arrived = store.parts("upload") / f"{number}-new"
        arrived.write_bytes(content)
        store.keep_part("upload", number, arrived)
    kept, left = a.new_name(".wav"), a.new_name(".wav")
    b.assemble("upload", [1, 2], kept)
    (a.job("job") / "result").write_bytes(b"x")
    a.publish(a.job("job") / "result", left)
    a.sweep(time.time() + 60, files={kept}, jobs=set())
    assert a.find(kept).read_bytes() == b"onetwo"
    assert b.address(left) is None


@pytest.mark.anyio
async def test_a_job_whose_outcome_cannot_be_read_now_is_made_again(tmp_path: Path, caplog) -> None:
    store, job = (
        BucketStore((tmp_path / "songs").as_uri(), tmp_path / "a", 1 << 20),
        QueueJob("fal-ai/ace-step", TextToAudio(tags="a")),
    )
    name = store.new_name(".wav")
    store.keep_outcome(job.id, json.dumps({"status": 200, "body": {}, "file": name}).encode())
    assert earlier_result(job, store) is None, "the song is not there"
    (store.job(job.id) / "result").write_bytes(b"song")
    store.publish(store.job(job.id) / "result", name)
    assert earlier_result(job, store).file == name
    kept = tmp_path / "songs" / "jobs" / job.id / "outcome"
    kept.write_bytes(kept.read_bytes()[:9])
    assert earlier_result(job, store) is None, "a server died while it wrote"
    store.clear_job(job.id)
    (tmp_path / "a" / "jobs" / job.id).write_bytes(b"in the way of a folder")
    assert earlier_result(job, store) is None
    assert "has a song already" in caplog.text
