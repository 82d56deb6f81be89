"""Training jobs as they are read, and S3 volumes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.k8s_resource.domain.objects.training_jobs import TrainingJob
from services.k8s_resource.domain.objects.workloads import PersistentVolume


def job(spec: dict[str, Any] | None = None, **status: Any) -> TrainingJob:
    return msgspec.convert({"spec": spec or {}, "status": status}, TrainingJob)


def condition(kind: str, status: str = "True", day: int = 1) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": f"2026-01-{day:02d}T00:00:00Z"}


@pytest.mark.parametrize(
    ("read", "state"),
    [
        (job(), "Pending"),
        (job(conditions=None), "Pending"),
        (job(conditions=[condition("Created", day=2), condition("Running", day=3), condition("Old", day=1)]), "Running"),
        (job(conditions=[condition("Created"), condition("Running")]), "Running"),
        (job(conditions=[condition("Running"), condition("Failed", "False", day=9)]), "Running"),
        (job({"suspend": True}), "Suspended"),
        (job(active=2), "Running"),
        (job(state="ready"), "Ready"),
    ],
)  # fmt: skip
def test_state_is_the_newest_true_condition(read: TrainingJob, state: str) -> None:
    assert read.state() == state


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({"replicaSpecs": [{"name": "pods", "replicas": 4}]}, 4),
        ({"replicaSpecs": [{"replicas": "4"}, {}]}, 5),
        ({"pytorchReplicaSpecs": {"Master": {}, "Worker": {"replicas": 3}}}, 4),
        ({"workerGroupSpecs": [{"replicas": 2}, {"replicas": 3}]}, 6),
        ({"parallelism": 7}, 7),
        ({}, 1),
    ],
)
def test_replicas_of_every_kind(spec: dict[str, Any], replicas: int) -> None:
    assert job(spec).replicas() == replicas


@pytest.mark.parametrize(("value", "text"), [("auto", "auto"), ("8", "8"), (8, "8"), (None, "")])
def test_processes_per_node_are_as_written(value: object, text: str) -> None:
    assert job({"nprocPerNode": value}).processes_per_node() == text


def volume(
    attributes: dict[str, str] | None = None,
    handle: str = "",
    options: list[str] | None = None,
    annotations: dict[str, str] | None = None,
    driver: str = "s3.csi.aws.com",
) -> PersistentVolume:
    csi = {"driver": driver, "volumeHandle": handle, "volumeAttributes": attributes}
    return msgspec.convert(
        {
            "metadata": {"annotations": annotations},
            "spec": {"csi": csi, "mountOptions": options},
        },
        PersistentVolume,
    )


@pytest.mark.parametrize(
    ("read", "bucket", "region"),
    [
        (volume({"bucketName": "b", "region": "eu-west-1"}, "other"), "b", "eu-west-1"),
        (volume({"bucket": "b"}, "other"), "b", ""),
        (volume(None, "s3://b/prefix", ["allow-delete", "region us-west-2"]), "b", "us-west-2"),
        (volume(None, "us-east-2::b"), "b", "us-east-2"),
        (volume(None, "b", ["--region=ap-south-1"]), "b", "ap-south-1"),
        (volume(annotations={"bucketName": "b"}), "b", ""),
        (volume({"bucketName": "b"}, driver="efs.csi.aws.com"), "", ""),
    ],
)
def test_bucket_and_region_of_s3_volumes(read: PersistentVolume, bucket: str, region: str) -> None:
    assert (read.bucket(), read.region()) == (bucket, region)
