"""Jobs shared by several processes: each `Jobs` below stands for one process on the same file."""

import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing

import pytest

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest, NotFound, SpendLimitReached, StorageError
from acestep_mcp.api.requests import PromptToAudio, TextToAudio
from acestep_mcp.api.responses import EngineReport, File, Response
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs, new_id
from acestep_mcp.library.models import Job, JobError, JobOptions, Progress, Status
from acestep_mcp.studio.build_views import job_list

DEAD_AT_ONCE = -1.0
RESPONSE = Response(
    audio=File(url="https://files.example/a.wav", file_size=3),
    seed=4,
    tags="lofi",
    lyrics="[inst]",
    acestep=EngineReport(engine="draft", notes=("a",)),
)


@pytest.fixture
def process(tmp_path):
    """Open the database as another process."""
    opened = []

    def start(lease=15.0, *, beat=True):
        database = Database(tmp_path / "data" / "acestep.sqlite3")
        opened.append(database)
        jobs = Jobs(database, lease=lease)
        if beat:
            jobs.leases.beat()
        return jobs

    yield start
    for database in opened:
        database.close()


def a_job(**changes):
    values = {
        "id": new_id(),
        "endpoint": "fal-ai/ace-step",
        "request": TextToAudio(tags="lofi"),
        "status": Status.NEW,
        "backend": "draft",
        "created_at": time.time(),
    }
    return Job(**values | changes)


def test_any_process_reads_a_job_as_it_was_written(process):
    job = a_job(
        request=TextToAudio(tags="桜", seed=4), notes=("a",), options=JobOptions(format="flac"), estimated_cost=0.5
    )
    process().add(job)
    assert process().get(job.id) == job


def test_every_field_can_be_changed_and_read_back(process):
    jobs = process()
    job = jobs.add(a_job())
    assert jobs.update(
        job.id,
        status=Status.IN_PROGRESS,
        handle={"request_id": "r1"},
        request_id="r1",
        progress=Progress(0.5, "rendering", 1, 2),
        logs=("a", "b"),
        result=RESPONSE,
        started_at=5.0,
    )
    now = jobs.get(job.id)
    assert (now.status, now.request_id, now.logs, now.started_at) == (Status.IN_PROGRESS, "r1", ("a", "b"), 5.0)
    assert now.progress == Progress(0.5, "rendering", 1, 2)
    assert now.handle == {"request_id": "r1"}
    assert now.result == RESPONSE


def test_an_unknown_job_is_an_error_that_names_the_recent_ones(process):
    jobs = process()
    job = jobs.add(a_job())
    with pytest.raises(NotFound, match=job.id):
        jobs.get("nope")


def test_a_job_of_a_live_process_is_not_taken_over(process):
    owner, other = process(), process()
    owner.add(a_job())
    assert other.adopt() == []


def test_a_job_of_a_dead_process_is_taken_over_by_exactly_one(process):
    owner = process()
    job = owner.add(a_job())
    first, second = process(lease=DEAD_AT_ONCE), process(lease=DEAD_AT_ONCE)
    assert [taken.id for taken in first.adopt()] == [job.id]
    assert not owner.is_owned(job.id)
    assert not owner.update(job.id, status=Status.COMPLETED)
    assert first.get(job.id).status is Status.NEW
    assert first.update(job.id, status=Status.IN_QUEUE)
    second.leases.seconds = 15.0
    assert second.adopt() == []


def test_the_jobs_of_a_process_that_shut_down_are_taken_over_at_once(process):
    owner, other = process(), process()
    job = owner.add(a_job())
    owner.leases.leave()
    assert [taken.id for taken in other.adopt()] == [job.id]


def test_a_job_that_was_stopped_is_taken_over_only_after_somebody_has_asked_for_it(process):
    owner, other = process(), process()
    job = owner.add(a_job())
    owner.record_answer(job.id, "stopped")
    owner.leases.leave()
    assert other.adopt() == []
    assert not other.reopen(job.id)
    assert [taken.id for taken in other.adopt()] == [job.id]


