"""Configuring on a real control plane, through the k8s-resource service, and its status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.cluster_lifecycle.v1 import cluster_pb2
from podyard.common.v1 import operation_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s_pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as k8s_grpc

from tools.stack.control_plane import ControlPlane
from tools.stack.ports import free_ports

if TYPE_CHECKING:
    from tests.integration.cluster_lifecycle.conftest import Aws, LifecycleService, Serve

ROOT = Path(__file__).resolve().parents[3]
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
OPERATOR = "hp-training-operator-hp-training-controller-manager-0"

PODS = [
    ("kube-system", "s3-csi-node-1", {"app": "s3-csi-node"}),
    ("aws-hyperpod", OPERATOR, {"app.kubernetes.io/name": "hp-training-operator"}),
]


def pod(namespace: str, name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


@pytest.fixture
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane, without what these tests leave in it."""
    yield control_plane
    remove = ["delete", "--ignore-not-found", "--wait=false"]
    control_plane.kubectl(*remove, "namespace", "aws-hyperpod")
    control_plane.kubectl(*remove, "-n", "kube-system", "pod", "s3-csi-node-1")
    control_plane.kubectl(*remove, "serviceaccount", "mlflow-service-account")
    control_plane.kubectl(*remove, "pvc", "s3-claim")
    control_plane.kubectl(*remove, "pv", "s3-pv")
    control_plane.kubectl("wait", "--for=delete", "pv/s3-pv", "--timeout=60s")


@pytest.fixture
async def k8s_address(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[str]:
    """The k8s-resource service as a process of its own."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    environment = os.environ | {
        "PODYARD_K8S_RESOURCE_LISTEN": address,
        "PODYARD_K8S_RESOURCE_KUBECONFIG": str(plane.kubeconfig),
    }
    log = (tmp_path / "k8s-resource.log").open("ab")
    with (
        log,
        subprocess.Popen(  # noqa: ASYNC220 - it is waited for below
            [sys.executable, "-m", "services.k8s_resource"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                await k8s_grpc.K8sResourceServiceStub(channel).ListClusterConnections(
                    k8s_pb.ListClusterConnectionsRequest(), wait_for_ready=True, timeout=30
                )
            yield address
        finally:
            process.terminate()


@pytest.fixture
def environment(
    aws_environment: dict[str, str], plane: ControlPlane, k8s_address: str
) -> dict[str, str]:
    return aws_environment | {
        "PODYARD_CLUSTER_LIFECYCLE_K8S_RESOURCE_ADDRESS": k8s_address,
        "PODYARD_CLUSTER_LIFECYCLE_K8S_CLUSTER": plane.context,
    }


async def configure(service: LifecycleService, tag: str) -> operation_pb2.Operation:
    answer = await service.stub.Configure(pb.ConfigureRequest(tag=tag))
    return await service.ended(answer.operation.id)


def found(status: cluster_pb2.ConfigureStatus) -> dict[str, str]:
    return {
        check.name: cluster_pb2.CheckState.Name(check.state).removeprefix("CHECK_STATE_")
        for check in status.checks
    }


async def test_a_launched_cluster_is_configured(
    tmp_path: Path, environment: dict[str, str], plane: ControlPlane, aws: Aws, serve: Serve
) -> None:
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        tag = cluster.tag
        status = (await service.status(tag)).configure
        assert status.state == cluster_pb2.STEP_STATE_NOT_STARTED
        assert set(found(status).values()) == {"MISSING"}
        with pytest.raises(grpc.aio.AioRpcError) as early:
            await service.stub.Configure(pb.ConfigureRequest(tag=tag))
        assert early.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "launch" in str(early.value.details())

        await service.ended((await service.launch(tag)).id)
        operation = await configure(service, tag)
        log = await service.whole_log(tag, "configure")
        assert operation.state == SUCCEEDED, log
        assert [step.name for step in operation.steps] == [
            *("stack-outputs", "kubeconfig", "add-ons", "objects")
        ]

        volume = json.loads(plane.kubectl("get", "pv", "s3-pv", "-o", "json"))
        assert volume["spec"]["csi"]["driver"] == "s3.csi.aws.com"
        assert (
            volume["spec"]["csi"]["volumeAttributes"]["bucketName"] == cluster.config.model_bucket
        )
        plane.kubectl(
            "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/s3-claim", "--timeout=30s"
        )
        plane.kubectl("get", "serviceaccount", "mlflow-service-account")

        eks = aws.client("eks")
        name = cluster.config.eks_cluster_name
        assert set(eks.list_addons(clusterName=name)["addons"]) == {
            *("eks-pod-identity-agent", "cert-manager", "aws-mountpoint-s3-csi-driver"),
            "amazon-sagemaker-hyperpod-training-operator",
        }
        roles = eks.list_pod_identity_associations(clusterName=name)["associations"]
        assert {entry["serviceAccount"] for entry in roles} == {
            *("s3-csi-driver-sa", "hp-training-operator-controller-manager")
        }

        config = service.state / "managed_clusters_info" / tag / "config"
        envs = (config / "stack_envs").read_text()
        for key in ("EKS_CLUSTER_ARN", "LIFECYCLE_S3_BUCKET_NAME", "EXECUTION_ROLE", "VPC_ID"):
            assert f"export {key}=" in envs
        # The emulator has clusters without certificates, which nobody could connect to.
        assert "no kubeconfig is written" in log
        assert not (config / "kubeconfig").exists()

        status = (await service.status(tag)).configure
        assert status.state == cluster_pb2.STEP_STATE_PARTIAL
        assert found(status)["s3-persistent-volume"] == "READY"

        plane.kubectl("create", "namespace", "aws-hyperpod")
        for labelled in PODS:
            plane.apply(json.dumps(pod(*labelled)))
        for namespace, labelled_name, _ in PODS:
            plane.kubectl(
                *("-n", namespace, "wait", "--for=condition=Ready", f"pod/{labelled_name}"),
                "--timeout=60s",
            )
        await completed(service, tag)

        again = await configure(service, tag)
        assert again.state == SUCCEEDED
        assert "PersistentVolume s3-pv: unchanged" in await service.whole_log(tag, "configure")


async def completed(service: LifecycleService, tag: str) -> None:
    """Until the checks agree: k8s-resource answers from a cache that follows within moments."""
    for _ in range(200):
        status = (await service.status(tag)).configure
        if status.state == cluster_pb2.STEP_STATE_COMPLETED:
            assert set(found(status).values()) == {"READY"}
            return
    raise AssertionError(status)


async def test_a_connection_that_does_not_exist_is_told(
    tmp_path: Path, environment: dict[str, str], serve: Serve
) -> None:
    environment["PODYARD_CLUSTER_LIFECYCLE_K8S_CLUSTER"] = ""
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        await service.ended((await service.launch(cluster.tag)).id)
        status = (await service.status(cluster.tag)).configure
        assert status.state == cluster_pb2.STEP_STATE_UNKNOWN
        assert set(found(status).values()) == {"UNKNOWN"}
        assert cluster.config.eks_cluster_name in status.message
        operation = await configure(service, cluster.tag)
        assert operation.state == FAILED
        assert cluster.config.eks_cluster_name in operation.error.message
        assert [step.state for step in operation.steps] == [SUCCEEDED] * 3 + [FAILED]
