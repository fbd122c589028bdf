"""Submit, status, result and cancel, as three official clients need them."""

from __future__ import annotations

import io

import pytest
import soundfile

from acestep_mcp.audio.hearing import hear
from acestep_mcp.audio.read import read

pytestmark = pytest.mark.anyio

ADDRESSES = {"request_id", "response_url", "status_url", "cancel_url"}
SHORT = "http://localhost/fal-ai/ace-step/requests/"


async def test_a_submit_is_answered_with_the_ticket_that_every_client_can_read(embedded):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step/prompt-to-audio", json={"prompt": "lofi", "duration": 5})
    ticket = reply.json()
    assert reply.status_code == 200
    assert set(ticket) == ADDRESSES | {"status", "queue_position", "logs", "metrics"}
    assert (ticket["status"], ticket["logs"], ticket["metrics"], ticket["queue_position"]) == ("IN_QUEUE", None, {}, 0)
    assert ticket["response_url"] == SHORT + ticket["request_id"]
    assert ticket["status_url"] == f"{SHORT}{ticket['request_id']}/status"
    assert ticket["cancel_url"] == f"{SHORT}{ticket['request_id']}/cancel"
    assert reply.headers["x-fal-request-id"] == ticket["request_id"]
    assert reply.headers["content-type"] == "application/json"


async def test_each_state_has_its_code_and_its_keys(embedded):
    async with embedded() as desk:
        first = await desk.submit(body={"tags": "hold"})
        await desk.running()
        second = await desk.submit()
        queued, running = await desk.get(second, "/status?logs=1"), await desk.get(first, "/status")
        desk.engine.release.set()
        await desk.end(second)
        ended = await desk.get(second, "/status")
    assert (queued.status_code, running.status_code, ended.status_code) == (202, 202, 200)
    assert set(queued.json()) == ADDRESSES | {"status", "queue_position"}
    assert set(running.json()) == ADDRESSES | {"status", "logs"}
    assert set(ended.json()) == ADDRESSES | {"status", "logs", "metrics"}
    assert [reply.json()["status"] for reply in (queued, running, ended)] == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert running.json()["logs"] is None
    assert ended.json()["metrics"]["inference_time"] > 0
    assert {reply.headers["x-fal-request-id"] for reply in (queued, ended)} == {second["request_id"]}


async def test_polling_gives_the_whole_log_each_time(embedded):
    async with embedded() as desk:
        ticket = await desk.submit()
        await desk.end(ticket)
        asked = [f"{tail}?logs={value}" for tail in ("/status", "/status/") for value in ("1", "true", "True")]
        first, *others = [(await desk.get(ticket, tail)).json()["logs"] for tail in asked]
    assert others == [first] * 5
    assert [line["message"] for line in first] == [f"rendering {n}/3" for n in range(4)]
    assert set(first[0]) == {"timestamp", "message", "labels", "level", "source"}
    assert first[0]["timestamp"].count(":") == 2
    assert "Z" not in first[0]["timestamp"]


async def test_the_result_is_the_songs_own_body_at_each_of_its_addresses(embedded, tmp_path):
    async with embedded() as desk:
        ticket = await desk.submit()
        await desk.end(ticket)
        reply, *others = [await desk.get(ticket, tail) for tail in ("", "/", "/response", "/response/")]
        assert [(other.status_code, other.content) for other in others] == [(200, reply.content)] * 3
        body = reply.json()
        audio = await desk.http.get(body["audio"]["url"])
    path = tmp_path / "song.wav"
    path.write_bytes(audio.content)
    heard = hear(read(path))
    assert reply.status_code == 200
    assert set(body) == {"audio", "seed", "tags", "lyrics", "acestep"}
    assert (body["seed"], body["tags"], body["lyrics"]) == (42, "lofi, chill", "[verse]\nhello")
    assert set(body["audio"]) == {"url", "content_type", "file_name", "file_size"}
    assert body["audio"]["file_size"] == len(audio.content)
    assert body["audio"]["content_type"] == audio.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(audio.content)).duration == 5
    assert body["acestep"] == {
        "engine": "sine",
        "model": "sine-1",
        "version": "1.0",
        "notes": ["a note"],
        "sections": [{"name": "verse", "start": 0, "end": 5}],
        "measured": heard.levels.facts(),
        "heard": heard.facts(),
    }