def test_only_the_jobs_that_are_asked_for_are_taken_over(process):
    owner, other = process(), process()
    job, _ = owner.add(a_job()), owner.add(a_job(request=TextToAudio(tags="polka")))
    owner.leases.leave()
    assert [taken.id for taken in other.adopt(only={job.id})] == [job.id]


def test_the_same_request_again_goes_on_with_a_job_that_was_stopped(process):
    owner, other = process(), process()
    job = owner.add(a_job())
    owner.record_answer(job.id, "stopped")
    owner.leases.leave()
    again = other.add(a_job())
    assert (again.id, again.attached) == (job.id, True)
    assert [taken.id for taken in other.adopt()] == [job.id]


def test_an_ended_job_is_neither_taken_over_nor_changed(process):
    owner, other = process(), process(lease=DEAD_AT_ONCE)
    job = owner.add(a_job())
    owner.update(job.id, status=Status.FAILED)
    assert other.adopt() == []
    assert not owner.update(job.id, status=Status.COMPLETED)


def test_a_repeated_call_is_a_new_job_while_the_first_caller_waits_or_has_its_answer(process):
    jobs = process()
    first = jobs.add(a_job())
    second = jobs.add(a_job())
    assert second.id != first.id
    jobs.record_answer(first.id, "delivered")
    jobs.record_answer(second.id, "delivered")
    assert not jobs.add(a_job()).attached


