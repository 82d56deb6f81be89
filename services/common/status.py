"""The one table from domain errors to gRPC statuses with google.rpc details."""

from __future__ import annotations

import asyncio
import math

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from services.common import errors

ERROR_DOMAIN = "podyard"

_CODES: dict[type[BaseException], grpc.StatusCode] = {
    errors.InvalidArgumentError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.OutOfRangeError: grpc.StatusCode.OUT_OF_RANGE,
    errors.NotFoundError: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
    errors.FailedPreconditionError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ConflictError: grpc.StatusCode.ABORTED,
    errors.UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    errors.UnsupportedError: grpc.StatusCode.UNIMPLEMENTED,
    errors.UnavailableError: grpc.StatusCode.UNAVAILABLE,
    errors.ResourceExhaustedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceededError: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def code_of(error: BaseException) -> grpc.StatusCode:
    """The status code of an error; INTERNAL for one that is not in the table."""
    for cls in type(error).__mro__:
        if cls in _CODES:
            return _CODES[cls]
    if isinstance(error, TimeoutError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    if isinstance(error, asyncio.CancelledError):
        return grpc.StatusCode.CANCELLED
    if isinstance(error, NotImplementedError):  # raised by the generated base of a servicer
        return grpc.StatusCode.UNIMPLEMENTED
    return grpc.StatusCode.INTERNAL


def to_status(error: BaseException) -> status_pb2.Status:
    """The google.rpc.Status of an error.

    An error that is not a PodyardError gives its code and a general text only:
    its own text may hold what callers must not see.
    """
    code = code_of(error)
    number: int = code.value[0]
    if not isinstance(error, errors.PodyardError):
        text = {
            grpc.StatusCode.DEADLINE_EXCEEDED: "the deadline passed before the answer was ready",
            grpc.StatusCode.CANCELLED: "the call was cancelled",
            grpc.StatusCode.UNIMPLEMENTED: "this server does not offer this method",
        }.get(code, "internal error; the server's log has the details under the request id")
        return status_pb2.Status(code=number, message=text)
    status = status_pb2.Status(code=number, message=error.message)
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata
    )
    for detail in (info, *_specific_details(error)):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _specific_details(error: errors.PodyardError) -> list[Message]:
    match error:
        case errors.InvalidArgumentError() if error.violations:
            return [
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(
                            field=v.field, description=v.description
                        )
                        for v in error.violations
                    ]
                )
            ]
        case errors.NotFoundError() | errors.AlreadyExistsError():
            return [
                error_details_pb2.ResourceInfo(
                    resource_type=error.resource_type,
                    resource_name=error.name,
                    description=error.message,
                )
            ]
        case errors.RetryableError() if error.retry_after is not None:
            retry = error_details_pb2.RetryInfo()
            fraction, seconds = math.modf(error.retry_after)
            retry.retry_delay.seconds = int(seconds)
            retry.retry_delay.nanos = int(fraction * 1e9)
            return [retry]
        case _:
            return []
