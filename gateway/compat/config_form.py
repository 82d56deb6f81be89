"""The configuration form of the panel, in both of its generations, pure.

Today's form names the cluster by `clusterTag` and lets every other name follow
from it. The earlier one gives each name itself and no tag.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from podyard.cluster_lifecycle.v1 import cluster_pb2 as pb

from services.common.errors import FieldViolation, InvalidArgumentError

TEXT_FIELDS = {
    "awsRegion": "aws_region",
    "gpuCapacityAz": "gpu_capacity_az",
    "gpuInstanceType": "gpu_instance_type",
    "cloudFormationFullStackName": "stack_name",
    "eksClusterName": "eks_cluster_name",
    "hpClusterName": "hyperpod_cluster_name",
    "deployModelS3Bucket": "model_bucket",
}
"""Fields of the form by name, with those of ClusterConfig that they set."""

FORM_NAMES = {
    **{f"cluster.config.{field}": name for name, field in TEXT_FIELDS.items()},
    "cluster.config.gpu_instance_count": "gpuInstanceCount",
    "cluster.config.training_plan": "ftpName",
    "cluster.tag": "clusterTag",
    "tag": "clusterTag",
}
"""What the form calls the fields that the service complains about."""

_PREFIXES = ("full-stack-", "eks-cluster-", "hp-cluster-")
_MAX_TAG = 32
_COUNT = re.compile(r"[0-9]{1,5}")


def read_config(form: Mapping[str, Any], present: pb.ClusterConfig | None) -> pb.ClusterConfig:
    """The configuration: what the form says over what the cluster has now, if it exists.

    InvalidArgumentError with every field that has a wrong type. Patterns are the service's.
    """
    problems: list[FieldViolation] = []
    config = pb.ClusterConfig()
    if present is not None:
        config.CopyFrom(present)
    for name, field in TEXT_FIELDS.items():
        if name in form:
            setattr(config, field, _text(form, name, problems))
    if "gpuInstanceCount" in form:
        config.gpu_instance_count = _count(form["gpuInstanceCount"], problems)
    elif present is None:
        problems.append(FieldViolation("gpuInstanceCount", "must be given"))
    config.training_plan = _training_plan(form, config.training_plan, problems)
    if problems:
        raise InvalidArgumentError.fields(problems)
    return config


def given_tag(form: Mapping[str, Any]) -> str:
    """The form's tag; empty if it is of the generation that has none."""
    problems: list[FieldViolation] = []
    tag = _text(form, "clusterTag", problems) if "clusterTag" in form else ""
    names = ("cloudFormationFullStackName", "hpClusterName", "eksClusterName")
    if not problems and not tag and not any(form.get(name) for name in names):
        problems.append(FieldViolation("clusterTag", "must be given"))
    if problems:
        raise InvalidArgumentError.fields(problems)
    return tag


def derived_tag(form: Mapping[str, Any], clusters: Iterable[pb.Cluster]) -> str:
    """The tag of a form without one: of the cluster with its stack, else made from its names.

    Deterministic, and never that of a cluster with another stack.
    """
    by_tag = {cluster.tag: cluster for cluster in clusters}
    stack = str(form.get("cloudFormationFullStackName") or "")
    for cluster in by_tag.values():
        if stack and cluster.config.stack_name == stack:
            return cluster.tag
    name = str(form.get("hpClusterName") or stack or form.get("eksClusterName"))
    tag = _slug(name)
    if tag and (tag not in by_tag or not stack):
        return tag
    digest = hashlib.blake2b(f"{stack}/{name}".encode(), digest_size=3).hexdigest()
    return f"{tag[: _MAX_TAG - 7].rstrip('-') or 'cluster'}-{digest}"


def _slug(name: str) -> str:
    lower = name.lower()
    for prefix in _PREFIXES:
        lower = lower.removeprefix(prefix)
    return re.sub(r"[^a-z0-9]+", "-", lower).strip("-")[:_MAX_TAG].strip("-")


def _text(form: Mapping[str, Any], name: str, problems: list[FieldViolation]) -> str:
    value = form[name]
    if value is None:
        return ""
    if not isinstance(value, str):
        problems.append(FieldViolation(name, "must be a string"))
        return ""
    return value.strip()


def _count(value: Any, problems: list[FieldViolation]) -> int:
    if isinstance(value, str) and _COUNT.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 99999:
        problems.append(FieldViolation("gpuInstanceCount", "must be a whole number of at least 0"))
        return 0
    return value


def _training_plan(form: Mapping[str, Any], present: str, problems: list[FieldViolation]) -> str:
    """The plan's name; the form sends it only when the switch is on."""
    name = _text(form, "ftpName", problems) if "ftpName" in form else ""
    enabled = form.get("enableFtp")
    if enabled is None:
        return name if "ftpName" in form else present
    if enabled not in (True, False, "true", "false"):
        problems.append(FieldViolation("enableFtp", "must be true or false"))
        return ""
    if enabled in (False, "false"):
        return ""
    if not name:
        problems.append(FieldViolation("ftpName", "must be given when enableFtp is true"))
    return name
