"""Errors that domain code raises. They know no transport; `status` maps them to gRPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field of a request: its path (`config.aws_region`) and what to do about it."""

    field: str
    description: str


class PodyardError(Exception):
    """Base of all expected errors.

    `message` says what was wrong, where, and what to do; callers see it.
    `reason` is a stable UPPER_SNAKE word for programs, by default made from the class name.
    `metadata` is extra text for programs; never secrets.
    """

    reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.reason
        self.metadata: dict[str, str] = dict(metadata or {})


class InvalidArgumentError(PodyardError):
    """The request is wrong whatever the state of the system."""

    reason = "INVALID_ARGUMENT"

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.violations = tuple(violations)

    @classmethod
    def field(
        cls, field: str, description: str, *, reason: str | None = None
    ) -> InvalidArgumentError:
        """The error of one bad field."""
        return cls(
            f"{field}: {description}",
            violations=[FieldViolation(field, description)],
            reason=reason,
        )

    @classmethod
    def fields(cls, violations: Sequence[FieldViolation]) -> InvalidArgumentError:
        """The error of several bad fields, all told at once."""
        return cls(
            "; ".join(f"{v.field}: {v.description}" for v in violations), violations=violations
        )


class OutOfRangeError(PodyardError):
    """The request goes beyond the present end, which may move: an offset past a log's end."""

    reason = "OUT_OF_RANGE"


class NotFoundError(PodyardError):
    """Something named by the request does not exist."""

    reason = "NOT_FOUND"

    def __init__(
        self,
        resource_type: str,
        name: str,
        message: str | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        super().__init__(message or f'{resource_type} "{name}" does not exist', reason=reason)
        self.resource_type = resource_type
        self.name = name


class AlreadyExistsError(PodyardError):
    """What the request would create exists."""

    reason = "ALREADY_EXISTS"

    def __init__(
        self,
        resource_type: str,
        name: str,
        message: str | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        super().__init__(message or f'{resource_type} "{name}" already exists', reason=reason)
        self.resource_type = resource_type
        self.name = name


class FailedPreconditionError(PodyardError):
    """The system is not in the state that the request needs; the message says which state."""

    reason = "FAILED_PRECONDITION"


class ConflictError(PodyardError):
    """Someone else's change came first; read again and retry."""

    reason = "CONFLICT"


class UnauthenticatedError(PodyardError):
    """The caller is not known."""

    reason = "UNAUTHENTICATED"


class PermissionDeniedError(PodyardError):
    """The caller, or Podyard itself, may not do this."""

    reason = "PERMISSION_DENIED"


class UnsupportedError(PodyardError):
    """Neither now nor after a retry: the server cannot do this at all."""

    reason = "UNSUPPORTED"


class RetryableError(PodyardError):
    """Base of errors that pass; `retry_after` is in seconds, None when not known."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after = retry_after


class UnavailableError(RetryableError):
    """A dependency cannot be reached now."""

    reason = "UNAVAILABLE"


class ResourceExhaustedError(RetryableError):
    """A limit was reached: rate, quota, buffer of a slow subscriber."""

    reason = "RESOURCE_EXHAUSTED"


class DeadlineExceededError(RetryableError):
    """The answer did not come in time."""

    reason = "DEADLINE_EXCEEDED"