def test_an_undelivered_call_that_is_repeated_is_attached_to_its_first_job(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.record_answer(first.id, "cut")
    again = process().add(a_job())
    assert (again.id, again.attached) == (first.id, True)
    assert not process().add(a_job()).attached, "the second caller is waiting now"


def test_a_repeated_call_is_attached_after_its_process_crashed(process):
    first = process().add(a_job())
    again = process(lease=DEAD_AT_ONCE).add(a_job())
    assert (again.id, again.attached) == (first.id, True)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_call_is_never_attached_to_a_job_without_a_song(process, status):
    jobs = process()
    first = jobs.add(a_job())
    jobs.record_answer(first.id, "cut")
    jobs.update(first.id, status=status)
    assert not jobs.add(a_job()).attached


def long_ago(jobs, job_id):
    """Move the job's times eleven minutes back."""
    with jobs._database.writing() as db:
        db.execute("UPDATE jobs SET created_at = created_at - 660, ended_at = ended_at - 660, cut_at = cut_at - 660")


def test_a_finished_job_is_not_joined_ten_minutes_after_its_caller_left(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.record_answer(first.id, "cut")
    jobs.update(first.id, status=Status.COMPLETED, ended_at=time.time())
    assert jobs.add(a_job()).attached
    jobs.record_answer(first.id, "cut")
    long_ago(jobs, first.id)
    assert not jobs.add(a_job()).attached


def test_a_repeated_call_joins_a_running_job_however_long_it_runs(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.record_answer(first.id, "cut")
    long_ago(jobs, first.id)
    assert jobs.add(a_job()).id == first.id


def test_a_song_that_ended_long_ago_is_joined_when_its_caller_just_left(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.update(first.id, status=Status.COMPLETED, ended_at=time.time())
    long_ago(jobs, first.id)
    jobs.record_answer(first.id, "cut")
    assert jobs.add(a_job()).id == first.id


def test_another_format_is_another_call(process):
    jobs = process()
    first = jobs.add(a_job(options=JobOptions(format="wav")))
    jobs.record_answer(first.id, "cut")
    assert not jobs.add(a_job(options=JobOptions(format="flac"))).attached


def test_other_arguments_are_another_song(process):
    jobs = process()
    first = jobs.add(a_job())
    jobs.record_answer(first.id, "cut")
    assert not jobs.add(a_job(request=TextToAudio(tags="lofi", seed=1))).attached
    assert not jobs.add(
        a_job(endpoint="fal-ai/ace-step/prompt-to-audio", request=PromptToAudio(prompt="lofi"))
    ).attached


def test_an_idempotency_key_returns_the_same_job_at_any_time(process):
    jobs = process()
    first = jobs.add(a_job(created_at=time.time() - 10**6), idempotency_key="k")
    jobs.record_answer(first.id, "delivered")
    assert jobs.add(a_job(), idempotency_key="k").id == first.id


def test_an_idempotency_key_with_other_arguments_is_an_error(process):
    jobs = process()
    jobs.add(a_job(), idempotency_key="k")
    with pytest.raises(InvalidRequest, match="other arguments"):
        jobs.add(a_job(request=TextToAudio(tags="rock")), idempotency_key="k")


def test_an_idempotency_key_of_a_failed_job_can_be_used_again(process):
    jobs = process()
    first = jobs.add(a_job(), idempotency_key="k")
    jobs.update(first.id, status=Status.FAILED)
    again = jobs.add(a_job(), idempotency_key="k")
    assert again.id != first.id
    assert jobs.add(a_job(), idempotency_key="k").id == again.id


def test_a_job_that_would_exceed_the_daily_limit_is_rejected_and_not_stored(process):
    jobs, other = process(), process()
    jobs.add(a_job(estimated_cost=0.04), spend_limit=0.1)
    other.add(a_job(estimated_cost=0.04), spend_limit=0.1)
    with pytest.raises(SpendLimitReached, match=r"\$0.0800.*\$0.10"):
        jobs.add(a_job(estimated_cost=0.04), spend_limit=0.1)
    assert len(jobs.newest(10)) == 2
    assert jobs.spent_today() == pytest.approx(0.08)


def test_a_limit_of_zero_allows_only_free_songs(process):
    jobs = process()
    with pytest.raises(SpendLimitReached):
        jobs.add(a_job(estimated_cost=0.001), spend_limit=0)
    assert jobs.add(a_job(estimated_cost=0), spend_limit=0)


def test_a_job_s_final_cost_replaces_its_reservation_but_an_unknown_job_stays_reserved(process):
    jobs = process()
    failed, unknown = jobs.add(a_job(estimated_cost=0.04)), jobs.add(a_job(estimated_cost=0.04))
    jobs.update(failed.id, status=Status.FAILED, cost=0.0)
    jobs.update(unknown.id, status=Status.UNKNOWN)
    assert jobs.spent_today() == pytest.approx(0.04)


def test_a_name_is_reserved_for_one_job_and_a_job_keeps_its_name(process):
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


def test_an_open_job_of_this_process_that_is_not_running_is_adopted(process):
    jobs = process()
    job = jobs.add(a_job())
    assert jobs.adopt({job.id}) == []
    assert [taken.id for taken in jobs.adopt()] == [job.id]


def test_uncount_attempt_affects_drafts_but_not_paid_jobs(process):
    jobs = process()
    draft, paid = jobs.add(a_job()), jobs.add(a_job(backend="fal"))
    for job in (draft, paid):
        assert jobs.count_attempt(job.id) == 1
        jobs.uncount_attempt(job.id)
    assert jobs.get(draft.id).attempts == 0
    assert jobs.get(paid.id).attempts == 1


def test_a_process_that_lost_its_job_may_not_submit_it(process):
    owner = process()
    job = owner.add(a_job(backend="fal"))
    other = process(lease=DEAD_AT_ONCE)
    other.adopt()
    assert owner.count_attempt(job.id) is None
    assert other.get(job.id).attempts == 0


@pytest.mark.parametrize("ended_as", [None, Status.UNKNOWN])
def test_the_answer_to_a_submit_is_recorded_by_a_process_that_slept_meanwhile(process, ended_as):
    sleeper = process()
    job = sleeper.add(a_job(backend="fal"))
    sleeper.count_attempt(job.id)
    other = process(lease=DEAD_AT_ONCE)
    other.adopt()
    if ended_as:
        other.update(job.id, status=ended_as, ended_at=5.0, error=JobError("submission_unknown", "?"))
    assert sleeper.record_handle(job.id, {"request_id": "r1"}, "r1")
    now = other.get(job.id)
    assert (now.status, now.request_id, now.handle, now.error, now.ended_at) == (
        Status.IN_QUEUE, "r1", {"request_id": "r1"}, None, None,
    )  # fmt: skip
    assert sleeper.is_owned(job.id)


@pytest.mark.parametrize("ended_as", [Status.CANCELLED, Status.COMPLETED, Status.FAILED])
def test_the_answer_to_a_submit_reopens_no_job_that_ended_otherwise(process, ended_as):
    jobs = process()
    job = jobs.add(a_job(backend="fal"))
    jobs.update(job.id, status=ended_as)
    assert not jobs.record_handle(job.id, {"request_id": "r1"}, "r1")
    assert jobs.get(job.id).status is ended_as


def test_only_the_first_answer_to_a_submit_is_recorded(process):
    jobs = process()
    job = jobs.add(a_job(backend="engine"))
    assert jobs.record_handle(job.id, {"request_id": "r1"}, "r1")
    assert not jobs.record_handle(job.id, {"request_id": "r2"}, "r2")
    assert jobs.get(job.id).request_id == "r1"


def test_after_a_sleep_other_processes_get_a_lease_to_show_that_they_live(process, monkeypatch):
    """The machine slept: at its end every heartbeat is old, and the first process to wake must not take all jobs over."""
    first, second = process(), process()
    job = second.add(a_job())
    clock = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: clock)
    first.leases.beat()
    assert first.adopt() == []
    assert second.is_owned(job.id)
    for _ in range(2):
        clock += 8
        first.leases.beat()
    assert [taken.id for taken in first.adopt()] == [job.id], "the second one never beat again"


def test_a_cancel_request_from_any_process_reaches_the_owner(process):
    owner, other = process(), process()
    job = owner.add(a_job())
    other.request_cancel(job.id)
    assert owner.cancel_requests() == [job.id]
    assert other.cancel_requests() == []


def test_only_a_failed_collectable_job_can_be_reopened(process):
    jobs, other = process(), process()
    kept, lost = jobs.add(a_job()), jobs.add(a_job())
    jobs.update(kept.id, status=Status.FAILED, error=JobError("storage", "full", collectable=True))
    jobs.update(lost.id, status=Status.FAILED, error=JobError("queue", "x"))
    assert other.reopen(kept.id)
    assert other.is_owned(kept.id)
    assert other.get(kept.id).error is None
    assert not other.reopen(lost.id)
    assert not other.reopen(kept.id), "it is open already"


def test_a_database_of_a_newer_version_is_not_opened(tmp_path):
    database = Database(tmp_path / "acestep.sqlite3")
    with database.writing() as db:
        db.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="newer"):
        Database(tmp_path / "acestep.sqlite3")


VERSION_1 = """
CREATE TABLE processes (id TEXT PRIMARY KEY, heartbeat REAL NOT NULL);
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, endpoint TEXT NOT NULL, request TEXT NOT NULL,
    status TEXT NOT NULL, backend TEXT NOT NULL, created_at REAL NOT NULL, started_at REAL, ended_at REAL,
    queue_url TEXT NOT NULL DEFAULT '', ticket TEXT, attempts INTEGER NOT NULL DEFAULT 0,
    progress TEXT NOT NULL DEFAULT '{}', logs TEXT NOT NULL DEFAULT '[]', result TEXT, track_id TEXT, file_name TEXT,
    file_stem TEXT, parent TEXT, error TEXT, estimated_cost REAL NOT NULL DEFAULT 0, cost REAL,
    notes TEXT NOT NULL DEFAULT '[]', options TEXT NOT NULL DEFAULT '{}', fingerprint TEXT NOT NULL,
    idempotency_key TEXT UNIQUE, answer TEXT NOT NULL DEFAULT 'open', cut_at REAL, caller TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0, owner TEXT
);
INSERT INTO jobs (id, endpoint, request, status, backend, created_at, ticket, result, options, fingerprint) VALUES (
    'old', 'fal-ai/ace-step', '{"tags": "lofi", "duration": 5}', 'COMPLETED', 'fal', 1.5,
    '{"request_id": "r-1", "status_url": "https://queue.fal.run/x"}',
    '{"audio": {"url": "https://files.example/a.wav"}, "seed": 7, "tags": "lofi", "lyrics": "", "acestep": {"engine": 5}}',
    '{"format": "mp3", "price": 0.0002, "seconds": 5.0, "source": "/a.wav", "of another version": 1}', 'f'
);
PRAGMA user_version = 1;
"""


def test_a_database_of_version_1_opens_with_its_jobs_and_a_backup(tmp_path):
    path = tmp_path / "acestep.sqlite3"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(VERSION_1)
    with closing(Database(path)) as database:
        job = Jobs(database).get("old")
    assert (job.request, job.request_id, job.status) == (TextToAudio(tags="lofi", duration=5), "r-1", Status.COMPLETED)
    assert job.options == JobOptions(format="mp3", price=0.0002, seconds=5.0, source="/a.wav")
    assert (job.result.seed, job.result.report) == (7, EngineReport())
    with closing(sqlite3.connect(path.with_name("acestep.sqlite3.v1.backup"))) as backup:
        assert backup.execute("PRAGMA user_version").fetchone() == (1,)
        assert backup.execute("SELECT id FROM jobs").fetchall() == [("old",)]
    with closing(Database(path)) as again:
        assert Jobs(again).get("old") == job


def test_a_job_with_an_unreadable_request_does_not_hide_others(process):
    jobs = process()
    odd, good = jobs.add(a_job()), jobs.add(a_job())
    with jobs._database.writing() as db:
        db.execute('UPDATE jobs SET request = \'{"duration": "x"}\' WHERE id = ?', (odd.id,))
    assert [job.id for job in jobs.newest(5)] == [good.id, odd.id]
    assert [(row.job_id, row.about) for row in job_list(jobs.newest(5)).jobs] == [(good.id, "lofi"), (odd.id, "")]
    with pytest.raises(ConfigurationError, match="duration.*Update acestep-mcp"):
        _ = jobs.get(odd.id).request


def test_a_changed_copy_of_a_job_keeps_columns_that_cannot_be_decoded(process):
    jobs = process()
    added = jobs.add(a_job())
    jobs._database.execute("UPDATE jobs SET logs = ? WHERE id = ?", ("not JSON", added.id))
    job = jobs.get(added.id).changed(attempts=2, attached=True)
    assert (job.attempts, job.attached, job.request) == (2, True, added.request)
    assert job.logs == ()


def test_a_job_written_by_a_newer_server_is_read_as_far_as_it_is_known(process):
    jobs = process()
    added = jobs.add(a_job())
    jobs._database.execute(
        "UPDATE jobs SET status = ?, progress = ?, error = ? WHERE id = ?",
        ("PAUSED", '{"fraction": 0.5, "new": 1}', '{"code": "queue", "message": "m", "new": 1}', added.id),
    )
    job = jobs.get(added.id)
    assert (job.status, job.progress, job.error) == (Status.UNKNOWN, Progress(0.5), JobError("queue", "m"))


def test_the_request_id_that_an_older_server_wrote_is_found(process):
    jobs = process()
    added = jobs.add(a_job())
    jobs._database.execute("UPDATE jobs SET ticket = ? WHERE id = ?", ('{"request_id": "r-2"}', added.id))
    assert jobs.get(added.id).request_id == "r-2"


@pytest.mark.process
def test_processes_that_update_an_old_database_at_once_all_open_it_and_keep_one_backup(tmp_path):
    path = tmp_path / "acestep.sqlite3"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(VERSION_1)
    script = (
        "import pathlib, sys; from acestep_mcp.library.database import Database; print('ready', flush=True); "
        "sys.stdin.readline(); Database(pathlib.Path(sys.argv[1])).close()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with ExitStack() as ending:
        started = [
            ending.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(8)
        ]
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("open\n")
            process.stdin.flush()
        assert [process.wait(60) for process in started] == [0] * 8
    with closing(sqlite3.connect(path.with_name("acestep.sqlite3.v1.backup"))) as backup:
        assert backup.execute("PRAGMA user_version").fetchone() == (1,)
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob(".*.part"))


def test_an_idempotency_key_that_is_too_long_is_refused(process):
    jobs = process()
    with pytest.raises(InvalidRequest, match="is longer than 500 characters") as error:
        jobs.add(a_job(), idempotency_key="k" * 1_000_000)
    assert len(error.value.message) < 200
    assert jobs.newest(5) == []
