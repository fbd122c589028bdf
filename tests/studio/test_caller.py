"""A cancelled caller and a paid host: what runs there goes on, what waits there does not."""

import anyio
import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Job, Status
from acestep_mcp.settings import load

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("setting", "status", "wish"),
    [
        ("auto", Status.IN_PROGRESS, False),
        ("auto", Status.IN_QUEUE, True),
        ("always", Status.IN_PROGRESS, True),
        ("never", Status.IN_QUEUE, False),
    ],
)
async def test_on_a_paid_host_only_what_saves_money_is_cancelled(monkeypatch, setting, status, wish):
    monkeypatch.setenv("ACESTEP_CANCEL", setting)
    async with open_studio(load()) as studio:
        # A job of fal's that another, living process runs: nothing here is sent anywhere.
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
        with anyio.move_on_after(2):  # it would wait for the end, which nobody brings about here
            await studio.caller_cancelled(paid.id)
        assert (other.to_cancel() == [paid.id]) is wish
        assert (await studio.outcome(paid.id)).job.status is status
