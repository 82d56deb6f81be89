"""Many log tails at once, on a real control plane with simulated kubelets."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s_pb

from bench import cluster, running
from bench.kernel_limits import followed_logs
from bench.log_lines import Tally, Writer
from bench.peers import stern
from bench.peers.absent import PeerMissingError
from bench.processes import Usage, wait_until
from bench.registry import Budget, Figure, Finding, Measured, Row, Scale, register
from bench.tailing import tailing
from bench.tails_process import many_tails
from bench.timing import percentile
from tools.stack import testing

_RATE = 10
_SELECTOR = "app=talk"
_LOGS = (
    "The pods' logs are files that the simulated kubelets serve to the API server; each line "
    "carries its number and the moment it was written."
)
_STERN = "stern reads the same pods right after, told to allow so many logs, from 1 s ago on."
ATTACHED = Row(
    name="100 tails attached",
    unit="s",
    peers=(stern.NAME,),
    budget=Budget(at_most=1),
    about=f"{_LOGS} One TailLogs by label selector, from the call until every pod has its "
    f"ATTACHED mark; {_RATE} lines a second are written to each pod all the while. Lost are lines "
    f"that were written after that and did not come. {_STERN} It marks nothing, so for stern it is "
    "the time until every pod has said something, and lost is what is missing after that.",
)
CPU = Row(
    name=f"100 tails × {_RATE} lines/s, CPU",
    unit="% of a core",
    peers=(stern.NAME,),
    budget=Budget(at_most=6),
    about=f"{_LOGS} The service's processor time while one TailLogs of 100 pods goes on. {_STERN}",
    if_missed="a line that comes alone costs a wake-up of the event loop and a pass through the "
    "HTTP client, whatever its length; stern is compiled.",
)
LATENCY = Row(
    name=f"100 tails × {_RATE} lines/s, p99",
    unit="ms",
    peers=(stern.NAME,),
    budget=Budget(at_most=50),
    about="From the writing of a line to its arrival at the client, in the row above.",
)
MANY = Row(
    name="500 tails at once, lines lost or doubled",
    unit="lines",
    peers=(),
    budget=Budget(at_most=0),
    about=f"{_LOGS} 500 TailLogs calls, one for each of 500 pods, a line a second in each. Budget "
    "for the RSS: 300 MB.",
)
UNARY = Row(
    name="500 tails at once, unary p99",
    unit="ms",
    peers=("the same service idle",),
    budget=Budget(ratio_at_least=0.5),
    about="ListPods of 100 pods by label, one client, during the row above and before it.",
)
_SECONDS = 15


@register("log-tails", ATTACHED, CPU, LATENCY, MANY, UNARY)
def measure(scale: Scale) -> Mapping[str, Finding]:
    many = scale.of(500, 120)
    names = [f"talk-{number}" for number in range(many)]
    hundred = names[:100]
    # Podyard's and stern's at the same time.
    with followed_logs(2 * many), testing.control_plane("bench", nodes=5) as plane:
        cluster.plain_pods(plane, hundred, "talk")
        cluster.plain_pods(plane, names[100:], "more")
        # The kubelets are told of each file one by one.
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: plane.pod_logs(name).file("main"), names))
        found = _hundred(plane, hundred, scale)
        with running.k8s_resource(plane.kubeconfig) as service:
            found |= _many(plane, service, names, scale)
    return found


def _hundred(plane: testing.ControlPlane, pods: list[str], scale: Scale) -> dict[str, Finding]:
    seconds = scale.of(_SECONDS, 3)
    writer = Writer(plane, pods, _RATE)
    tally, theirs = Tally(), Tally()
    attached = threading.Event()
    with writer.writing():
        with running.k8s_resource(plane.kubeconfig) as service:
            # The cache of pods is there, as in a service that is in use.
            service.stub.ListPods(k8s_pb.ListPodsRequest(page_size=1))
            begun = time.monotonic()
            with tailing(
                service.stub,
                tally,
                lambda: attached.set() if len(tail.attached) == len(pods) else None,
                label_selector=_SELECTOR,
                tail_lines=0,
            ) as tail:
                assert attached.wait(60), f"{len(tail.attached)} of {len(pods)} are attached"
                took = time.monotonic() - begun
                after = dict(writer.last)
                time.sleep(1)
                before = len(tally.latencies)
                with Usage(service.pid) as usage:
                    time.sleep(seconds)
                values = tally.latencies[before:]
                last = dict(writer.last)
                wait_until(lambda: tally.complete(last), "all lines have come", 30)
                lost = tally.lost(after, last) + tally.doubled()
        peer, absent = _stern(plane, writer, theirs, seconds)

    def of(name: str) -> dict[str, float]:
        return {stern.NAME: peer[name]} if name in peer else {}

    return {
        ATTACHED.name: Measured(
            took, of("took"), (Figure("lost or doubled", lost, "lines", of("lost")),), absent
        ),
        CPU.name: Measured(
            usage.cpu_percent,
            of("cpu"),
            (Figure("RSS", usage.peak_rss_mb, "MB", of("rss")),),
            absent,
        ),
        LATENCY.name: Measured(
            percentile(values, 99),
            of("p99"),
            (Figure("p50", percentile(values, 50), "ms", of("p50")),),
            absent,
        ),
    }


def _stern(
    plane: testing.ControlPlane, writer: Writer, tally: Tally, seconds: int
) -> tuple[dict[str, float], dict[str, str]]:
    try:
        stern.program()
    except PeerMissingError as error:
        return {}, {stern.NAME: str(error)}
    begun = time.monotonic()
    with stern.tailing(plane, _SELECTOR, tally.saw_bytes) as process:
        wait_until(lambda: len(tally.seen) == len(writer.last), "stern reads all pods", 120, 0.02)
        took = time.monotonic() - begun
        time.sleep(1)
        before = len(tally.latencies)
        with Usage(process.pid) as usage:
            time.sleep(seconds)
        values = tally.latencies[before:]
        last = dict(writer.last)
        wait_until(lambda: tally.complete(last), "stern has all lines", 30)
    return {
        "took": took,
        "lost": tally.lost(tally.first(last), last) + tally.doubled(),
        "cpu": usage.cpu_percent,
        "rss": usage.peak_rss_mb,
        "p50": percentile(values, 50),
        "p99": percentile(values, 99),
    }, {}


def _many(
    plane: testing.ControlPlane, service: running.Service, pods: list[str], scale: Scale
) -> dict[str, Finding]:
    idle = _unary_ms(service.stub, scale.of(5, 1))
    writer = Writer(plane, pods, 1)
    begun = time.monotonic()
    with many_tails(service.address, pods) as tails:
        took = time.monotonic() - begun
        with writer.writing(), Usage(service.pid) as usage:
            busy = _unary_ms(service.stub, scale.of(_SECONDS, 3))
        result = tails.result(writer.last)
    return {
        MANY.name: Measured(
            result["lost"] + result["doubled"],
            beside=(
                Figure("RSS", usage.peak_rss_mb, "MB"),
                Figure("CPU", usage.cpu_percent, "% of a core"),
                Figure("attached", took, "s"),
            ),
        ),
        UNARY.name: Measured(percentile(busy, 99), {UNARY.peers[0]: percentile(idle, 99)}),
    }


def _unary_ms(stub: Any, seconds: float) -> list[float]:
    request = k8s_pb.ListPodsRequest(label_selector=_SELECTOR, page_size=100)
    for _ in range(5):
        stub.ListPods(request)
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.perf_counter()
        stub.ListPods(request)
        times.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.005)
    return times
