"""When a caller of a paid host is cancelled, running jobs continue and queued ones are cancelled."""

import anyio
import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Job, Status
from acestep_mcp.settings import load

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("setting", "status", "cancelled"),
    [
        ("auto", Status.IN_PROGRESS, False),
        ("auto", Status.IN_QUEUE, True),
        ("always", Status.IN_PROGRESS, True),
        ("never", Status.IN_QUEUE, False),
    ],
)
@pytest.mark.slow
async def test_on_a_paid_host_a_job_is_cancelled_only_if_that_saves_money(monkeypatch, setting, status, cancelled):
    monkeypatch.setenv("ACESTEP_CANCEL", setting)
    async with open_studio(load()) as studio:
        # A job at fal that another live process runs, so that nothing is sent from here.
        other = type(studio._jobs)(studio._jobs._database)
        other.leases.beat()
        paid = Job(
            "paidpaidpaidpaid",
            "fal-ai/ace-step",
            TextToAudio(tags="lofi"),
            status,
            "fal",
            created_at=0,
        )
        other.add(paid)
        with anyio.move_on_after(2):  # it would wait for the job's end, which never comes here
            await studio.caller_cancelled(paid.id)
        assert (other.cancel_requests() == [paid.id]) is cancelled
        assert (await studio.outcome(paid.id)).job.status is status
