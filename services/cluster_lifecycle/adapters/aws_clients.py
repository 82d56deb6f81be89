"""boto3 clients, and what their errors mean.

Endpoints, credentials and proxies are the AWS SDK's own settings: AWS_PROFILE,
AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> and so on.
"""

from __future__ import annotations

import threading
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as AwsConnectionError,
)

from services.common.errors import (
    FailedPreconditionError,
    PermissionDeniedError,
    PodyardError,
    ResourceExhaustedError,
    UnavailableError,
    UnsupportedError,
)

ServiceName = Literal["cloudformation", "ec2", "eks", "iam", "s3", "sagemaker", "sts"]

PROMPT = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 2, "mode": "standard"},
    user_agent_extra="podyard",
)
"""For questions that a person waits for: at most about 15 s in all."""

PATIENT = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"total_max_attempts": 6, "mode": "adaptive"},
    user_agent_extra="podyard",
)
"""For steps: throttling is waited out, at the rate that AWS allows."""

_THROTTLED = frozenset(
    (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    )
)
_DENIED = frozenset(
    ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")
)
_BAD_CREDENTIALS = frozenset(
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "AuthFailure",
        "IncompleteSignature",
    )
)
_NOT_OFFERED = frozenset(
    (
        "UnknownOperationException",
        "UnknownOperation",
        "UnsupportedOperation",
        "UnsupportedOperationException",
        "InvalidAction",
        "NotImplemented",
        "NotImplementedException",
        "UnknownService",
        "501",
    )
)


_PASSING = (
    AwsConnectionError,
    HTTPClientError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)


class AwsClients:
    """Clients by service and region, made once each; a client may be used by several threads."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    def get(self, service: ServiceName, region: str) -> Any:
        """The client of a service in a region."""
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                self._session = self._session or boto3.Session()
                client = self._session.client(service, region_name=region, config=self._config)
                self._clients[service, region] = client
            return client


def error_code(error: ClientError) -> str:
    """AWS's word for the error, such as "ValidationError"."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """AWS's sentence for the error."""
    return str(error.response.get("Error", {}).get("Message", "")) or str(error)


def domain_error(error: BotoCoreError | ClientError) -> PodyardError:
    """What an error of boto3 means to callers."""
    if isinstance(error, ClientError):
        return _of_answer(error)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
        return FailedPreconditionError(
            f"AWS credentials are missing: {error}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or give this machine a role",
            reason="NO_AWS_CREDENTIALS",
        )
    if isinstance(error, TokenRetrievalError):
        return FailedPreconditionError(
            f"AWS credentials cannot be renewed: {error}; sign in again",
            reason="BAD_AWS_CREDENTIALS",
        )
    if isinstance(error, NoRegionError):
        return FailedPreconditionError(f"{error}; set AWS_REGION", reason="NO_AWS_REGION")
    if isinstance(error, _PASSING):
        return UnavailableError(f"AWS cannot be reached: {error}", retry_after=5)
    return FailedPreconditionError(f"AWS could not be asked: {error}", reason="AWS_CALL_FAILED")


def _of_answer(error: ClientError) -> PodyardError:
    code, message = error_code(error), error_message(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    text = f"AWS answered {code}: {message}"
    if code in _THROTTLED:
        return ResourceExhaustedError(text, retry_after=5, reason="AWS_THROTTLED")
    if code in _BAD_CREDENTIALS:
        return FailedPreconditionError(
            f"{text}; renew the AWS credentials of this service", reason="BAD_AWS_CREDENTIALS"
        )
    if code in _DENIED:
        return PermissionDeniedError(
            f"{text}; allow it to the AWS identity of this service", reason="AWS_DENIED"
        )
    if code in _NOT_OFFERED or status == 501:
        return UnsupportedError(text, reason="AWS_API_NOT_OFFERED")
    if status >= 500 or not status:
        return UnavailableError(text, retry_after=5)
    return FailedPreconditionError(text, reason="AWS_REFUSED", metadata={"aws_code": code})
