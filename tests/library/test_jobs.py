"""Jobs as several processes see them: each `Jobs` below is one process on the same file."""

import time

import pytest

from acestep_mcp.api.errors import InvalidRequest, NotFound, SpendLimitReached, StorageError
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs, new_id
from acestep_mcp.library.models import Job, Progress, Status

DEAD_AT_ONCE = -1.0


@pytest.fixture
def process(tmp_path):
    """Makes a process on the one database; closed at the end."""
    opened = []

    def start(lease=15.0, *, beat=True):
        database = Database(tmp_path / "data" / "acestep.sqlite3")
        opened.append(database)
        jobs = Jobs(database, lease=lease)
        if beat:
            jobs.beat()
        return jobs

    yield start
    for database in opened:
        database.close()


def a_job(**changes):
    values = {
        "id": new_id(),
        "endpoint": "fal-ai/ace-step",
        "request": {"tags": "lofi"},
        "status": Status.NEW,
        "backend": "draft",
        "created_at": time.time(),
    }
    return Job(**values | changes)


def test_a_job_is_read_back_as_it_was_written_by_any_process(process):
    job = a_job(request={"tags": "桜", "seed": 4}, notes=("a",), options={"format": "flac"}, estimated_cost=0.5)
    process().add(job)
    assert process().get(job.id) == job


def test_every_field_can_be_changed_and_read_back(process):
    jobs = process()
    job = jobs.add(a_job())
    assert jobs.update(
        job.id,
        status=Status.IN_PROGRESS,
        ticket={"request_id": "r1"},
        progress={"fraction": 0.5, "stage": "rendering", "step": 1, "total": 2},
        logs=["a", "b"],
        started_at=5.0,
    )
    now = jobs.get(job.id)
    assert (now.status, now.request_id, now.logs, now.started_at) == (Status.IN_PROGRESS, "r1", ("a", "b"), 5.0)
    assert now.progress == Progress(0.5, "rendering", 1, 2)


def test_an_unknown_job_is_an_error_that_names_the_recent_ones(process):
    jobs = process()
    job = jobs.add(a_job())
    with pytest.raises(NotFound, match=job.id):
        jobs.get("nope")


def test_a_job_of_a_living_process_is_not_taken_over(process):
    owner, other = process(), process()
    owner.add(a_job())
    assert other.adopt() == []


def test_a_job_of_a_dead_process_is_taken_over_by_exactly_one(process):
    owner = process()
    job = owner.add(a_job())
    first, second = process(lease=DEAD_AT_ONCE), process(lease=DEAD_AT_ONCE)
    assert [taken.id for taken in first.adopt()] == [job.id]
    assert not owner.mine(job.id)
    assert not owner.update(job.id, status=Status.COMPLETED)
    assert first.get(job.id).status is Status.NEW
    assert first.update(job.id, status=Status.IN_QUEUE)
    second.lease = 15.0
    assert second.adopt() == []


def test_a_process_that_left_in_good_order_hands_its_jobs_on_at_once(process):
    owner, other = process(), process()
    job = owner.add(a_job())
    owner.leave()
    assert [taken.id for taken in other.adopt()] == [job.id]


def test_an_ended_job_is_neither_taken_over_nor_changed(process):
    owner, other = process(), process(lease=DEAD_AT_ONCE)
    job = owner.add(a_job())
    owner.update(job.id, status=Status.FAILED)
    assert other.adopt() == []
    assert not owner.update(job.id, status=Status.COMPLETED)


def test_the_same_call_twice_is_two_jobs_while_the_first_caller_waits_or_has_its_answer(process):
    jobs = process()
    first = jobs.add(a_job())
    second = jobs.add(a_job())
    assert second.id != first.id
    jobs.answer(first.id, "delivered")
    jobs.answer(second.id, "delivered")
    assert not jobs.add(a_job()).attached


