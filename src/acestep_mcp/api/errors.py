"""The exceptions of this package, and how unexpected ones are contained.

    AceStepError
        InvalidRequest          change the arguments
            NotFound            no such job, track or file; near matches are named
                Ambiguous       several tracks or files look like this name; all are named
        ConfigurationError      fix a setting or a key, or install a package
            Occupied            another engine server uses this folder or device
        StorageError            free disk space, or make the folder writable
        SpendLimitReached       raise ACESTEP_MAX_SPEND_USD, or wait until tomorrow
        QueueError              try again later, or report it to the host
            NoResponse          nothing came back, or not all of it
            QueueUnavailable    the engine server's database is away for now
            RequestUnknown      the host does not know this request id
            SubmissionUnknown   the submit may have been accepted; it is never repeated automatically
            GenerationFailed    the model ran and failed
                OutOfMemory     ask for a shorter song, or use less memory
                RunInterrupted  the process that made the song ended first; another attempt may work
        JobCancelled            cancelled on request

Every message says what happened and what to do next; a language model reads it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from acestep_mcp.api.text import encodable


@dataclass(frozen=True, slots=True)
class FieldError:
    """One rejected field, in the shape of an entry of the wire's 422 `detail` list."""

    field: str
    message: str
    type: str = "value_error"
    value: Any = None

    def detail(self) -> dict[str, Any]:
        """The entry as fal writes it: `loc`, `msg`, `type`, `input`."""
        return {"loc": ["body", self.field], "msg": self.message, "type": self.type, "input": self.value}


_LONGEST_MESSAGE = 10_000


class AceStepError(Exception):
    """Base of everything this package raises on purpose; `code` is stable, the text may change.

    A message that quotes too much loses its middle: its beginning says what happened, its end what to do.
    """

    code = "error"

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[: _LONGEST_MESSAGE // 2]} ... {message[5 - _LONGEST_MESSAGE // 2 :]}"
        self.message = encodable(message)
        super().__init__(self.message)


class InvalidRequest(AceStepError):
    """The arguments cannot be used as they are; `fields` names each one that is wrong."""

    code = "invalid_request"

    def __init__(self, message: str, fields: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields

    @classmethod
    def of(cls, *fields: FieldError) -> InvalidRequest:
        """Build the message from the fields: `duration: must be at least 5 (got 2)`."""
        return cls("; ".join(f"{f.field}: {f.message}" for f in fields), fields)


class NotFound(InvalidRequest):
    """A job, track or file that does not exist here."""

    code = "not_found"


class Ambiguous(NotFound):
    """More than one track or file looks like the name that was given."""


class ConfigurationError(AceStepError):
    """A setting, a key or an installed package is missing or wrong."""

    code = "configuration"


class Occupied(ConfigurationError):
    """Another engine server uses what this one needs; it may be about to end."""


class StorageError(AceStepError):
    """A file could not be written: disk full, folder missing or read-only."""

    code = "storage"


class StorageLocked(StorageError):
    """Another program holds the lock of a database, for now."""


class SpendLimitReached(AceStepError):
    """The job would exceed the daily spending limit; nothing was submitted."""

    code = "spend_limit"


class QueueError(AceStepError):
    """The queue's host did not answer, or answered with an error.

    `status` is the HTTP status (None when there was no answer), `error_type` the host's name for the error.
    `is_permanent`: asking again gives the same, so nothing asks again by itself. `retry_after`: seconds after which a caller
    may ask again.
    """

    code = "queue"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_type: str | None = None,
        is_permanent: bool = False,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status
        self.error_type = error_type
        self.is_permanent = is_permanent


class NoResponse(QueueError):
    """No complete response arrived. `sent` is False only when the request cannot have had any effect."""

    def __init__(self, what: str, *, sent: bool, is_permanent: bool = False) -> None:
        then = "Try again in a minute." if sent else "Check the address and the network, then try again."
        if sent and is_permanent:
            then = "Another try would end the same way: check the host's address, or report this to the host."
        super().__init__(f"{what} {then}", is_permanent=is_permanent)
        self.what = what
        self.sent = sent


class QueueUnavailable(QueueError):
    """The database of an engine server does not answer for now; its callers ask again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=503, error_type="queue_unavailable")


class RequestUnknown(QueueError):
    """The host answered NOT_FOUND for a request id."""

    code = "request_unknown"


class SubmissionUnknown(QueueError):
    """The submit was sent but not answered: it may have been accepted and billed."""

    code = "submission_unknown"


class GenerationFailed(QueueError):
    """The model ran and failed; other arguments may work."""

    code = "generation_failed"


class OutOfMemory(GenerationFailed):
    """The memory of the device was not enough."""


class RunInterrupted(GenerationFailed):
    """The process that made the song ended first, or its device gave up; another attempt may work."""


class JobCancelled(AceStepError):
    """The job was cancelled on request."""

    code = "cancelled"


@dataclass(slots=True)
class Isolation:
    """The result of an `isolated` block."""

    error: Exception | None = None

    @property
    def failed(self) -> bool:
        return self.error is not None


@contextmanager
def isolated(
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger], message: str, *args: object
) -> Iterator[Isolation]:
    """Contain a bug: log an unexpected exception with its traceback instead of raising it.

    An AceStepError is raised, also when a task group has wrapped it; cancellation passes. For the top of a call, job or
    background task, where one bug must not end the others.
    """
    isolation = Isolation()
    try:
        yield isolation
    except AceStepError:
        raise
    except Exception as exc:
        known = _first_known(exc)
        if known is not None:
            if isinstance(exc, ExceptionGroup) and (rest := exc.split(AceStepError)[1]):
                logger.exception(message, *args, exc_info=rest)
            raise known from exc
        isolation.error = exc
        logger.exception(message, *args)


def _first_known(error: Exception) -> AceStepError | None:
    found: Exception | None = error.subgroup(AceStepError) if isinstance(error, ExceptionGroup) else None
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, AceStepError) else None
