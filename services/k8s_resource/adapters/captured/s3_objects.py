"""Objects of one S3 bucket, below a prefix. Needs the extra `k8s-resource-s3`.

Region, endpoint and credentials are the AWS SDK's own settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_AT_ONCE = 1000
"""Most keys of one DeleteObjects call (S3 API reference)."""


class ObjectsUnavailableError(Exception):
    """S3 could not be asked, or refused; the text says why."""


def parse_url(url: str) -> tuple[str, str]:
    """Bucket and prefix of "s3://bucket/prefix"; ValueError."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f'"{url}" is not of the form s3://bucket/prefix')
    prefix = (match[2] or "").strip("/")
    return match[1], f"{prefix}/" if prefix else ""


class S3Objects:
    """Objects by key, relative to the prefix. All methods raise ObjectsUnavailableError."""

    def __init__(self, url: str) -> None:
        """ValueError for a bad URL, and without boto3."""
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError as error:
            raise ValueError("boto3 is not installed; install the extra k8s-resource-s3") from error
        self._bucket, self._prefix = parse_url(url)
        self._failures: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 3, "mode": "standard"},
            user_agent_extra="podyard",
            # A checksum of every object, made and checked by the SDK.
            request_checksum_calculation="when_supported",
        )
        self._client: Any = boto3.client("s3", config=config)

    @property
    def described(self) -> str:
        """For messages."""
        return f"s3://{self._bucket}/{self._prefix}"

    def put(self, key: str, data: bytes) -> None:
        """Write an object, in place of one that was there."""
        self._call("put_object", Key=self._prefix + key, Body=data)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of an object from `start` up to `end`; a negative start counts from its
        end. FileNotFoundError."""
        reach = f"bytes={start}" if start < 0 else f"bytes={start}-{'' if end is None else end - 1}"
        whole = start == 0 and end is None
        arguments: dict[str, Any] = {} if whole else {"Range": reach}
        body: bytes = self._call("get_object", Key=self._prefix + key, **arguments)["Body"].read()
        return body

    def listed(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Keys with their sizes."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    yield found["Key"].removeprefix(self._prefix), found["Size"]
        except self._failures as error:
            raise ObjectsUnavailableError(f"{self.described}: {error}") from error

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are not there are no error."""
        for at in range(0, len(keys), _AT_ONCE):
            objects = [{"Key": self._prefix + key} for key in keys[at : at + _AT_ONCE]]
            self._call("delete_objects", Delete={"Objects": objects, "Quiet": True})

    def _call(self, method: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, method)(Bucket=self._bucket, **arguments)
        except self._failures as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            if code in ("NoSuchKey", "404"):
                raise FileNotFoundError(arguments.get("Key", self.described)) from error
            raise ObjectsUnavailableError(f"{self.described}: {error}") from error
