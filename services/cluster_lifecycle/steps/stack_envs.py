"""stack_envs: what the stack gave, as `export KEY=value` lines that step scripts source."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from services.common.errors import FailedPreconditionError

FILE_NAME = "stack_envs"

_SOURCES: dict[str, tuple[str, ...]] = {
    # The stack's own names first, then those of the templates that AWS publishes.
    "EKS_CLUSTER_NAME": ("EksClusterName", "OutputEKSClusterName"),
    "EKS_CLUSTER_ARN": ("EksClusterArn", "OutputEKSClusterArn"),
    "LIFECYCLE_S3_BUCKET_NAME": ("LifecycleBucketName", "OutputS3BucketName"),
    "EXECUTION_ROLE": ("ExecutionRoleArn", "OutputSageMakerIAMRoleArn"),
    "VPC_ID": ("VpcId", "OutputVpcId"),
    "PRIVATE_SUBNET_ID": ("PrivateSubnetId", "OutputPrivateSubnetIds", "OutputPrivateSubnetId"),
    "SECURITY_GROUP_ID": ("SecurityGroupId", "OutputSecurityGroupId"),
}
_VALUE = re.compile(r"[A-Za-z0-9._:/,@+=-]{1,2048}")


def stack_values(outputs: Mapping[str, str]) -> dict[str, str]:
    """The variables that the outputs give; those without an output are left out.

    FailedPreconditionError for a value that does not belong into a file that bash runs.
    """
    values: dict[str, str] = {}
    for key, names in _SOURCES.items():
        value = next((outputs[name] for name in names if outputs.get(name)), "")
        if value and not _VALUE.fullmatch(value):
            raise FailedPreconditionError(
                f"the stack's output for {key} holds characters that no AWS name has",
                reason="BAD_STACK_OUTPUT",
            )
        if value:
            values[key] = value
    return values


def stack_envs_text(values: Mapping[str, str]) -> str:
    """The file's text."""
    return "".join(f"export {key}={shlex.quote(value)}\n" for key, value in values.items())