async def test_a_song_without_words_says_inst(embedded):
    async with embedded() as desk:
        for lyrics in ("", "[inst]", " [Instrumental] "):
            body = (await desk.end(await desk.submit(body={"lyrics": lyrics}))).json()
            assert body["lyrics"] == "[inst]", lyrics


async def test_a_result_asked_for_too_early_is_a_400(embedded):
    async with embedded() as desk:
        ticket = await desk.submit(body={"tags": "hold"})
        reply = await desk.get(ticket)
    assert (reply.status_code, reply.json()) == (400, {"detail": "Request is still in progress"})
    assert reply.headers["x-fal-request-id"] == ticket["request_id"]


@pytest.mark.parametrize("app", ["fal-ai/ace-step", "fal-ai/other"])
async def test_an_unknown_id_is_not_found_at_every_address(embedded, app):
    async with embedded() as desk:
        for path in ("", "/response", "/status", "/status/stream", "/cancel"):
            method = "PUT" if path == "/cancel" else "GET"
            reply = await desk.http.request(method, f"/{app}/requests/0190-nobody{path}")
            assert (reply.status_code, reply.json()) == (404, {"status": "NOT_FOUND"}), path


async def test_the_long_form_of_an_address_is_understood_but_another_app_is_not(embedded):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step/prompt-to-audio", json={"prompt": "x", "duration": 5})
        tail = f"requests/{reply.json()['request_id']}/status"
        codes = [
            (await desk.http.get(f"/fal-ai/{app}/{tail}")).status_code
            for app in ("ace-step/prompt-to-audio", "ace-step", "ace-step/audio-inpaint", "other")
        ]
    assert [code in {200, 202} for code in codes] == [True, True, False, False]


async def test_a_wrong_field_is_refused_at_the_submit_in_fals_shape(embedded):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step", json={"duration": 2})
    assert reply.status_code == 422
    tags, duration = sorted(reply.json()["detail"], key=lambda entry: entry["loc"], reverse=True)
    assert (tags["loc"], tags["type"]) == (["body", "tags"], "missing")
    assert (duration["loc"], duration["type"], duration["input"]) == (["body", "duration"], "greater_than_equal", 2)
    assert "5" in duration["msg"]
    assert duration["url"].startswith("https://docs.fal.ai/errors/#")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "json_invalid"),
        (b"[1]", "dict_type"),
        (b"\xff\xfe", "json_invalid"),
        (b'{"tags": "x", "duration": NaN}', "json_invalid"),
        (b'{"tags": "x", "duration": 1e999}', "finite_number"),
        (b'{"tags": "\\ud800"}', "string_unicode"),
        (b"[" * 100_000, "json_invalid"),
        (b'{"tags": ' + b"9" * 5000 + b"}", "json_invalid"),
    ],
)
async def test_a_body_that_is_no_request_is_a_422(embedded, content, kind):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step", content=content)
    assert reply.status_code == 422, reply.text
    assert reply.json()["detail"][0]["type"] == kind


async def test_an_empty_body_is_an_empty_request(embedded):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step", headers={"content-type": "application/json"})
    assert [entry["type"] for entry in reply.json()["detail"]] == ["missing"]


async def test_nulls_are_absent_and_unknown_fields_are_dropped_with_a_log_line(embedded, caplog):
    caplog.set_level("INFO")
    async with embedded() as desk:
        ticket = await desk.submit(body={"seed": None, "lyrics": None, "webhook_secret": "x"})
        body = (await desk.end(ticket)).json()
    assert 0 <= body["seed"] < 2**32
    assert body["lyrics"] == "[inst]"
    assert "webhook_secret" in caplog.text


