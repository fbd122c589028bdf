"""Every error we raise, sorted by who can put it right.

* AceStepError
  x InvalidRequest        the caller: change the arguments
    + NotFound            the caller: no such job, track or file; near matches are named
  x ConfigurationError    the person at the machine: a setting, a key, a missing package
    + Occupied            the person at the machine: another engine server has that folder or device
  x StorageError          the person at the machine: disk full, folder missing or read-only
  x SpendLimitReached     the person who pays: raise ACESTEP_MAX_SPEND_USD or wait for tomorrow
  x QueueError            the queue's host: try again later, or report it
    + RequestUnknown      the host does not know the request (any more)
    + SubmissionUnknown   the submit may have been accepted: never sent again by itself
    + GenerationFailed    the model ran and failed
  x JobCancelled          nobody: somebody asked for it

Every message says what happened and what to do next; a language model reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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


class AceStepError(Exception):
    """Base of everything this package raises on purpose; `code` is stable, the text may change."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


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


class ConfigurationError(AceStepError):
    """A setting, a key or an installed package is missing or wrong."""

    code = "configuration"


class Occupied(ConfigurationError):
    """Another engine server has what this one needs; it may be about to end."""


class StorageError(AceStepError):
    """A file could not be kept: disk full, folder missing or read-only."""

    code = "storage"


class SpendLimitReached(AceStepError):
    """The day's spending limit would be passed; nothing was submitted."""

    code = "spend_limit"


class QueueError(AceStepError):
    """The queue's host did not answer, or answered with an error.

    `status` is the HTTP status (None when there was no answer), `error_type` the host's own word for it.
    """

    code = "queue"

    def __init__(self, message: str, *, status: int | None = None, error_type: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type


class RequestUnknown(QueueError):
    """The host answered NOT_FOUND for a request id."""

    code = "request_unknown"


class SubmissionUnknown(QueueError):
    """The submit was sent and no answer came: it may have been accepted and billed."""

    code = "submission_unknown"


class GenerationFailed(QueueError):
    """The model ran and failed; another try with other arguments may work."""

    code = "generation_failed"


class JobCancelled(AceStepError):
    """The job was cancelled on request."""

    code = "cancelled"
