"""The Podyard SDK.

from podyard.client import Podyard

with Podyard() as podyard:
    for node in podyard.k8s.list_nodes():
        print(node.name, node.gpu.available)
"""

from podyard.client.addresses import Address, Addresses, resolve_addresses
from podyard.client.errors import (
    AccessError,
    AlreadyExistsError,
    CallError,
    CancelledError,
    ConfigurationError,
    ConflictError,
    DeadlineExceededError,
    ErrorDetails,
    FailedPreconditionError,
    FieldViolation,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    PodyardError,
    ResourceExhaustedError,
    RetryableError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedError,
)
from podyard.client.listing import Listing
from podyard.client.log_reads import LogDownload, LogSearch
from podyard.client.log_tails import LogLine, log_lines
from podyard.client.podyard import Podyard
from podyard.client.streams import Interruption, ResumingStream

__all__ = [
    "AccessError",
    "Address",
    "Addresses",
    "AlreadyExistsError",
    "CallError",
    "CancelledError",
    "ConfigurationError",
    "ConflictError",
    "DeadlineExceededError",
    "ErrorDetails",
    "FailedPreconditionError",
    "FieldViolation",
    "InternalError",
    "Interruption",
    "InvalidArgumentError",
    "Listing",
    "LogDownload",
    "LogLine",
    "LogSearch",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "Podyard",
    "PodyardError",
    "ResourceExhaustedError",
    "ResumingStream",
    "RetryableError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnsupportedError",
    "log_lines",
    "resolve_addresses",
]
