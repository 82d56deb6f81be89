"""Errors as HTTP: the code table and the body.

The body is the one that AIP-193 defines for HTTP/JSON:

    {"error": {"code": 404, "status": "NOT_FOUND", "message": "…", "details": [{"@type": …}]}}

`code` is the HTTP status, `status` the gRPC code's name, `details` the
google.rpc messages. On a stream the same object comes in band.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import orjson
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway.transcoding.encoding import any_to_json
from services.common.errors import PodyardError, UnavailableError
from services.common.logs import get_logger
from services.common.status import to_status

HTTP_STATUS: dict[str, int] = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""google/rpc/code.proto: the HTTP status of each gRPC code."""

_CODE_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_log = get_logger("gateway")


class HttpError(Exception):
    """An error of HTTP itself, such as 405, whose status the table does not give."""

    def __init__(
        self, http_status: int, error: PodyardError, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error.message)
        self.http_status = http_status
        self.error = error
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Problem:
    """An error as callers see it."""

    http_status: int
    status: status_pb2.Status
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The gRPC code's name."""
        return _CODE_NAMES.get(self.status.code, "UNKNOWN")

    @property
    def message(self) -> str:
        return str(self.status.message)

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the caller may try again, where the error says so."""
        for detail in self.status.details:
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(retry):
                return float(retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)
        return None

    def body(self) -> bytes:
        """The error object as JSON."""
        return orjson.dumps(
            {
                "error": {
                    "code": self.http_status,
                    "status": self.code,
                    "message": self.message,
                    "details": [any_to_json(detail) for detail in self.status.details],
                }
            }
        )

    def http_headers(self) -> dict[str, str]:
        """Headers that belong to the error."""
        headers = dict(self.headers)
        retry_after = self.retry_after
        if retry_after is not None:
            headers["retry-after"] = str(max(1, math.ceil(retry_after)))
        if self.http_status == 401:
            headers["www-authenticate"] = "Bearer"
        return headers


class ProblemError(Exception):
    """Carries a Problem to where it is answered."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def problem_of(error: BaseException, upstream: Upstream | None = None) -> Problem:
    """What to tell the caller. An unexpected error is logged and told without its text."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, HttpError):
        return Problem(error.http_status, to_status(error.error), error.headers)
    if isinstance(error, grpc.aio.AioRpcError):
        return _of_rpc(error, upstream)
    status = to_status(error)
    problem = Problem(HTTP_STATUS[_CODE_NAMES[status.code]], status)
    if problem.code == "INTERNAL":
        _log.error("unexpected error", exc_info=error)
    return problem


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service behind the gateway: its name and "host:port"."""

    name: str
    address: str


def _of_rpc(error: grpc.aio.AioRpcError, upstream: Upstream | None) -> Problem:
    code = error.code()
    status = _rich_status(error)
    if status is None and code is grpc.StatusCode.UNAVAILABLE and upstream is not None:
        # The service itself always sends a google.rpc.Status: this is the channel speaking.
        _log.warning("service unreachable", upstream=upstream.name, why=error.details())
        status = to_status(
            UnavailableError(
                f"the service {upstream.name} at {upstream.address} cannot be reached; "
                "see whether it runs",
                retry_after=1,
                reason="SERVICE_UNREACHABLE",
                metadata={"service": upstream.name},
            )
        )
    if status is None and code is grpc.StatusCode.DEADLINE_EXCEEDED:
        status = to_status(TimeoutError())
    if status is None:
        status = status_pb2.Status(code=code.value[0], message=error.details() or code.name)
    return Problem(HTTP_STATUS[code.name], status)


def _rich_status(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    try:
        found: Any = rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:
        return None
    return found if isinstance(found, status_pb2.Status) else None
