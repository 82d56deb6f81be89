"""HyperPod clusters and their status as people read them."""

from __future__ import annotations

import datetime
from typing import Any

from podyard.cli import output
from podyard.cli.colors import state_color
from podyard.cli.tables import Column
from podyard.cli.times import MISSING, age, local_time
from podyard.cli.words import enum_word


def cluster_columns(now: datetime.datetime) -> list[Column[Any]]:
    """A table of clusters."""
    return [
        Column("TAG", lambda c: c.tag),
        Column("REGION", lambda c: c.config.aws_region or MISSING, 2),
        Column("AZ", lambda c: c.config.gpu_capacity_az or MISSING, 4),
        Column("INSTANCE", lambda c: c.config.gpu_instance_type or MISSING),
        Column("COUNT", lambda c: str(c.config.gpu_instance_count), right=True),
        Column("TRAINING PLAN", lambda c: c.config.training_plan or MISSING, 3),
        Column("STACK", lambda c: c.config.stack_name or MISSING, 5),
        Column("CHANGED", lambda c: age(c, "update_time", now), 4),
        Column("AGE", lambda c: age(c, "create_time", now), 1),
    ]


def log_columns(now: datetime.datetime) -> list[Column[Any]]:
    """A table of the logs of a cluster's steps."""
    return [
        Column("ID", lambda log: log.id),
        Column("STEP", lambda log: log.step),
        Column("BYTES", lambda log: str(log.size), right=True),
        Column("COMPLETE", lambda log: "yes" if log.complete else "no", 2),
        Column("AGE", lambda log: age(log, "create_time", now), 1),
        Column("OPERATION", lambda log: log.operation_id or MISSING, 3),
    ]


def print_cluster(cluster: Any) -> None:
    """One cluster with its configuration."""
    config = cluster.config
    output.print_fields(
        [
            ("Tag", cluster.tag),
            ("Region", config.aws_region),
            ("Zone", config.gpu_capacity_az),
            ("Instances", f"{config.gpu_instance_count} × {config.gpu_instance_type}"),
            ("Training plan", config.training_plan),
            ("Stack", config.stack_name),
            ("EKS cluster", config.eks_cluster_name),
            ("HyperPod cluster", config.hyperpod_cluster_name),
            ("MLflow server", config.mlflow_server_name),
            ("Bucket", config.model_bucket),
            ("Registered", local_time(cluster, "create_time")),
            ("Changed", local_time(cluster, "update_time")),
            ("Etag", cluster.etag),
        ]
    )


def print_status(status: Any) -> None:
    """Where both steps stand, with the stack and the checks."""
    launch, configure = status.launch, status.configure
    output.print_table(
        [
            Column("STEP", lambda row: row[0]),
            Column("STATE", lambda row: row[1], color=state_color),
            Column("OPERATION", lambda row: row[2], 2, color=state_color),
            Column("MESSAGE", lambda row: row[3], 1),
        ],
        [
            ("launch", enum_word(launch, "state"), _operation(launch), launch.message or MISSING),
            (
                "configure",
                enum_word(configure, "state"),
                _operation(configure),
                configure.message or MISSING,
            ),
        ],
    )
    if launch.stack_name:
        print()
        outputs = "\n".join(f"{key} = {launch.outputs[key]}" for key in sorted(launch.outputs))
        output.print_fields(
            [
                ("Stack", launch.stack_name),
                ("Stack status", launch.stack_status),
                ("Reason", launch.stack_status_reason),
                ("Outputs", outputs),
            ]
        )
    if configure.checks:
        print()
        output.print_table(
            [
                Column("CHECK", lambda c: c.name),
                Column("STATE", lambda c: enum_word(c, "state"), color=state_color),
                Column("MESSAGE", lambda c: c.message or MISSING, 1),
            ],
            list(configure.checks),
        )


def _operation(step: Any) -> str:
    return enum_word(step.operation, "state") if step.HasField("operation") else MISSING
