"""What each value of a configuration may be.

The values end up in a file that bash executes, so each must match a strict
pattern of its own; the patterns are those that AWS states for the names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from services.cluster_lifecycle.domain.model import ClusterConfig
from services.common.errors import FieldViolation, InvalidArgumentError

MAX_TAG_LENGTH = 32
MAX_INSTANCES = 6758
"""SageMaker's limit of an instance group (ClusterInstanceCount)."""

_TAG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_INSTANCE_TYPE = re.compile(r"ml\.[a-z][a-z0-9-]{0,30}\.[a-z0-9-]{1,20}")
_STACK = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_EKS = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
_SAGEMAKER_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9])*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_tag(tag: str, field: str = "tag") -> None:
    """InvalidArgumentError naming `field` unless `tag` can be a cluster's tag."""
    problem = tag_problem(tag)
    if problem:
        raise InvalidArgumentError.field(field, problem)


def tag_problem(tag: str) -> str:
    """Why `tag` cannot be a cluster's tag; empty if it can."""
    if len(tag) <= MAX_TAG_LENGTH and _TAG.fullmatch(tag):
        return ""
    return (
        f"must be lower-case letters, digits and single hyphens between them, "
        f"at most {MAX_TAG_LENGTH} characters"
    )


def config_violations(config: ClusterConfig, prefix: str = "") -> list[FieldViolation]:
    """Every bad value of a configuration with its defaults filled in, as `<prefix><field>`."""
    problems: dict[str, str] = {
        "aws_region": _matches(
            _REGION, config.aws_region, "must be an AWS region such as us-east-1"
        ),
        "gpu_capacity_az": _zone_problem(config),
        "gpu_instance_type": _matches(
            _INSTANCE_TYPE,
            config.gpu_instance_type,
            "must be a SageMaker instance type such as ml.g5.12xlarge",
        ),
        "gpu_instance_count": (
            ""
            if 0 <= config.gpu_instance_count <= MAX_INSTANCES
            else f"must be between 0 and {MAX_INSTANCES}"
        ),
        "training_plan": config.training_plan and _sagemaker_name(63)(config.training_plan),
        "stack_name": _matches(
            _STACK,
            config.stack_name,
            "must begin with a letter and hold letters, digits and hyphens, at most 128 characters",
        ),
        "eks_cluster_name": _matches(
            _EKS,
            config.eks_cluster_name,
            "must begin with a letter or digit and hold letters, digits, hyphens and "
            "underscores, at most 100 characters",
        ),
        "hyperpod_cluster_name": _sagemaker_name(63)(config.hyperpod_cluster_name),
        "mlflow_server_name": _sagemaker_name(256)(config.mlflow_server_name),
        "model_bucket": _bucket_problem(config.model_bucket),
    }
    return [FieldViolation(prefix + name, text) for name, text in problems.items() if text]


def _matches(pattern: re.Pattern[str], value: str, problem: str) -> str:
    return "" if pattern.fullmatch(value) else problem


def _sagemaker_name(longest: int) -> Callable[[str], str]:
    def problem(value: str) -> str:
        # The length first: the pattern then has little to try.
        if len(value) <= longest and _SAGEMAKER_NAME.fullmatch(value):
            return ""
        return (
            "must begin and end with a letter or digit and hold letters, digits and "
            f"hyphens, at most {longest} characters"
        )

    return problem


def _zone_problem(config: ClusterConfig) -> str:
    # A local zone is named after its region too: us-west-2-lax-1a.
    zone = re.compile(re.escape(config.aws_region) + r"(-[a-z]{3}-\d)?[a-z]")
    if zone.fullmatch(config.gpu_capacity_az):
        return ""
    if not _REGION.fullmatch(config.aws_region):
        return "must be an availability zone of the region, such as us-east-1a"
    return (
        f"must be an availability zone of the region {config.aws_region}, "
        f"such as {config.aws_region}a"
    )


def _bucket_problem(name: str) -> str:
    """Amazon S3's naming rules for general purpose buckets."""
    if not _BUCKET.fullmatch(name) or ".." in name:
        return (
            "must be an S3 bucket name: 3 to 63 lower-case letters, digits, hyphens and single "
            "dots, beginning and ending with a letter or digit"
        )
    if name.startswith(_BUCKET_PREFIXES) or name.endswith(_BUCKET_SUFFIXES):
        return "begins or ends with a text that Amazon S3 reserves; choose another bucket name"
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return ""
    return "must not have the form of an IP address"
