"""Clusters, their configuration and their status, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Literal

from services.common.operations.model import Operation

StepName = Literal["launch", "configure"]
STEPS: tuple[StepName, ...] = ("launch", "configure")


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What a user sets. Empty texts stand for the defaults of `with_defaults`."""

    aws_region: str = ""
    gpu_capacity_az: str = ""
    gpu_instance_type: str = ""
    gpu_instance_count: int = 0
    training_plan: str = ""
    stack_name: str = ""
    eks_cluster_name: str = ""
    hyperpod_cluster_name: str = ""
    mlflow_server_name: str = ""
    model_bucket: str = ""

    def with_defaults(self, tag: str) -> ClusterConfig:
        """Defaults and names derived from the tag in place of empty texts."""
        region = self.aws_region or "us-east-1"
        return replace(
            self,
            aws_region=region,
            gpu_capacity_az=self.gpu_capacity_az or f"{region}a",
            gpu_instance_type=self.gpu_instance_type or "ml.g5.12xlarge",
            stack_name=self.stack_name or f"full-stack-{tag}",
            eks_cluster_name=self.eks_cluster_name or f"eks-cluster-{tag}",
            hyperpod_cluster_name=self.hyperpod_cluster_name or f"hp-cluster-{tag}",
            mlflow_server_name=self.mlflow_server_name or f"mlflow-server-{tag}",
            model_bucket=self.model_bucket or f"cluster-mount-{tag}",
        )


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of the registry. `problems` are what is wrong with its file; times are UTC."""

    tag: str
    config: ClusterConfig
    etag: str
    create_time: datetime
    update_time: datetime
    problems: tuple[str, ...] = ()


class StepState(Enum):
    """Where a step stands in the real world."""

    NOT_STARTED = "not_started"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stack:
    """A CloudFormation stack. `status` is CloudFormation's own word."""

    name: str
    id: str
    status: str
    status_reason: str
    create_time: datetime
    update_time: datetime | None
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LaunchStatus:
    """Where the launch step stands. `check_time` is when AWS was asked."""

    state: StepState
    message: str
    stack_name: str
    check_time: datetime
    stack: Stack | None = None
    operation: Operation | None = None


class CheckState(Enum):
    """The result of one check of the configure step."""

    READY = "ready"
    PENDING = "pending"
    MISSING = "missing"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found; `message` names the remedy."""

    name: str
    state: CheckState
    message: str


@dataclass(frozen=True, slots=True)
class ConfigureStatus:
    """Where the configure step stands. `check_time` is when the checks were made."""

    state: StepState
    message: str
    checks: tuple[CheckResult, ...]
    check_time: datetime
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class LogFile:
    """The log of one run of a step. `size` is in bytes."""

    id: str
    step: StepName
    create_time: datetime
    size: int
    complete: bool
    operation_id: str = ""
