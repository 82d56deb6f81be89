"""What boto3's errors mean to callers."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from services.cluster_lifecycle.adapters.aws_clients import domain_error
from services.common import errors


def answer(code: str, status: int) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "text"},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "r",
                "HostId": "h",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "Operation",
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (answer("Throttling", 400), errors.ResourceExhaustedError),
        (answer("AccessDenied", 403), errors.PermissionDeniedError),
        (answer("ExpiredToken", 400), errors.FailedPreconditionError),
        (answer("ValidationError", 400), errors.FailedPreconditionError),
        (answer("UnknownOperationException", 400), errors.UnsupportedError),
        (answer("InternalFailure", 500), errors.UnavailableError),
        (answer("ServiceUnavailable", 503), errors.UnavailableError),
        (EndpointConnectionError(endpoint_url="http://x"), errors.UnavailableError),
        (ConnectTimeoutError(endpoint_url="http://x"), errors.UnavailableError),
        (ReadTimeoutError(endpoint_url="http://x"), errors.UnavailableError),
        (NoCredentialsError(), errors.FailedPreconditionError),
    ],
)
def test_each_error_has_its_meaning(
    error: BotoCoreError | ClientError, expected: type[errors.PodyardError]
) -> None:
    assert type(domain_error(error)) is expected


@pytest.mark.parametrize(
    "error",
    [
        ParamValidationError(report="bad"),
        InvalidRegionError(region_name="us; reboot"),
        answer("LimitExceededException", 400),
    ],
)
def test_what_no_waiting_helps_is_not_retryable(error: BotoCoreError | ClientError) -> None:
    assert not isinstance(domain_error(error), errors.RetryableError)