def test_a_call_that_was_cut_is_attached_to_its_first_job_when_it_comes_again(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.answer(first.id, "cut")
    again = process().add(a_job())
    assert (again.id, again.attached) == (first.id, True)
    assert not process().add(a_job()).attached, "the second caller is waiting now"


def test_a_call_whose_process_crashed_is_attached_when_it_comes_again(process):
    first = process().add(a_job())
    again = process(lease=DEAD_AT_ONCE).add(a_job())
    assert (again.id, again.attached) == (first.id, True)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_call_is_never_attached_to_a_job_that_came_to_nothing(process, status):
    jobs = process()
    first = jobs.add(a_job())
    jobs.answer(first.id, "cut")
    jobs.update(first.id, status=status)
    assert not jobs.add(a_job()).attached


def long_ago(jobs, job_id):
    """Move everything that happened to the job eleven minutes back."""
    with jobs._database.writing() as db:
        db.execute("UPDATE jobs SET created_at = created_at - 660, ended_at = ended_at - 660, cut_at = cut_at - 660")


def test_a_finished_job_is_not_joined_ten_minutes_after_its_call_was_cut(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.answer(first.id, "cut")
    jobs.update(first.id, status=Status.COMPLETED, ended_at=time.time())
    assert jobs.add(a_job()).attached
    jobs.answer(first.id, "cut")
    long_ago(jobs, first.id)
    assert not jobs.add(a_job()).attached


def test_a_call_for_a_job_that_still_runs_is_joined_to_it_however_long_it_runs(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.answer(first.id, "cut")
    long_ago(jobs, first.id)
    assert jobs.add(a_job()).id == first.id


def test_a_song_that_ended_long_ago_is_joined_when_its_call_was_cut_a_moment_ago(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.update(first.id, status=Status.COMPLETED, ended_at=time.time())
    long_ago(jobs, first.id)
    jobs.answer(first.id, "cut")
    assert jobs.add(a_job()).id == first.id


def test_another_format_is_another_call(process):
    jobs = process()
    first = jobs.add(a_job(options={"format": "wav"}))
    jobs.answer(first.id, "cut")
    assert not jobs.add(a_job(options={"format": "flac"})).attached


def test_other_arguments_are_another_song(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.answer(first.id, "cut")
    assert not jobs.add(a_job(request={"tags": "lofi", "seed": 1})).attached
    assert not jobs.add(a_job(endpoint="fal-ai/ace-step/prompt-to-audio")).attached


def test_an_idempotency_key_gives_the_same_job_for_any_length_of_time(process):
    jobs = process()
    first = jobs.add(a_job(created_at=time.time() - 10**6), idempotency_key="k")
    jobs.answer(first.id, "delivered")
    assert jobs.add(a_job(), idempotency_key="k").id == first.id


def test_an_idempotency_key_with_other_arguments_is_an_error(process):
    jobs = process()
    jobs.add(a_job(), idempotency_key="k")
    with pytest.raises(InvalidRequest, match="other arguments"):
        jobs.add(a_job(request={"tags": "rock"}), idempotency_key="k")


def test_an_idempotency_key_of_a_failed_job_may_be_tried_again(process):
    jobs = process()
    first = jobs.add(a_job(), idempotency_key="k")
    jobs.update(first.id, status=Status.FAILED)
    again = jobs.add(a_job(), idempotency_key="k")
    assert again.id != first.id
    assert jobs.add(a_job(), idempotency_key="k").id == again.id


def test_a_job_that_would_pass_the_days_limit_is_refused_and_not_recorded(process):
    jobs, other = process(), process()
    jobs.add(a_job(estimated_cost=0.04), spend_limit=0.1)
    other.add(a_job(estimated_cost=0.04), spend_limit=0.1)
    with pytest.raises(SpendLimitReached, match=r"\$0.0800.*\$0.10"):
        jobs.add(a_job(estimated_cost=0.04), spend_limit=0.1)
    assert len(jobs.newest(10)) == 2
    assert jobs.spent_today() == pytest.approx(0.08)


def test_a_limit_of_zero_never_pays_and_lets_free_songs_through(process):
    jobs = process()
    with pytest.raises(SpendLimitReached):
        jobs.add(a_job(estimated_cost=0.001), spend_limit=0)
    assert jobs.add(a_job(estimated_cost=0), spend_limit=0)


def test_what_a_job_cost_in_the_end_replaces_its_reservation_but_an_unknown_one_stays_counted(process):
    jobs = process()
    failed, unknown = jobs.add(a_job(estimated_cost=0.04)), jobs.add(a_job(estimated_cost=0.04))
    jobs.update(failed.id, status=Status.FAILED, cost=0.0)
    jobs.update(unknown.id, status=Status.UNKNOWN)
    assert jobs.spent_today() == pytest.approx(0.04)


def test_a_name_is_given_to_one_job_and_a_job_keeps_its_name(process):
    one, two = process(), process()
    first, second = one.add(a_job()), two.add(a_job())
    assert one.reserve_name(first.id, iter(["a.wav", "b.wav"])) == "a.wav"
    assert two.reserve_name(second.id, iter(["a.wav", "b.wav"])) == "b.wav"
    assert two.reserve_name(first.id, iter(["c.wav"])) == "a.wav"


def test_songs_never_share_a_stem_whatever_their_format_and_case(process):
    jobs = process()
    first, second = jobs.add(a_job()), jobs.add(a_job())
    assert jobs.reserve_name(first.id, iter(["Lofi (1).wav"])) == "Lofi (1).wav"
    assert jobs.reserve_name(second.id, iter(["lofi (1).flac", "lofi (1) 2.flac"])) == "lofi (1) 2.flac"


def test_our_own_open_job_that_nobody_runs_is_taken_up_again(process):
    jobs = process()
    job = jobs.add(a_job())
    assert jobs.adopt({job.id}) == []
    assert [taken.id for taken in jobs.adopt()] == [job.id]


def test_an_orderly_end_does_not_use_a_draft_up_but_a_paid_attempt_stays_counted(process):
    jobs = process()
    draft, paid = jobs.add(a_job()), jobs.add(a_job(backend="fal"))
    for job in (draft, paid):
        assert jobs.attempt(job.id) == 1
        jobs.give_back(job.id)
    assert jobs.ticket(draft.id) == (None, 0)
    assert jobs.ticket(paid.id) == (None, 1)


def test_a_wish_to_cancel_reaches_the_owner_whoever_made_it(process):
    owner, other = process(), process()
    job = owner.add(a_job())
    other.request_cancel(job.id)
    assert owner.to_cancel() == [job.id]
    assert other.to_cancel() == []


def test_only_a_failed_job_that_is_collectable_can_be_opened_again(process):
    jobs, other = process(), process()
    kept, lost = jobs.add(a_job()), jobs.add(a_job())
    jobs.update(kept.id, status=Status.FAILED, error={"code": "storage", "message": "full", "collectable": True})
    jobs.update(lost.id, status=Status.FAILED, error={"code": "queue", "message": "x", "collectable": False})
    assert other.revive(kept.id)
    assert other.mine(kept.id)
    assert other.get(kept.id).error is None
    assert not other.revive(lost.id)
    assert not other.revive(kept.id), "it is open already"


def test_a_database_that_is_none_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "acestep.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match="ACESTEP_DATA_DIR"):
        Database(tmp_path / "acestep.sqlite3")


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    database = Database(tmp_path / "acestep.sqlite3")
    with database.writing() as db:
        db.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="newer"):
        Database(tmp_path / "acestep.sqlite3")
