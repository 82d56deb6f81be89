"""A cluster's configuration in init_envs: which line is which field, in both generations.

The present generation sets CLUSTER_TAG and derives names from it; the earlier
one sets every name itself. A field whose line is missing has its default.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.cluster_lifecycle.domain.config_rules import config_violations
from services.cluster_lifecycle.domain.init_envs import InitEnvs
from services.cluster_lifecycle.domain.model import ClusterConfig
from services.common.errors import FailedPreconditionError, FieldViolation

FILE_NAME = "init_envs"
TAG_KEY = "CLUSTER_TAG"
TRAINING_PLAN_KEY = "FTP_NAME"
NO_TRAINING_PLAN = "your-ftp-name"
"""What the commented-out line of a cluster without a training plan says."""

KEYS = {
    "aws_region": "AWS_REGION",
    "training_plan": TRAINING_PLAN_KEY,
    "gpu_capacity_az": "GPU_CAPACITY_AZ",
    "gpu_instance_type": "GPU_INSTANCE_TYPE",
    "gpu_instance_count": "GPU_INSTANCE_COUNT",
    "stack_name": "CLOUD_FORMATION_FULL_STACK_NAME",
    "eks_cluster_name": "EKS_CLUSTER_NAME",
    "hyperpod_cluster_name": "HP_CLUSTER_NAME",
    "mlflow_server_name": "MLFLOW_SERVER_NAME",
    "model_bucket": "DEPLOY_MODEL_S3_BUCKET",
}
_OWN_KEYS = (TAG_KEY, *KEYS.values())

_NEW_FILE = """\
export CLUSTER_TAG={tag}
export AWS_REGION=us-east-1
# export FTP_NAME=your-ftp-name
export GPU_CAPACITY_AZ=us-east-1a
export GPU_INSTANCE_TYPE=ml.g5.12xlarge
export GPU_INSTANCE_COUNT=0

# Automatic fill
export CLOUD_FORMATION_FULL_STACK_NAME=full-stack-$CLUSTER_TAG
export EKS_CLUSTER_NAME=eks-cluster-$CLUSTER_TAG
export HP_CLUSTER_NAME=hp-cluster-$CLUSTER_TAG
export MLFLOW_SERVER_NAME=mlflow-server-$CLUSTER_TAG
export DEPLOY_MODEL_S3_BUCKET=cluster-mount-$CLUSTER_TAG
export ACCOUNT_ID=$(aws sts get-caller-identity --query Account --output text)
export STACK_ID=$CLOUD_FORMATION_FULL_STACK_NAME
export AWS_AZ=$(aws ec2 describe-availability-zones --region $AWS_REGION \
--query "AvailabilityZones[?ZoneName=='$GPU_CAPACITY_AZ'].ZoneId" --output text)

export CURRENT_ROLE_ARN=$(aws sts get-caller-identity --query Arn --output text)
export CURRENT_ROLE_NAME=$(echo "$CURRENT_ROLE_ARN" | sed 's/.*role\\///g' | sed 's/\\/.*//g')
export IAM_ROLE_ARN=arn:aws:iam::$ACCOUNT_ID:role/$CURRENT_ROLE_NAME
"""


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """A configuration as read, defaults filled in, and what is wrong with its file."""

    config: ClusterConfig
    problems: tuple[FieldViolation, ...]


def new_file(tag: str, config: ClusterConfig) -> str:
    """The init_envs of a new cluster; `config` has its defaults and is valid."""
    return edited_file(_NEW_FILE.format(tag=tag), tag, config)


def read_config(text: str, tag: str) -> ReadConfig:
    """The configuration that bash would get from `text`."""
    document = InitEnvs(text)
    problems: list[FieldViolation] = []
    values: dict[str, str] = {}
    for field, key in KEYS.items():
        assignment = document.last(key)
        if assignment is None:
            continue
        if assignment.value is None:
            problems.append(
                FieldViolation(
                    f"{FILE_NAME}: {key}",
                    "is computed when the file is sourced; write the value itself",
                )
            )
        else:
            values[field] = assignment.value
    problems += _tag_problems(document, tag)
    count = values.pop("gpu_instance_count", None)
    config = ClusterConfig(**values).with_defaults(tag)  # type: ignore[arg-type]
    if count is not None and count.isascii() and count.isdigit() and len(count) < 10:
        config = replace(config, gpu_instance_count=int(count))
    elif document.last(KEYS["gpu_instance_count"]) is None:
        problems.append(FieldViolation(f"{FILE_NAME}: GPU_INSTANCE_COUNT", "is not set"))
    elif count is not None:
        problems.append(FieldViolation(f"{FILE_NAME}: GPU_INSTANCE_COUNT", "must be a number"))
    problems += [
        FieldViolation(f"{FILE_NAME}: {KEYS[violation.field]}", violation.description)
        for violation in config_violations(config)
    ]
    return ReadConfig(config, tuple(problems))


def _tag_problems(document: InitEnvs, tag: str) -> list[FieldViolation]:
    assignment = document.last(TAG_KEY)
    if assignment is None or assignment.value == tag:
        return []
    return [FieldViolation(f"{FILE_NAME}: {TAG_KEY}", f'must be "{tag}", as the folder is named')]


def edited_file(text: str, tag: str, config: ClusterConfig) -> str:
    """`text` changed so that bash gets `config`, which has its defaults and is valid.

    Only the lines of fields that change are touched. FailedPreconditionError
    if that cannot be reached.
    """
    document = InitEnvs(text)
    if document.last(TAG_KEY) is not None:
        document = document.with_value(TAG_KEY, tag)
    # A changed value can change others that refer to it, so look again until all hold.
    for _ in KEYS:
        before = document.text
        for field, key in KEYS.items():
            document = _with_field(document, tag, field, key, str(getattr(config, field)))
        if document.text == before:
            break
    read = read_config(document.text, tag)
    if read.config != config or read.problems:
        raise FailedPreconditionError(
            f"{FILE_NAME} of {tag} cannot be edited safely: put its quotes and brackets right by "
            "hand first",
            reason="CONFIG_FILE_BROKEN",
        )
    return document.text


def _with_field(document: InitEnvs, tag: str, field: str, key: str, value: str) -> InitEnvs:
    present = str(getattr(read_config(document.text, tag).config, field))
    assignment = document.last(key)
    known = assignment is not None and assignment.value is not None
    default_suffices = assignment is None and field != "gpu_instance_count"
    if present == value and (known or default_suffices):
        return document
    if field == "training_plan" and not value:
        return document.without_value(key, NO_TRAINING_PLAN)
    return document.with_value(key, value, after=_OWN_KEYS)
