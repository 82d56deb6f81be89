"""Lists of pods on a real control plane with simulated nodes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from bench.raw_https import RawHttps
from bench.registry import Budget, Measured, Row, Scale, register
from bench.timing import grpc_channel, median_ms, python_process, wait_until
from tools.stack import testing
from tools.stack.ports import free_ports

_PER_DEPLOYMENT = 100
_SELECTOR = "app=bench-1"

_BUDGET = Budget(at_most=3)
_OURS = (
    "ListPods with a label selector over gRPC, one client, the service in a process of its own, "
    "its cache in sync."
)
LIST_KUBECTL = Row(
    name="list 100 of 5,000 pods by label",
    unit="ms",
    peer_name="kubectl get pods -l … -o json",
    budget=_BUDGET,
    about=f"{_OURS} kubectl is started anew each time, as the panel of today does.",
)
LIST_DIRECT = Row(
    name="list 100 of 5,000 pods by label, against the API server",
    unit="ms",
    peer_name="API server, raw HTTPS",
    budget=_BUDGET,
    about=f"{_OURS} The peer is a GET on an open connection, its JSON read and not parsed.",
)
LIST_ALL = Row(
    name="count all of 5,000 pods, first page of 100",
    unit="ms",
    peer_name="kubectl get pods -A -o json",
    budget=_BUDGET,
    about="ListPods over gRPC, with the total; kubectl has to list all to know it.",
)


@register("kubernetes-lists", LIST_KUBECTL, LIST_DIRECT, LIST_ALL)
def measure(scale: Scale) -> Mapping[str, Measured]:
    pods = scale.of(5000, 300)
    with testing.control_plane("bench", nodes=scale.of(500, 30)) as plane:
        _make_pods(plane, pods)
        with _service(plane.kubeconfig) as stub:
            listed = pb.ListPodsRequest(label_selector=_SELECTOR, page_size=100)
            everything = pb.ListPodsRequest(page_size=100)
            wait_until(
                lambda: stub.ListPods(everything).total_size == pods, "the cache has all", 60
            )
            assert len(stub.ListPods(listed).pods) == _PER_DEPLOYMENT
            by_label = median_ms(lambda: stub.ListPods(listed), scale.of(500, 50))
            count = median_ms(lambda: stub.ListPods(everything), scale.of(500, 50))
        kubectl = [str(plane.kubectl_path), "--kubeconfig", str(plane.kubeconfig), "get", "pods"]
        by_kubectl = median_ms(_run([*kubectl, "-l", _SELECTOR, "-o", "json"]), scale.of(15, 3), 1)
        all_by_kubectl = median_ms(_run([*kubectl, "-A", "-o", "json"]), scale.of(5, 2), 1)
        with RawHttps(plane.kubeconfig) as api:
            path = f"/api/v1/namespaces/default/pods?labelSelector={_SELECTOR}&limit=100"
            assert len(json.loads(api.get(path))["items"]) == _PER_DEPLOYMENT
            direct = median_ms(lambda: api.get(path), scale.of(100, 20))
    return {
        LIST_KUBECTL.name: Measured(by_label, by_kubectl),
        LIST_DIRECT.name: Measured(by_label, direct),
        LIST_ALL.name: Measured(count, all_by_kubectl),
    }


def _make_pods(plane: testing.ControlPlane, pods: int) -> None:
    deployments = [_deployment(f"bench-{n}") for n in range(pods // _PER_DEPLOYMENT)]
    plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": deployments}))

    def ready() -> bool:
        answer = plane.api().request("GET", "/apis/apps/v1/namespaces/default/deployments")
        items = json.loads(answer)["items"]
        return bool(sum(item["status"].get("readyReplicas", 0) for item in items) == pods)

    wait_until(ready, f"{pods} pods are ready", 600)


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {
        "name": "main",
        "image": "registry.example/train:1",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": _PER_DEPLOYMENT,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@contextmanager
def _service(kubeconfig: Path) -> Iterator[Any]:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    environment = {
        "PODYARD_K8S_RESOURCE_LISTEN": listen,
        "PODYARD_K8S_RESOURCE_KUBECONFIG": str(kubeconfig),
    }
    with (
        python_process("services.k8s_resource", environment=environment),
        grpc_channel(listen) as channel,
    ):
        yield pb_grpc.K8sResourceServiceStub(channel)


def _run(command: list[str]) -> Any:
    return lambda: subprocess.run(command, check=True, capture_output=True)
