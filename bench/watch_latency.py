"""From a change in Kubernetes to those who watch, Podyard and kubectl at the same time."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from bench import cluster, running
from bench.patch_writers import WRITERS
from bench.peers.kubectl import following
from bench.processes import Usage, python_process, wait_until
from bench.registry import Budget, Figure, Finding, Measured, Row, Scale, register
from bench.subscribers import subscribers
from bench.timing import percentile
from tools.stack import testing

KUBECTL = "kubectl get pods -w"
_PODS = 20
_LAST = "9" * 19
_SENT = re.compile(rb"\b(\d{19})\b")

LATENCY = Row(
    name="change in Kubernetes → watch subscriber, p99",
    unit="ms",
    peers=(KUBECTL,),
    budget=Budget(above_peer_at_most=10),
    about=f"{WRITERS} writers PATCH a label of {_PODS} pods, each about 40 times a second, from a "
    "process of their own; from before the PATCH is sent until the event is there, at a gRPC "
    "subscriber of Watch and in the output of kubectl, which watch at the same time.",
    if_missed="an event passes through one process more than to kubectl; where the API server, "
    "etcd, the writers and the watchers share two cores, each of them waits for its turn.",
)


@register("watch-latency", LATENCY)
def measure(scale: Scale) -> Mapping[str, Finding]:
    each = scale.of(600, 60)
    names = [f"patched-{number}" for number in range(_PODS)]
    options = ("get", "pods", "-l", "app=patched", "-w", "-L", "sent", "--no-headers")
    theirs: list[float] = []
    last: list[bytes] = []

    def saw(line: bytes) -> None:
        found = _SENT.search(line)
        if found is None:
            return
        if found[1] == _LAST.encode():
            last.append(line)
        else:
            theirs.append((time.time_ns() - int(found[1])) / 1e6)

    with testing.control_plane("bench", nodes=2) as plane:
        cluster.plain_pods(plane, names, "patched")
        with (
            running.k8s_resource(plane.kubeconfig) as service,
            subscribers("grpc", service.address, 1, _LAST, latencies=True) as ours,
            following(plane, options, saw) as kubectl,
            Usage(service.pid) as usage,
            Usage(kubectl.pid) as peer_usage,
            python_process("bench.patch_writers", str(plane.kubeconfig), str(each), _LAST, *names),
        ):
            result = ours.result()
            wait_until(lambda: bool(last), "kubectl has seen the last change", 30)
    assert result["seen"] == each * WRITERS, f"{result['seen']} changes seen"
    peers = {name: percentile(theirs, float(name[1:])) for name in ("p50", "p99")}
    return {
        LATENCY.name: Measured(
            result["p99"],
            {KUBECTL: peers["p99"]},
            (
                Figure("p50", result["p50"], "ms", {KUBECTL: peers["p50"]}),
                Figure("CPU", usage.cpu_percent, "% of a core", {KUBECTL: peer_usage.cpu_percent}),
                Figure("RSS", usage.peak_rss_mb, "MB", {KUBECTL: peer_usage.peak_rss_mb}),
            ),
        )
    }
