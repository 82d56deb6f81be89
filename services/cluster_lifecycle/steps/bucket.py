"""The bucket that is mounted into the cluster."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from services.cluster_lifecycle.adapters.aws_clients import error_code
from services.cluster_lifecycle.steps.program import say
from services.common.errors import FailedPreconditionError

_BLOCK_ALL = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}


def ensure_bucket(s3: Any, name: str, region: str) -> None:
    """Make a private, encrypted bucket; one that exists keeps the settings it has.

    FailedPreconditionError if the name belongs to another account; errors of boto3.
    """
    if _exists(s3, name):
        say(f"bucket {name} exists")
    else:
        _create(s3, name, region)
    if not _has(s3.get_public_access_block, name, "NoSuchPublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=_BLOCK_ALL)
        say(f"bucket {name}: public access blocked")
    if not _has(s3.get_bucket_encryption, name, "ServerSideEncryptionConfigurationNotFoundError"):
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_ENCRYPTION)
        say(f"bucket {name}: encrypted")


def _exists(s3: Any, name: str) -> bool:
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:
            return False
        if status == 403:
            raise FailedPreconditionError(
                f"bucket {name} belongs to another account, or this identity may not use it; "
                "choose another bucket name or allow s3:ListBucket on it",
                reason="BUCKET_TAKEN",
            ) from error
        raise
    return True


def _create(s3: Any, name: str, region: str) -> None:
    # us-east-1 is the one region that must not be named.
    place = {} if region == "us-east-1" else {"LocationConstraint": region}
    try:
        if place:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
        else:
            s3.create_bucket(Bucket=name)
    except ClientError as error:
        if error_code(error) == "BucketAlreadyOwnedByYou":
            return
        if error_code(error) == "BucketAlreadyExists":
            raise FailedPreconditionError(
                f"bucket {name} belongs to another account; choose another bucket name",
                reason="BUCKET_TAKEN",
            ) from error
        raise
    say(f"bucket {name} created in {region}")


def _has(get: Any, name: str, missing: str) -> bool:
    try:
        get(Bucket=name)
    except ClientError as error:
        if error_code(error) == missing:
            return False
        raise
    return True
