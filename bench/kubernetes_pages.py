"""Pages of 100 pods by label, alone and with eight clients at once, on every way to get them."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from bench.cluster import PODS_PER_DEPLOYMENT
from bench.peers import official_client
from bench.processes import Usage, rss_mb
from bench.raw_https import RawHttps
from bench.registry import Budget, Figure, Finding, Measured, Row, Scale
from bench.running import Gateway, Service
from bench.timing import CHANNEL_OPTIONS, concurrent_ms, median_ms
from tools.stack import testing

SELECTOR = "app=bench-1"
_CLIENTS = 8

_DIRECT = "API server, raw HTTPS"
_OFFICIAL = "official Python client"
_RAW = "kubectl get --raw"
_KUBECTL = "kubectl get pods -l … -o json"
_PEERS = (_DIRECT, _OFFICIAL, _RAW, _KUBECTL)
_ABOUT = (
    "ListPods with a label selector; the service in a process of its own, its cache in sync. API "
    "server: a GET on an open connection, the JSON read and not parsed. Official client: "
    "list_namespaced_pod on an open connection. kubectl is started anew each time, as a script "
    "does."
)
_AT_ONCE = (
    f"As above; {_CLIENTS} threads, each with a connection of its own, ask at the same time, the "
    "official client's in one process, whose RSS is given."
)
ONE = {
    way: Row(
        name=f"list 100 of 5,000 pods by label, {way}",
        unit="ms",
        peers=_PEERS,
        budget=Budget(at_most=limit),
        about=f"{_ABOUT} One client, {how}.",
    )
    for way, limit, how in (
        ("gRPC", 3.0, "gRPC on an open channel"),
        ("gateway", 6.0, "HTTP/JSON on an open connection through the gateway"),
    )
}
EIGHT = {
    way: Row(
        name=f"the same, {_CLIENTS} clients at once, {way}",
        unit="ms",
        peers=(_DIRECT, _OFFICIAL),
        budget=Budget(at_most=15),
        about=_AT_ONCE,
    )
    for way in ("gRPC", "gateway")
}
_PATH = f"/api/v1/namespaces/default/pods?labelSelector={SELECTOR}&limit=100"
_REQUEST = pb.ListPodsRequest(label_selector=SELECTOR, page_size=100)


def gateway_page(gateway: Gateway) -> Callable[[], bytes]:
    """A call that gets the page through the gateway, on a connection of its own."""
    connection = gateway.connection()

    def call() -> bytes:
        connection.request("GET", "/v1/k8s/pods?labelSelector=app%3Dbench-1&pageSize=100")
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body[:200]
        return body

    return call


def pages(
    plane: testing.ControlPlane, service: Service, gateway: Gateway, scale: Scale
) -> dict[str, Finding]:
    """All rows of this module."""
    assert len(service.stub.ListPods(_REQUEST).pods) == PODS_PER_DEPLOYMENT
    each = scale.of(60, 5)
    official = official_client.measured(
        plane.kubeconfig, "lists", SELECTOR, scale.of(30, 3), _CLIENTS, scale.of(10, 2)
    )
    with RawHttps(plane.kubeconfig) as api:
        direct = median_ms(lambda: api.get(_PATH), scale.of(100, 20))
    alone = {
        _DIRECT: direct,
        _OFFICIAL: official["one"],
        _RAW: median_ms(lambda: plane.kubectl("get", "--raw", _PATH), scale.of(15, 2), 1),
        _KUBECTL: median_ms(
            lambda: plane.kubectl("get", "pods", "-l", SELECTOR, "-o", "json"), scale.of(15, 2), 1
        ),
    }
    together = {
        _DIRECT: concurrent_ms(lambda: _direct(plane), _CLIENTS, each),
        _OFFICIAL: official["several"],
    }
    found: dict[str, Finding] = {}
    ways: dict[str, Callable[[], Callable[[], object]]] = {
        "gRPC": lambda: _grpc_page(service.address),
        "gateway": lambda: gateway_page(gateway),
    }
    for way, make in ways.items():
        one = median_ms(make(), scale.of(500, 50))
        size = Figure("RSS", rss_mb(service.pid), "MB", {_OFFICIAL: official["rss"]})
        found[ONE[way].name] = Measured(one, alone, (size,))
        before = rss_mb(service.pid)
        with Usage(service.pid) as usage:
            at_once = concurrent_ms(make, _CLIENTS, each)
        growth = Figure("RSS grew by", usage.peak_rss_mb - before, "MB")
        rss = Figure("RSS", usage.peak_rss_mb, "MB", {_OFFICIAL: official["rss"]})
        found[EIGHT[way].name] = Measured(at_once, together, (rss, growth))
    return found


def _grpc_page(address: str) -> Callable[[], object]:
    options = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    stub = pb_grpc.K8sResourceServiceStub(grpc.insecure_channel(address, options=options))
    return lambda: stub.ListPods(_REQUEST)


def _direct(plane: testing.ControlPlane) -> Callable[[], object]:
    api = RawHttps(plane.kubeconfig)
    return lambda: api.get(_PATH)
