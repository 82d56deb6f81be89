"""From a change in Kubernetes to those who watch, Podyard and kubectl at the same time."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from podyard.k8s_resource.v1 import watch_pb2 as pb

from bench import cluster, running
from bench.peers.kubectl import following
from bench.processes import Usage, wait_until
from bench.raw_https import RawHttps
from bench.registry import Budget, Figure, Finding, Measured, Row, Scale, register
from bench.timing import percentile
from tools.stack import testing

KUBECTL = "kubectl get pods -w"
_PODS = 20
_WRITERS = 2
_PAUSE_SECONDS = 0.02
_SENT = re.compile(rb"\b(\d{19})\b")

LATENCY = Row(
    name="change in Kubernetes → watch subscriber, p99",
    unit="ms",
    peers=(KUBECTL,),
    budget=Budget(above_peer_at_most=10),
    about=f"{_WRITERS} writers PATCH a label of {_PODS} pods, each about 40 times a second; from "
    "before the PATCH is sent until the event is there, at a gRPC subscriber of Watch and in the "
    "output of kubectl, which watch at the same time and have shared nothing.",
)


class Latencies:
    """When changes came, by the moment that they carry, in ms."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def saw(self, sent: int) -> None:
        """A change came that was sent at `sent`, in nanoseconds since the epoch; 0 for none."""
        if sent:
            self.values.append((time.time_ns() - sent) / 1e6)


@register("watch-latency", LATENCY)
def measure(scale: Scale) -> Mapping[str, Finding]:
    ours, theirs = Latencies(), Latencies()
    names = [f"patched-{number}" for number in range(_PODS)]
    with testing.control_plane("bench", nodes=2) as plane:
        cluster.plain_pods(plane, names, "patched")
        options = ("get", "pods", "-l", "app=patched", "-w", "-L", "sent", "--no-headers")
        with (
            running.k8s_resource(plane.kubeconfig) as service,
            _watching(service.stub, ours),
            following(plane, options, lambda line: _saw_line(theirs, line)) as kubectl,
            Usage(service.pid) as usage,
            Usage(kubectl.pid) as peer_usage,
        ):
            changes = _patch(plane, names, scale.of(600, 60))
            wait_until(lambda: len(ours.values) == changes, "all changes at Podyard's", 30)
            wait_until(lambda: len(theirs.values) >= changes, "all changes at kubectl's", 30)
    return {
        LATENCY.name: Measured(
            percentile(ours.values, 99),
            {KUBECTL: percentile(theirs.values, 99)},
            (
                Figure(
                    "p50",
                    percentile(ours.values, 50),
                    "ms",
                    {KUBECTL: percentile(theirs.values, 50)},
                ),
                Figure("CPU", usage.cpu_percent, "%", {KUBECTL: peer_usage.cpu_percent}),
                Figure("RSS", usage.peak_rss_mb, "MB", {KUBECTL: peer_usage.peak_rss_mb}),
            ),
        )
    }


def _saw_line(latencies: Latencies, line: bytes) -> None:
    found = _SENT.search(line)
    if found is not None:
        latencies.saw(int(found[1]))


@contextmanager
def _watching(stub: Any, latencies: Latencies) -> Iterator[None]:
    synced = threading.Event()
    call = stub.Watch(pb.WatchRequest(kinds=["pods"], label_selector="app=patched"))

    def read() -> None:
        try:
            for response in call:
                for event in response.events:
                    if event.type == pb.WATCH_EVENT_TYPE_SYNCED:
                        synced.set()
                    elif event.type == pb.WATCH_EVENT_TYPE_MODIFIED:
                        latencies.saw(int(event.pod.labels.get("sent", 0)))
        except grpc.RpcError:
            return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert synced.wait(30), "the watch did not come up"
    try:
        yield
    finally:
        call.cancel()
        thread.join()


def _patch(plane: testing.ControlPlane, names: list[str], each: int) -> int:
    """So many changes by each writer; how many in all."""

    def write(own: list[str]) -> None:
        with RawHttps(plane.kubeconfig) as api:
            for number in range(each):
                path = f"/api/v1/namespaces/default/pods/{own[number % len(own)]}"
                labels = {"sent": str(time.time_ns())}
                api.patch(path, json.dumps({"metadata": {"labels": labels}}).encode())
                time.sleep(_PAUSE_SECONDS)

    writers = [
        threading.Thread(target=write, args=(names[number::_WRITERS],))
        for number in range(_WRITERS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return each * _WRITERS
