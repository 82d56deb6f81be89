"""What the measured clusters hold: nodes with GPUs, and pods by the hundred."""

from __future__ import annotations

import json
from typing import Any

from bench.processes import wait_until
from tools.stack.control_plane import ControlPlane

PODS_PER_DEPLOYMENT = 100
_WITH_GPUS = 30
"""So many Deployments request a GPU for each pod; 500 nodes have 4,000."""
_RESOURCES = {"cpu": "192", "memory": "2048Gi", "pods": "110", "nvidia.com/gpu": "8"}


def add_nodes(plane: ControlPlane, count: int) -> None:
    """Nodes of two instance types, 8 GPUs each."""
    nodes = [_node(number) for number in range(count)]
    plane.kubectl("create", "-f", "-", stdin=_list(nodes))


def have_pods(plane: ControlPlane, count: int) -> None:
    """Have `count` pods in all, ready, by Deployments of 100 called bench-0, bench-1 …"""
    deployments = [_deployment(number) for number in range(count // PODS_PER_DEPLOYMENT)]
    plane.apply(_list(deployments))

    def ready() -> bool:
        answer = plane.api().request("GET", "/apis/apps/v1/namespaces/default/deployments")
        items = json.loads(answer)["items"]
        return bool(sum(item["status"].get("readyReplicas", 0) for item in items) == count)

    wait_until(ready, f"{count} pods are ready", 60 + count / 20, 0.5)


def plain_pods(plane: ControlPlane, names: list[str], label: str) -> None:
    """Pods of one container `main` labelled app=`label`, running."""
    made = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": label}},
            "spec": {"containers": [{"name": "main", "image": "none"}]},
        }
        for name in names
    ]
    plane.kubectl("create", "-f", "-", stdin=_list(made))

    def ready() -> bool:
        answer = plane.api().request(
            "GET", f"/api/v1/namespaces/default/pods?labelSelector=app%3D{label}"
        )
        items = json.loads(answer)["items"]
        running = [item for item in items if item["status"].get("phase") == "Running"]
        return len(running) == len(names)

    wait_until(ready, f"{len(names)} pods are running", 300)


def _list(items: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _node(number: int) -> dict[str, Any]:
    name = f"hyperpod-i-{number:017x}"
    kind = "ml.p5.48xlarge" if number % 2 else "ml.p4d.24xlarge"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "node.kubernetes.io/instance-type": kind,
                "topology.kubernetes.io/zone": "us-east-1a",
                "sagemaker.amazonaws.com/node-health-status": "Schedulable",
            },
        },
        "status": {"capacity": _RESOURCES, "allocatable": _RESOURCES},
    }


def _deployment(number: int) -> dict[str, Any]:
    labels = {"app": f"bench-{number}"}
    requests = {"cpu": "100m", "memory": "64Mi"}
    gpus = {"nvidia.com/gpu": "1"} if number < _WITH_GPUS else {}
    container = {
        "name": "main",
        "image": "registry.example/train:1",
        "resources": {"requests": requests | gpus, "limits": gpus},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"bench-{number}", "namespace": "default"},
        "spec": {
            "replicas": PODS_PER_DEPLOYMENT,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