async def test_two_requests_without_a_seed_are_two_songs(embedded):
    async with embedded() as desk:
        seeds = [(await desk.end(await desk.submit(body={"seed": None}))).json()["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]


async def test_the_engines_refusal_arrives_with_the_result_and_its_short_form_in_the_status(embedded):
    async with embedded() as desk:
        ticket = await desk.submit(body={"tags": "refuse"})
        result, status = await desk.end(ticket), (await desk.get(ticket, "/status?logs=1")).json()
    assert result.status_code == 422
    assert result.json()["detail"][0]["loc"] == ["body", "start_time"]
    assert (status["status"], status["error_type"]) == ("COMPLETED", "value_error")
    assert "start_time: lies past the end" in status["error"]
    assert status["logs"][-1]["level"] == "ERROR"


async def test_a_failed_generation_is_a_500_with_its_own_words(embedded):
    async with embedded() as desk:
        result = await desk.end(await desk.submit(body={"tags": "fail"}))
    assert result.status_code == 500
    assert result.json() == {"detail": "The sine broke.", "error_type": "runner_server_error"}
    assert result.headers["x-fal-error-type"] == "runner_server_error"


async def test_a_bug_is_told_to_the_log_only_and_the_next_job_runs(embedded, caplog):
    async with embedded() as desk:
        result = await desk.end(await desk.submit(body={"tags": "bug"}))
        after = await desk.end(await desk.submit())
    assert (result.status_code, result.json()["error_type"]) == (500, "internal_error")
    assert "secret" not in result.text
    assert "a secret of the inside" in caplog.text
    assert after.status_code == 200


async def test_an_engine_that_stops_without_a_song_is_a_failure(embedded):
    async with embedded() as desk:
        desk.engine.generate = lambda request, source: iter(())
        result = await desk.end(await desk.submit())
    assert result.status_code == 500
    assert "stopped before" in result.json()["detail"]


async def test_a_waiting_job_that_is_cancelled_never_starts(embedded):
    async with embedded() as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        waiting = await desk.submit(body={"tags": "never"})
        reply = await desk.cancel(waiting)
        result, status = await desk.get(waiting), await desk.get(waiting, "/status")
        last = await desk.submit()
        desk.engine.release.set()
        await desk.end(last)
    assert (reply.status_code, reply.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
    assert (result.status_code, result.json()["error_type"]) == (499, "client_cancelled")
    assert (status.status_code, status.json()["error_type"]) == (200, "client_cancelled")
    assert [request.tags for request in desk.engine.requests] == ["hold", "lofi, chill"]


async def test_a_running_job_that_is_cancelled_ends_and_its_engine_is_stopped(embedded):
    async with embedded() as desk:
        ticket = await desk.submit(body={"tags": "hold"})
        await desk.running()
        reply = await desk.cancel(ticket)
        await desk.stopped()
        result = await desk.end(ticket)
        again = await desk.cancel(ticket)
    assert reply.status_code == 202
    assert result.status_code == 499
    assert result.json() == {"detail": "Request cancelled by the client.", "error_type": "client_cancelled"}
    assert (again.status_code, again.json()) == (400, {"status": "ALREADY_COMPLETED"})


async def test_a_finished_job_cannot_be_cancelled_and_keeps_its_result(embedded):
    async with embedded() as desk:
        ticket = await desk.submit()
        await desk.end(ticket)
        reply = await desk.cancel(ticket)
        result = await desk.get(ticket)
    assert (reply.status_code, reply.json()) == (400, {"status": "ALREADY_COMPLETED"})
    assert result.status_code == 200


async def test_an_unknown_endpoint_is_a_404_that_names_the_five(embedded):
    async with embedded() as desk:
        replies = [await desk.http.post(path, json={}) for path in ("/fal-ai/other", "/fal-ai/ace-step/x", "/")]
    assert [reply.status_code for reply in replies] == [404, 404, 404]
    assert all("fal-ai/ace-step/audio-inpaint" in reply.json()["detail"] for reply in replies)


async def test_a_webhook_is_refused_and_nothing_is_queued(embedded):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step?fal_webhook=http://example.com", json={"tags": "x"})
        health = (await desk.http.get("/health")).json()
    assert reply.status_code == 400
    assert (health["queued"], health["running"]) == (0, 0)


async def test_one_client_can_submit_by_get(embedded):
    async with embedded() as desk:
        reply = await desk.http.get(
            "/fal-ai/ace-step", params={"tags": "a b", "duration": 5, "seed": 7, "lyrics": "null"}
        )
        body = (await desk.end(reply.json())).json()
    assert (body["tags"], body["seed"], body["lyrics"]) == ("a b", 7, "[inst]")


async def test_a_trailing_slash_is_answered_directly_everywhere(embedded):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step/", json={"tags": "x", "duration": 5})
        ticket = reply.json()
        await desk.end(ticket)
        codes = [(await desk.get(ticket, tail)).status_code for tail in ("/", "/status/", "/status/stream/")]
        cancel = await desk.http.put(f"/fal-ai/ace-step/requests/{ticket['request_id']}/cancel/")
    assert reply.status_code == 200
    assert codes == [200, 200, 200]
    assert cancel.status_code == 400


async def test_replies_are_plain_ascii(embedded):
    async with embedded() as desk:
        ticket = await desk.submit(body={"tags": "ローファイ", "lyrics": "مرحبا 🐙"})
        result = await desk.end(ticket)
    assert result.content.isascii()
    assert (result.json()["tags"], result.json()["lyrics"]) == ("ローファイ", "مرحبا 🐙")


async def test_a_direct_run_answers_with_the_result_itself(embedded):
    async with embedded() as desk:
        good = await desk.http.post("/run/fal-ai/ace-step", json={"tags": "x", "duration": 5, "seed": 3})
        bad = await desk.http.post("/run/fal-ai/ace-step", json={"tags": "fail", "duration": 5})
    assert (good.status_code, good.json()["seed"]) == (200, 3)
    assert good.headers["x-fal-request-id"]
    assert bad.status_code == 500


async def test_a_direct_stream_ends_with_the_result(embedded):
    async with embedded() as desk:
        reply = await desk.http.post("/run/fal-ai/ace-step/stream", json={"tags": "x", "duration": 5, "seed": 3})
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert '"seed":3' in reply.text.strip().splitlines()[-1]


async def test_public_url_is_what_every_address_begins_with(embedded):
    async with embedded(public_url="https://music.example/engine/") as desk:
        ticket = await desk.submit()
        body = (await desk.end(ticket)).json()
    assert ticket["status_url"].startswith("https://music.example/engine/fal-ai/ace-step/requests/")
    assert body["audio"]["url"].startswith("https://music.example/engine/files/")


async def test_an_error_in_the_callers_block_comes_out_as_itself(embedded):
    with pytest.raises(LookupError, match="mine"):
        async with embedded():
            raise LookupError("mine")


async def test_without_a_database_nothing_is_left_behind(embedded, tmp_path):
    async with embedded() as desk:
        await desk.end(await desk.submit())
        assert any((tmp_path / "queue" / "files").iterdir())
    assert not (tmp_path / "queue").exists()


KEY = {"Idempotency-Key": "a1b2c3d4e5f6g7h8"}


async def test_two_submits_with_one_idempotency_key_are_one_request_named_by_it(embedded):
    async with embedded() as desk:
        first, again = [await desk.submit(headers=KEY) for _ in range(2)]
        other = await desk.submit(headers={"Idempotency-Key": "Another one!"})
        assert first["request_id"] == again["request_id"] == KEY["Idempotency-Key"]
        assert other["request_id"] != first["request_id"]
        assert (await desk.submit(headers={"Idempotency-Key": "Another one!"}))["request_id"] == other["request_id"]
        for ticket in (first, other):
            assert (await desk.end(ticket)).status_code == 200
        late = await desk.submit(headers=KEY)
        assert (await desk.end(late)).json() == (await desk.end(first)).json()
    assert len(desk.engine.requests) == 2


async def test_a_drawn_seed_does_not_make_a_repeated_submit_another_request(embedded):
    async with embedded() as desk:
        body = {"tags": "lofi", "duration": 5}
        tickets = [await desk.http.post("/fal-ai/ace-step", json=body, headers=KEY) for _ in range(2)]
        assert [ticket.json()["request_id"] for ticket in tickets] == [KEY["Idempotency-Key"]] * 2
        await desk.end(tickets[0].json())
    assert len(desk.engine.requests) == 1


async def test_an_idempotency_key_with_other_arguments_or_another_endpoint_is_refused(embedded):
    async with embedded() as desk:
        ticket = await desk.submit(headers=KEY)
        for path, body in (("", {"tags": "rock", "duration": 5}), ("/prompt-to-audio", {"prompt": "a song"})):
            refused = await desk.http.post(f"/fal-ai/ace-step{path}", json=body, headers=KEY)
            assert refused.status_code == 422
            assert "other arguments" in refused.text
        assert (await desk.end(ticket)).status_code == 200
    assert len(desk.engine.requests) == 1


async def test_an_unknown_request_says_that_no_submit_had_its_key(embedded):
    async with embedded() as desk:
        reply = await desk.get({"request_id": KEY["Idempotency-Key"]}, "/status")
    assert (reply.status_code, reply.json()) == (404, {"status": "NOT_FOUND"})
    assert reply.headers["x-acestep-idempotency"] == "1"
