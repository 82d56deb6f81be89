"""What can go wrong in a call, as exceptions with everything that the service said about it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

REQUEST_ID_HEADER = "x-request-id"


class PodyardError(Exception):
    """Base of all errors of this package."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(PodyardError):
    """An address or a file that this client needs is wrong."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field of a request and what to do about it."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What came with a failed call.

    `reason` is a stable UPPER_SNAKE word, empty when the failure is not the service's own
    answer; `retry_after` is in seconds; `service` and `address` say who was asked.
    """

    code: grpc.StatusCode
    reason: str = ""
    violations: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    service: str = ""
    address: str = ""


class CallError(PodyardError):
    """A call failed. The subclass says how; the attributes say what the service told."""

    def __init__(self, message: str, details: ErrorDetails) -> None:
        super().__init__(message)
        self.details = details

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC status code."""
        return self.details.code

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """The bad fields of the request."""
        return self.details.violations

    @property
    def retry_after(self) -> float | None:
        """Seconds after which a retry makes sense; None when the service did not say."""
        return self.details.retry_after


class InvalidArgumentError(CallError):
    """The request is wrong; `violations` names the fields."""


class OutOfRangeError(InvalidArgumentError):
    """The request goes beyond the present end: an offset past a log's end."""


class NotFoundError(CallError):
    """Something named by the request does not exist."""


class AlreadyExistsError(CallError):
    """What the request would create exists."""


class FailedPreconditionError(CallError):
    """The system is not in the state that the request needs."""


class ConflictError(CallError):
    """Someone else's change came first; read again and retry."""


class AccessError(CallError):
    """Base of errors about who calls."""


class UnauthenticatedError(AccessError):
    """The service does not know the caller."""


class PermissionDeniedError(AccessError):
    """The caller, or Podyard itself, may not do this."""


class UnsupportedError(CallError):
    """The service cannot do this at all."""


class RetryableError(CallError):
    """Base of errors that pass."""


class UnavailableError(RetryableError):
    """The service, or something it needs, cannot be reached now."""


class ResourceExhaustedError(RetryableError):
    """A limit was reached: rate, quota, buffer of a slow subscriber."""


class DeadlineExceededError(RetryableError):
    """The answer did not come in time."""


class CancelledError(CallError):
    """The call was cancelled."""


class InternalError(CallError):
    """The service failed; its log has the details under the request id."""


_CLASSES: dict[grpc.StatusCode, type[CallError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRangeError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.CANCELLED: CancelledError,
}


def from_rpc_error(error: Any, service: str = "", address: str = "") -> CallError:
    """The exception of a failed call. `error` is the grpc.RpcError, which is also its call."""
    code: grpc.StatusCode = error.code() or grpc.StatusCode.UNKNOWN
    message: str = error.details() or code.name.lower().replace("_", " ")
    said = _service_answer(error)
    details = ErrorDetails(
        code=code,
        reason=said.reason,
        violations=said.violations,
        retry_after=said.retry_after,
        metadata=said.metadata,
        request_id=_request_id(error),
        service=service,
        address=address,
    )
    if not said.reason:
        message = _transport_message(code, message, service, address)
    return _CLASSES.get(code, InternalError)(message, details)


def silence_error(cancelled: CallError, seconds: float) -> UnavailableError:
    """The error of a stream that was cut because nothing came for so many seconds."""
    details = dataclasses.replace(cancelled.details, code=grpc.StatusCode.UNAVAILABLE)
    return UnavailableError(
        f"the {details.service} service at {details.address} said nothing for {seconds:g} s",
        details,
    )


def _service_answer(error: Any) -> ErrorDetails:
    """The google.rpc details of a call, without those that it does not have."""
    code: grpc.StatusCode = error.code()
    try:
        status: Any = rpc_status.from_call(error)
    except ValueError:  # code and details disagree: not an answer of Podyard
        status = None
    if status is None:
        return ErrorDetails(code)
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        has_retry = detail.Unpack(retry) or has_retry
    return ErrorDetails(
        code=code,
        reason=info.reason,
        violations=tuple(FieldViolation(v.field, v.description) for v in bad.field_violations),
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if has_retry else None,
        metadata=dict(info.metadata),
    )


def _request_id(error: Any) -> str:
    for key, value in error.trailing_metadata() or ():
        if key == REQUEST_ID_HEADER and isinstance(value, str):
            return value
    return ""


# What gRPC says around the system's own word, such as "Connection refused".
_CONNECTING = re.compile(
    r"^failed to connect to all addresses; last error: (?:UNKNOWN|UNAVAILABLE): \S+: "
    r"(?:Failed to connect to remote host: )?(?:connect: )?|^UNKNOWN: | \(\d+\)$"
)


def _transport_message(code: grpc.StatusCode, message: str, service: str, address: str) -> str:
    """gRPC's own texts name sockets and retries; say which service is meant and what it is."""
    who = f"the {service} service at {address}" if service else "the service"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"{who} cannot be reached: {_CONNECTING.sub('', message).lower()}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"{who} did not answer in time"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"{who} does not know this call; it may be another version ({message})"
    return message
