"""From an answer of the API server that is not a success to a domain error.

The body is a metav1.Status; reasons are those of k8s.io/apimachinery's
`StatusReason`. What Podyard's own credentials may not do is PERMISSION_DENIED;
credentials that the API server does not accept at all are a fault of the
configuration, not of the caller.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Mapping

import msgspec

from services.common.errors import (
    AlreadyExistsError,
    ConflictError,
    DeadlineExceededError,
    FailedPreconditionError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    PodyardError,
    ResourceExhaustedError,
    UnavailableError,
    UnsupportedError,
)
from services.k8s_resource.domain.forbidden import forbidden

_LONGEST_PLAIN_TEXT = 512


class ExpiredError(ConflictError):
    """410 Gone: the resourceVersion or continue token is too old; start from a new list."""

    reason = "EXPIRED"


class Cause(msgspec.Struct, frozen=True):
    """One field of a refused object."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """What the refusal is about."""

    name: str = ""
    group: str = ""
    kind: str = ""
    causes: list[Cause] | None = None
    retry_after_seconds: int = 0


class Status(msgspec.Struct, frozen=True):
    """metav1.Status; also the object of a watch's ERROR event."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None


_decoder = msgspec.json.Decoder(Status)


def status_of(code: int, body: bytes) -> Status:
    """The Status in a body; one made of its plain text if it holds none."""
    try:
        status = _decoder.decode(body)
    except msgspec.DecodeError:
        text = _shortened(body.decode("utf-8", "replace").strip())
        return Status(code=code, message=text or f"HTTP status {code} without a text")
    if status.code and status.message:
        return status
    return msgspec.structs.replace(
        status, code=status.code or code, message=status.message or f"HTTP status {code}"
    )


def _shortened(text: str) -> str:
    """Of the health checks of an API server those that fail, else the beginning."""
    if text.startswith(("[+]", "[-]")):
        text = "\n".join(line for line in text.splitlines() if line.startswith("[-]")) or text
    return text[:_LONGEST_PLAIN_TEXT]


def error_of(code: int, headers: Mapping[str, str], body: bytes) -> PodyardError:
    """The domain error of an answer with a status of 400 or more (or 3xx, never followed)."""
    return error_of_status(status_of(code, body), retry_after_of(headers))


def error_of_status(status: Status, retry_after: float | None = None) -> PodyardError:
    """The domain error of a Status; `retry_after` in seconds is that of the header."""
    details = status.details or Details()
    if details.retry_after_seconds:
        retry_after = float(details.retry_after_seconds)
    message = status.message
    match status.code, status.reason:
        case (_, "AlreadyExists"):
            return AlreadyExistsError(details.kind, details.name, message)
        case (401, _):
            return FailedPreconditionError(
                f"the API server does not accept Podyard's credentials ({message}); renew them",
                reason="CLUSTER_CREDENTIALS_REFUSED",
            )
        case (403, _):
            return forbidden(message)
        case (404, _):
            return NotFoundError(details.kind or "resource", details.name, message)
        case (405, _):
            return UnsupportedError(message)
        case (409, _):
            return ConflictError(message)
        case (410, _) | (_, "Expired" | "Gone"):
            return ExpiredError(message)
        case (429, _):
            return ResourceExhaustedError(
                message, retry_after=retry_after, reason="KUBERNETES_TOO_MANY_REQUESTS"
            )
        case (_, "Timeout" | "ServerTimeout") | (504, _):
            return DeadlineExceededError(
                f"the API server did not finish in time: {message}", retry_after=retry_after
            )
        case (code, _) if 400 <= code < 500:
            return _invalid(message, details)
        case _:
            return UnavailableError(f"the API server failed: {message}", retry_after=retry_after)


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, given as a number or a date; None without one."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


def _invalid(message: str, details: Details) -> InvalidArgumentError:
    return InvalidArgumentError(
        message,
        violations=[
            FieldViolation(cause.field, cause.message)
            for cause in details.causes or ()
            if cause.field
        ],
        reason="KUBERNETES_INVALID",
    )
