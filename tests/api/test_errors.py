import logging

import anyio
import pytest

from acestep_mcp.api.errors import AceStepError, NotFound, isolated

logger = logging.getLogger(__name__)


def test_a_bug_is_logged_with_its_traceback_and_reported(caplog):
    with isolated(logger, "job %s failed", "j1") as isolation:
        raise RuntimeError("broken")
    assert isolation.failed
    assert str(isolation.error) == "broken"
    assert "job j1 failed" in caplog.text
    assert "Traceback" in caplog.text


def test_without_an_error_nothing_is_logged(caplog):
    with isolated(logger, "failed") as isolation:
        pass
    assert not isolation.failed
    assert caplog.text == ""


@pytest.mark.parametrize("error", [NotFound("x"), ExceptionGroup("", [ExceptionGroup("", [NotFound("x")])])])
def test_a_known_error_is_raised_out_of_its_groups_too(error, caplog):
    with pytest.raises(NotFound), isolated(logger, "failed"):
        raise error
    assert caplog.text == ""


def test_a_bug_beside_a_known_error_is_logged(caplog):
    with pytest.raises(NotFound), isolated(logger, "failed"):
        raise ExceptionGroup("", [NotFound("x"), RuntimeError("broken")])
    assert "RuntimeError: broken" in caplog.text


@pytest.mark.anyio
async def test_cancellation_passes(caplog):
    with anyio.CancelScope() as scope, isolated(logger, "failed") as isolation:
        scope.cancel()
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert not isolation.failed
    assert caplog.text == ""


def test_a_message_that_quotes_too_much_keeps_its_beginning_and_its_end():
    message = AceStepError(f"There is no track {'x' * 10**6}. Call list_tracks.").message
    assert len(message) <= 10_000
    assert message.startswith("There is no track xxx")
    assert message.endswith("xxx. Call list_tracks.")
