"""The Kubernetes objects of a configured cluster, applied through the k8s-resource service."""

from __future__ import annotations

import grpc
import yaml
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from services.cluster_lifecycle.adapters.k8s_resource import k8s_resource_error
from services.cluster_lifecycle.steps.program import operation_id, say
from services.common.errors import FailedPreconditionError

VOLUME, CLAIM, SERVICE_ACCOUNT = "s3-pv", "s3-claim", "mlflow-service-account"
NAMESPACE = "default"
_SIZE = "1200Gi"
"""Kubernetes demands a size; the driver takes no notice of it."""
_TIMEOUT = 60.0
"""Seconds; the call waits for a k8s-resource service that is just starting."""


def manifest(bucket: str, region: str) -> str:
    """Volume and claim that mount the bucket, and the service account of MLflow clients."""
    modes = ["ReadWriteMany"]
    return yaml.safe_dump_all(
        [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": VOLUME},
                "spec": {
                    "capacity": {"storage": _SIZE},
                    "accessModes": modes,
                    "storageClassName": "",
                    "persistentVolumeReclaimPolicy": "Retain",
                    "claimRef": {"namespace": NAMESPACE, "name": CLAIM},
                    "mountOptions": ["allow-delete", f"region {region}"],
                    "csi": {
                        "driver": "s3.csi.aws.com",
                        "volumeHandle": f"s3-csi-{bucket}",
                        "volumeAttributes": {"bucketName": bucket},
                    },
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": CLAIM, "namespace": NAMESPACE},
                "spec": {
                    "accessModes": modes,
                    "storageClassName": "",
                    "resources": {"requests": {"storage": _SIZE}},
                    "volumeName": VOLUME,
                },
            },
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": SERVICE_ACCOUNT, "namespace": NAMESPACE},
            },
        ],
        sort_keys=False,
    )


def apply_objects(address: str, connection: str, text: str) -> None:
    """Apply a manifest; PodyardError naming the object that was refused."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = pb_grpc.K8sResourceServiceStub(channel).Apply(
                pb.ApplyRequest(
                    cluster=connection, manifest=text, force=True, request_id=operation_id()[:128]
                ),
                timeout=_TIMEOUT,
                wait_for_ready=True,
            )
        except grpc.RpcError as error:
            raise k8s_resource_error(
                error.code(), error.details() or "", connection, address
            ) from error
    refused = ""
    for result in answer.results:
        name = f"{result.ref.kind} {result.ref.name}"
        action = pb.ApplyAction.Name(result.action).removeprefix("APPLY_ACTION_").lower()
        say(f"{name}: {action}")
        if result.action == pb.APPLY_ACTION_FAILED and not refused:
            refused = f"{name} was refused: {result.error.message}"
    if refused:
        raise FailedPreconditionError(refused, reason="OBJECT_REFUSED")
