"""How requests to a tracking server are authorised."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any, Protocol

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from services.training_history.domain.ports import TrackingServerRefusedError

ARN_HEADER = "x-mlflow-sm-tracking-server-arn"


class Authorization(Protocol):
    """Makes the headers that authorise a request."""

    async def headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """Headers for this very request; TrackingServerRefusedError if there are no credentials."""


class StaticAuthorization:
    """The same header for every request: basic, bearer, or none."""

    def __init__(self, authorization: str | None = None) -> None:
        self._headers = {} if authorization is None else {"Authorization": authorization}

    @classmethod
    def basic(cls, username: str, password: str) -> StaticAuthorization:
        """HTTP basic authentication (RFC 7617), in UTF-8."""
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return cls(f"Basic {pair}")

    @classmethod
    def bearer(cls, token: str) -> StaticAuthorization:
        """A bearer token (RFC 6750)."""
        return cls(f"Bearer {token}")

    async def headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        return self._headers


class SigV4Authorization:
    """AWS Signature Version 4 for a SageMaker tracking server.

    Signs as sagemaker-mlflow does, with botocore directly: the plugin itself takes the ARN and
    the region from the process-global tracking URI, so that one process could serve one ARN only.
    """

    def __init__(self, arn: str, region: str, signing_name: str) -> None:
        self._arn = arn
        self._region = region
        self._signing_name = signing_name
        self._session = botocore.session.get_session()
        self._credentials: Any = None

    async def headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        # In a thread: credentials may have to be fetched or refreshed over the network.
        try:
            return await asyncio.to_thread(self._sign, method, url, body)
        except BotoCoreError as error:
            raise TrackingServerRefusedError(
                f"no AWS credentials for the tracking server {self._arn}: {error}"
            ) from error

    def _sign(self, method: str, url: str, body: bytes) -> dict[str, str]:
        if self._credentials is None:
            self._credentials = self._session.get_credentials()
        if self._credentials is None:
            raise TrackingServerRefusedError(
                f"no AWS credentials were found for the tracking server {self._arn}; give the "
                "service a role, a profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        request = AWSRequest(
            method=method,
            url=url,
            data=body,
            headers={
                ARN_HEADER: self._arn,
                "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest(),
            },
        )
        frozen = self._credentials.get_frozen_credentials()
        SigV4Auth(frozen, self._signing_name, self._region).add_auth(request)
        return dict(request.headers.items())
