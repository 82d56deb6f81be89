"""Lists on a real control plane with simulated nodes, at growing numbers of pods."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from podyard.k8s_resource.v1 import inventory_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from bench import cluster, running
from bench.kubernetes_pages import EIGHT, ONE, SELECTOR, gateway_page, pages
from bench.processes import rss_mb, wait_until
from bench.registry import Budget, Curve, Figure, Finding, Measured, Point, Row, Scale, register
from bench.timing import grpc_channel, median_ms
from tools.stack import testing

KUBECTL_ALL = "kubectl get pods -A -o json"
DESCRIBE = "kubectl describe nodes"
_EVERYTHING = pb.ListPodsRequest(page_size=100)
_INVENTORY = inventory_pb2.GetGpuInventoryRequest(page_size=1000)

START = Row(
    name="cache of 5,000 pods ready after start",
    unit="s",
    peers=(KUBECTL_ALL,),
    budget=Budget(at_most=1.5),
    about="From the first request that a started service gets, ListPods, to its answer, which has "
    "to wait until all pods are read and decoded; the start of the process, Python's imports "
    "included, is beside it. kubectl reads the same pods once and forgets them. RSS is the "
    "service's afterwards, budget 150 MB.",
)
COUNT = Row(
    name="count all of 5,000 pods, first page of 100",
    unit="ms",
    peers=(KUBECTL_ALL,),
    budget=Budget(at_most=3),
    about="ListPods over gRPC, with the total; kubectl has to list all to know it.",
)
INVENTORY = Row(
    name="GPU inventory, 500 nodes, 5,000 pods",
    unit="ms",
    peers=(DESCRIBE,),
    budget=Budget(at_most=10),
    about="GetGpuInventory over gRPC with all its parts, all nodes on one page: devices by node, "
    "instance type and in all, who holds them and who waits. Beside it ListNodes with all nodes. "
    "The peer is one call for all nodes; a script that asks node by node takes many times as long.",
)
GROWTH = Curve(
    name="Pods",
    axis="pods",
    columns=(
        "first list after start, s",
        "the same by kubectl, s",
        "100 by label, gRPC p50, ms",
        "100 by label, gateway p50, ms",
        "RSS of the service, MB",
    ),
    about="A service started anew at each size, on the same control plane with 500 nodes. The "
    "first list reads everything, as kubectl does each time.",
)


@register("kubernetes-lists", *ONE.values(), *EIGHT.values(), COUNT, INVENTORY, START, GROWTH)
def measure(scale: Scale) -> Mapping[str, Finding]:
    found: dict[str, Finding] = {}
    sizes = (200, 300) if scale.quick else (500, 2000, 5000, 10_000)
    main = 300 if scale.quick else 5000
    points = []
    with testing.control_plane("bench") as plane:
        cluster.add_nodes(plane, scale.of(500, 50))
        for pods in sizes:
            cluster.have_pods(plane, pods)
            points.append(_point(plane, pods, scale, found if pods == main else None))
    return found | {GROWTH.name: points}


def _point(
    plane: testing.ControlPlane, pods: int, scale: Scale, found: dict[str, Finding] | None
) -> Point:
    """One size; what the rows need is measured into `found`."""
    by_kubectl = median_ms(
        lambda: plane.kubectl("get", "pods", "-A", "-o", "json"), scale.of(3, 1), 0
    )
    with running.started_k8s_resource(plane.kubeconfig) as (process, address):
        begun = time.perf_counter()
        with grpc_channel(address) as channel:
            stub: Any = pb_grpc.K8sResourceServiceStub(channel)
            listening = time.perf_counter()
            total = stub.ListPods(_EVERYTHING).total_size
            first = time.perf_counter() - listening
            assert total == pods, f"{total} pods at the first answer, not {pods}"
            size = rss_mb(process.pid)
            by_label = pb.ListPodsRequest(label_selector=SELECTOR, page_size=100)
            page = median_ms(lambda: stub.ListPods(by_label), scale.of(300, 30))
            with running.gateway(address) as gateway:
                through = median_ms(gateway_page(gateway), scale.of(300, 30))
                if found is not None:
                    service = running.Service(address, process.pid, stub)
                    found[START.name] = Measured(
                        first,
                        {KUBECTL_ALL: by_kubectl / 1000},
                        (
                            Figure("RSS", size, "MB"),
                            Figure("start of the process", listening - begun, "s"),
                        ),
                    )
                    found |= pages(plane, service, gateway, scale)
                    found |= _whole(plane, service, by_kubectl, scale)
    return Point(pods, (first, by_kubectl / 1000, page, through, size))


def _whole(
    plane: testing.ControlPlane, service: running.Service, by_kubectl: float, scale: Scale
) -> dict[str, Finding]:
    """Rows about all pods and all nodes."""
    stub = service.stub
    nodes = pb.ListNodesRequest(page_size=1000)
    wait_until(lambda: len(stub.ListNodes(nodes).nodes) == scale.of(500, 50), "all nodes", 30)
    answer = stub.GetGpuInventory(_INVENTORY)
    assert len(answer.nodes) == scale.of(500, 50)
    used = next(each.requested for each in answer.totals if each.name == "nvidia.com/gpu")
    assert used == min(scale.of(5000, 300), 3000), f"{used} GPUs in use"
    count = median_ms(lambda: stub.ListPods(_EVERYTHING), scale.of(500, 50))
    inventory = median_ms(lambda: stub.GetGpuInventory(_INVENTORY), scale.of(200, 20))
    listed = median_ms(lambda: stub.ListNodes(nodes), scale.of(200, 20))
    described = median_ms(lambda: plane.kubectl("describe", "nodes"), 1, 0)
    beside = (Figure("ListNodes", listed, "ms"), Figure("RSS", rss_mb(service.pid), "MB"))
    return {
        COUNT.name: Measured(count, {KUBECTL_ALL: by_kubectl}),
        INVENTORY.name: Measured(inventory, {DESCRIBE: described}, beside),
    }
