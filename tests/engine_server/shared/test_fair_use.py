"""The tests of several keys on a queue in PostgreSQL, and what two fronts have to agree on."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.engine_server.conftest import APP, BODY, _embedded
from tests.engine_server.test_concurrency import Choir
from tests.engine_server.test_fair_use import (  # noqa: F401 - the same tests, with another queue
    callers,
    keys_of,
    test_a_key_with_too_many_waiting_requests_is_told_what_to_do_and_others_are_served,
    test_a_synchronous_run_belongs_to_its_key_and_counts,
    test_after_a_restart_requests_still_belong_to_their_names_and_no_key_is_on_the_disk,
    test_an_idempotency_key_is_its_owners_even_if_it_is_the_id_of_anothers_request,
    test_an_unfinished_upload_is_continued_by_its_owner_only,
    test_files_are_for_their_owner_and_for_those_who_were_given_the_address,
    test_no_answer_tells_the_request_of_another_key_from_one_that_does_not_exist,
    test_of_one_keys_requests_no_more_run_at_once_than_it_may_and_others_pass,
    test_only_a_right_key_opens_and_no_answer_or_log_has_a_key,
    test_within_one_priority_the_owners_take_turns_and_positions_say_so,
)

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture
def front(tmp_path: Path, jobs: str):
    """Open a front: `async with front("a", keys=keys) as desk`."""

    def opened(name: str, **options):
        options = {"lease": 5.0, "files": (tmp_path / "shared").as_uri(), **options, "jobs": jobs}
        return _embedded(tmp_path / name, **options)

    return opened


@pytest.fixture
def opened(front):
    return lambda **options: front("a", **options)


async def until_all_begin(desks, count):
    with anyio.fail_after(10):
        while sum(len(desk.engine.requests) for desk in desks) < count:
            await anyio.sleep(0.01)


async def test_limits_count_at_all_fronts_together(front, tmp_path):
    keys = keys_of(tmp_path, anna="max_running = 2\nmax_waiting = 2")
    async with front("a", keys=keys, engine=Choir(3)) as a, front("b", keys=keys, engine=Choir(3)) as b:
        anna, anna_at_b = callers(a)[0], callers(b)[0]
        bert_at_b = callers(b)[1]
        for each in (anna, anna_at_b):
            await each.submit(body={"tags": "hold"})
        await until_all_begin((a, b), 2)
        waiting = [await each.submit(body={"tags": "wait"}) for each in (anna, anna_at_b)]
        codes = [(await each.http.post(APP, json=BODY)).status_code for each in (anna, anna_at_b, bert_at_b)]
        assert codes == [429, 429, 200]
        await until_all_begin((a, b), 3)  # both fronts have passed Anna's two
        states = [(await anna.get(ticket, "/status")).json()["status"] for ticket in waiting]
        assert states == ["IN_QUEUE", "IN_QUEUE"]
        for desk in (a, b):
            desk.engine.release.set()
        assert [(await anna.end(ticket)).status_code for ticket in waiting] == [200, 200]


async def test_a_burst_of_submits_at_two_fronts_does_not_pass_the_limit(front, tmp_path):
    keys = keys_of(tmp_path, anna="max_running = 1\nmax_waiting = 3")
    async with front("a", keys=keys, engine=Choir(2)) as a, front("b", keys=keys, engine=Choir(2)) as b:
        both = [callers(a)[0], callers(b)[0]]
        await both[0].submit(body={"tags": "hold"})
        await until_all_begin((a, b), 1)
        codes: list[int] = []

        async def submit(desk):
            codes.append((await desk.http.post(APP, json=BODY)).status_code)

        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(submit, both[number % 2])
        for desk in (a, b):
            desk.engine.release.set()
    assert sorted(codes) == [200] * 3 + [429] * 9


async def test_turns_and_upload_tokens_are_those_of_all_fronts(front, tmp_path, wav):
    keys = keys_of(tmp_path)
    async with front("a", keys=keys) as a, front("b", keys=keys) as b:
        anna, bert, _ = callers(a)
        for _ in range(2):
            await anna.submit(body={"tags": "hold"})
        await until_all_begin((a, b), 2)
        tickets = [
            (each, await each.submit(body={"tags": tags})) for each, tags in ((anna, "a1"), (anna, "a2"), (bert, "b1"))
        ]
        a.engine.release.set()
        for each, ticket in tickets:
            await each.end(ticket)
        played = a.engine.requests if len(a.engine.requests) > 1 else b.engine.requests
        assert [request.tags for request in played[1:]] == ["b1", "a1", "a2"]
        token = (await anna.http.post("/storage/auth/token")).json()["token"]
        sent = await b.http.post("/files/upload", content=wav, headers={"authorization": f"Bearer {token}"})
        assert sent.status_code == 200
        codes = [(await each.http.get(sent.json()["access_url"])).status_code for each in callers(b)[:2]]
        assert codes == [200, 404]
        b.engine.release.set()


async def test_no_key_is_in_the_database_and_tables_of_the_first_version_learn_of_owners(front, jobs, tmp_path):
    import psycopg

    from acestep_mcp.engine_server.shared import schema
    from tests.engine_server.test_fair_use import KEYS

    with psycopg.connect(jobs, autocommit=True) as connection:
        connection.execute(schema.VERSION_TABLE.encode())
        for statement in schema.MIGRATIONS[0]:
            connection.execute(statement.encode())
        connection.execute("INSERT INTO acestep_schema VALUES (1)")
        connection.execute(
            "INSERT INTO acestep_job (id, endpoint, request, terms, created_at, state, attempts, cancelled, told, priority, "
            "synchronous, has_webhook, size, entry) VALUES ('0123456789abcdef', 'fal-ai/ace-step', '{\"tags\": \"old\"}', "
            "'{}', 1, 'IN_QUEUE', 0, false, false, 0, false, false, 1, 'x')"
        )
    async with front("a", keys=keys_of(tmp_path)) as desk:
        anna = callers(desk)[0]
        assert (await anna.end(await anna.submit())).status_code == 200
        assert (await anna.get({"request_id": "0123456789abcdef"})).status_code == 404
    assert {request.tags for request in desk.engine.requests} == {"old", BODY["tags"]}
    with psycopg.connect(jobs) as connection:
        owners = connection.execute("SELECT owner FROM acestep_job ORDER BY owner").fetchall()
        rows = connection.execute("SELECT query_to_xml('SELECT * FROM acestep_job', true, false, '')::text").fetchall()
        turns = connection.execute("SELECT name FROM acestep_turn").fetchall()
    assert owners == [("",), ("anna",)]
    assert {name for (name,) in turns} == {"", "anna"}
    assert not [key for key in KEYS.values() if key in str(rows)]
