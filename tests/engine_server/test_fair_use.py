"""Several keys with names: what each may see, how much it may have running and waiting, and whose job is next.

`shared/test_fair_use.py` runs the same tests on a queue in PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from acestep_mcp.engine_server.api_keys import ApiKeys, read
from tests.engine_server.conftest import APP, BODY, EngineClient
from tests.engine_server.test_concurrency import Choir, until_running

pytestmark = pytest.mark.anyio

KEYS = {name: f"canary-{name}-5f3e1a9b27c4" for name in ("anna", "bert", "cleo")}


def keys_of(folder: Path, **limits: str) -> ApiKeys:
    """Anna, Bert and Cleo with their keys; `limits` are further lines of an entry."""
    file = folder / "keys.toml"
    entries = (f'[keys.{name}]\nkey = "{key}"\n{limits.get(name, "")}\n' for name, key in KEYS.items())
    file.write_text("".join(entries), encoding="utf-8")
    return read(file)


def caller(desk: EngineClient, key: str | None) -> EngineClient:
    """The same server, called with a key."""
    headers = {"authorization": f"Key {key}"} if key else {}
    transport = httpx.ASGITransport(desk.app, raise_app_exceptions=False)
    http = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)
    return EngineClient(http, desk.engine, desk.app)


def callers(desk: EngineClient) -> list[EngineClient]:
    return [caller(desk, key) for key in KEYS.values()]


@pytest.fixture
def opened(embedded):
    """Open a server: `async with opened(keys=keys) as desk`."""
    return embedded


async def answers(desk: EngineClient, ticket: dict) -> list[tuple[int, str, list[str]]]:
    """What every route says of a request, without its id."""
    path = f"{APP}/requests/{ticket['request_id']}"
    calls = [
        ("GET", path),
        ("GET", f"{path}/response"),
        ("GET", f"{path}/status?logs=1"),
        ("GET", f"{path}/status/stream"),
        ("PUT", f"{path}/cancel"),
        ("DELETE", path),
        ("GET", f"{APP}/audio-inpaint/requests/{ticket['request_id']}/status"),
    ]
    replies = [await desk.http.request(method, address) for method, address in calls]
    return [(reply.status_code, reply.text, sorted(reply.headers)) for reply in replies]


@pytest.mark.slow
async def test_no_answer_tells_the_request_of_another_key_from_one_that_does_not_exist(opened, tmp_path):
    async with opened(keys=keys_of(tmp_path)) as desk:
        anna, bert, _ = callers(desk)
        done = await anna.submit()
        assert (await anna.end(done)).status_code == 200
        desk.engine.started.clear()
        runs, waits = [await anna.submit(body={"tags": "hold"}) for _ in range(2)]
        await anna.running()
        unknown = await answers(bert, {"request_id": "00000000-0000-4000-8000-000000000000"})
        for ticket in (done, runs, waits):
            assert await answers(bert, ticket) == unknown
        assert {status for status, _, _ in unknown} == {404}
        states = [(await anna.get(ticket, "/status")).json()["status"] for ticket in (done, runs, waits)]
        assert states == ["COMPLETED", "IN_PROGRESS", "IN_QUEUE"]
        desk.engine.release.set()
        assert [(await anna.end(ticket)).status_code for ticket in (done, runs, waits)] == [200, 200, 200]


@pytest.mark.slow
async def test_an_idempotency_key_is_its_owners_even_if_it_is_the_id_of_anothers_request(opened, tmp_path):
    async with opened(keys=keys_of(tmp_path)) as desk:
        anna, bert, _ = callers(desk)
        first = await anna.submit()
        chosen = {"Idempotency-Key": first["request_id"]}
        other = await bert.submit(body={"seed": 7}, headers=chosen)
        again = await bert.submit(body={"seed": 7}, headers=chosen)
        assert (other["request_id"] == again["request_id"]) is True
        assert other["request_id"] != first["request_id"]
        asked = await bert.get(first, "/status")  # as a client asks whether its submit has arrived
        assert asked.json()["request_id"] == other["request_id"]
        assert [(await bert.end(other)).json()["seed"], (await anna.end(first)).json()["seed"]] == [7, 42]


@pytest.mark.slow
async def test_files_are_for_their_owner_and_for_those_who_were_given_the_address(opened, tmp_path, wav):
    async with opened(keys=keys_of(tmp_path)) as desk:
        anna, bert, _ = callers(desk)
        song = (await anna.end(await anna.submit())).json()["audio"]["url"]
        upload = (await anna.http.post("/files/upload", content=wav)).json()["access_url"]
        for address in (song, upload):
            codes = [(await each.http.get(address)).status_code for each in (anna, bert, caller(desk, None))]
            assert codes == [200, 404, 200]
        edit = {"original_tags": "x", "seed": 1}
        ours, theirs, unknown = [
            await each.http.post(f"{APP}/audio-to-audio", json={"audio_url": url, "tags": "y", **edit})
            for each, url in ((anna, upload), (bert, upload), (bert, upload[:-10] + "aaaaaa.wav"))
        ]
        assert (ours.status_code, theirs.status_code) == (200, 422)
        assert theirs.json()["detail"][0]["msg"] == unknown.json()["detail"][0]["msg"]
        assert (await anna.end(ours.json())).status_code == 200


async def test_an_unfinished_upload_is_continued_by_its_owner_only(opened, tmp_path, wav):
    async with opened(keys=keys_of(tmp_path)) as desk:
        anna, bert, _ = callers(desk)
        token = (await anna.http.post("/storage/auth/token")).json()["token"]
        by_token, begun = caller(desk, token), (await anna.http.post("/files/upload/multipart")).json()
        part = begun["access_url"].removeprefix("http://localhost") + f"/multipart/{begun['uploadId']}"
        assert (await bert.http.put(f"{part}/1", content=wav)).status_code == 404
        etag = (await by_token.http.put(f"{part}/1", content=wav)).json()["etag"]
        done = {"parts": [{"partNumber": 1, "etag": etag}]}
        codes = [(await each.http.post(f"{part}/complete", json=done)).status_code for each in (bert, by_token)]
        assert codes == [404, 200]
        assert (await by_token.http.post(APP, json=BODY)).status_code == 401
        assert [(await each.http.get(begun["access_url"])).status_code for each in (anna, bert)] == [200, 404]


@pytest.mark.slow
async def test_only_a_right_key_opens_and_no_answer_or_log_has_a_key(opened, tmp_path, caplog):
    caplog.set_level("DEBUG")
    async with opened(keys=keys_of(tmp_path)) as desk:
        anna = callers(desk)[0]
        wrong = [KEYS["anna"][:-1], KEYS["anna"] + "a", "anna", "", f"0.{'0' * 64}"]
        replies = [await caller(desk, key).http.post(APP, json=BODY) for key in wrong]
        replies += [await caller(desk, key).http.post("/files/upload", content=b"x") for key in wrong]
        assert {reply.status_code for reply in replies} == {401}
        replies += [await anna.end(await anna.submit()), await anna.http.post("/storage/auth/token")]
        replies += [await desk.http.get(path) for path in ("/", "/health", "/openapi.json", "/ready")]
        said = " ".join([caplog.text, *(reply.text + str(reply.headers) for reply in replies)])
    assert not [key for key in KEYS.values() if key in said]


async def test_within_one_priority_the_owners_take_turns_and_positions_say_so(opened, tmp_path):
    async with opened(keys=keys_of(tmp_path)) as desk:
        anna, bert, cleo = callers(desk)
        await anna.submit(body={"tags": "hold"})
        await anna.running()
        low = {"X-Fal-Queue-Priority": "low"}
        submits = [
            (anna, "low a1", low), (anna, "low a2", low),
            (anna, "a1", {}), (anna, "a2", {}), (anna, "a3", {}), (bert, "b1", {}), (bert, "b2", {}), (cleo, "c1", {}),
            (cleo, "low c1", low),
        ]  # fmt: skip
        tickets = [
            (each, tags, await each.submit(body={"tags": f"{tags} refuse"}, headers=headers))
            for each, tags, headers in submits
        ]
        places = {tags: (await each.get(ticket, "/status")).json()["queue_position"] for each, tags, ticket in tickets}
        desk.engine.release.set()
        for each, _, ticket in tickets:
            await each.end(ticket)
    order = ["b1", "c1", "a1", "b2", "a2", "a3", "low c1", "low a1", "low a2"]
    assert [request.tags.removesuffix(" refuse") for request in desk.engine.requests[1:]] == order
    assert [tags for tags in sorted(places, key=places.__getitem__) if "low" not in tags] == order[:6]
    assert sorted(places.values()) == list(range(9))


async def test_of_one_keys_requests_no_more_run_at_once_than_it_may_and_others_pass(opened, tmp_path):
    async with opened(keys=keys_of(tmp_path, anna="max_running = 1"), engine=Choir(3)) as desk:
        anna, bert, _ = callers(desk)
        mine = [await anna.submit(body={"tags": "hold"}) for _ in range(3)]
        await until_running(desk, 1)
        theirs = [await bert.submit(body={"tags": "hold"}) for _ in range(2)]
        await until_running(desk, 3)
        assert (await anna.get(mine[1], "/status")).json()["status"] == "IN_QUEUE"
        for each, ticket in ((bert, theirs[0]), (anna, mine[0])):
            await each.cancel(ticket)
            await each.end(ticket)
        await until_running(desk, 2)
        assert (await anna.get(mine[1], "/status")).json()["status"] == "IN_PROGRESS"
        desk.engine.release.set()
        assert (await anna.end(mine[2])).status_code == 200


async def test_a_key_with_too_many_waiting_requests_is_told_what_to_do_and_others_are_served(opened, tmp_path):
    async with opened(keys=keys_of(tmp_path, anna="max_waiting = 2")) as desk:
        anna, bert, _ = callers(desk)
        await anna.submit(body={"tags": "hold"})
        await anna.running()
        waiting = [await anna.submit() for _ in range(2)]
        refused = await anna.http.post(APP, json=BODY)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert "2 of your requests are waiting, and your key may have 2" in refused.json()["detail"]
        assert "cancel one, then submit again" in refused.json()["detail"]
        await bert.submit()
        await anna.cancel(waiting[0])
        assert (await anna.http.post(APP, json=BODY)).status_code == 200
        desk.engine.release.set()


@pytest.mark.slow
async def test_a_synchronous_run_belongs_to_its_key_and_counts(opened, tmp_path):
    async with opened(keys=keys_of(tmp_path, anna="max_waiting = 1")) as desk:
        anna, bert, _ = callers(desk)
        await anna.submit(body={"tags": "hold"})
        await anna.running()
        await anna.submit()
        assert (await anna.http.post(f"/run{APP}", json=BODY)).status_code == 429
        desk.engine.release.set()
        ran = await bert.http.post(f"/run{APP}", json=BODY)
        assert ran.status_code == 200
        assert (await anna.get({"request_id": ran.headers["x-fal-request-id"]})).status_code == 404


@pytest.mark.slow
async def test_after_a_restart_requests_still_belong_to_their_names_and_no_key_is_on_the_disk(opened, tmp_path):
    options = {"keys": keys_of(tmp_path), "database": tmp_path / "data" / "jobs.sqlite3"}
    async with opened(**options) as desk:
        anna, bert, _ = callers(desk)
        done = await anna.submit()
        await anna.end(done)
        waits = await bert.submit(body={"tags": "hold"})
        await bert.running()
    async with opened(**options) as desk:
        anna, bert, _ = callers(desk)
        desk.engine.release.set()
        await bert.end(waits)
        codes = [(await each.get(ticket)).status_code for each in (anna, bert) for ticket in (done, waits)]
        assert codes == [200, 404, 404, 200]
    with_one_key = {**options, "keys": None, "key": KEYS["anna"]}
    async with opened(**with_one_key) as desk:
        assert (await caller(desk, KEYS["anna"]).get(done)).status_code == 404
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "keys.toml"]
    assert files
    assert not [path for path in files for key in KEYS.values() if key.encode() in path.read_bytes()]
