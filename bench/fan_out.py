"""One upstream watch, many subscribers: over gRPC, and through the gateway as SSE."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bench import running
from bench.peers.absent import PeerMissingError
from bench.peers.envoy import envoy
from bench.processes import Usage
from bench.registry import Budget, Curve, Figure, Finding, Measured, Point, Row, Scale, register
from bench.replay.source import ReplaySource, replay_source
from bench.subscribers import subscribers

_PODS = 100
_PEER = "Envoy gRPC-JSON transcoder"
_RATE = 10
_SOURCE = (
    "The events are versions of pods that a replay server sends to k8s_resource as an API server "
    "does; the subscribers are one process that looks for what it needs in the bytes it gets."
)
LATENCY = Row(
    name=f"500 gateway subscribers × {_RATE} events/s, p99",
    unit="ms",
    peers=(_PEER,),
    budget=Budget(ratio_at_least=1),
    about=f"{_SOURCE} From the moment an event is sent upstream to its arrival at each of 500 SSE "
    "streams, through k8s_resource and the gateway, or Envoy in the gateway's place, as SSE as "
    "well.",
)
CPU = Row(
    name=f"500 gateway subscribers × {_RATE} events/s, CPU",
    unit="% of a core",
    peers=(_PEER,),
    budget=Budget(ratio_at_least=1),
    about="Of the gateway, or Envoy, during the row above; of k8s_resource behind it beside.",
)
SATURATED = {
    "grpc": Row(
        name="saturated fan-out, 50 subscribers, gRPC",
        unit="events/s",
        peers=(),
        budget=Budget(at_least=300_000),
        about=f"{_SOURCE} A burst as large as the history that is kept, at full speed: deliveries "
        "to all subscribers together, from its begin until the last subscriber has its last event.",
        higher_is_better=True,
    ),
    "sse": Row(
        name="saturated fan-out, 50 subscribers, SSE",
        unit="events/s",
        peers=(_PEER,),
        budget=Budget(at_least=200_000),
        about="As over gRPC, through the gateway or Envoy.",
        higher_is_better=True,
    ),
}
_COLUMNS = ("latency p50, ms", "p99, ms", "CPU, % of a core", "RSS, MB")
GROWTH = {
    kind: Curve(
        name=f"Subscribers, {way}",
        axis="subscribers",
        columns=_COLUMNS,
        about=f"{_RATE} events a second to each subscriber; CPU and RSS of {what}.",
    )
    for kind, way, what in (
        ("grpc", "gRPC", "k8s_resource"),
        ("sse", "SSE through the gateway", "the gateway"),
    )
}


@register("fan-out", LATENCY, CPU, *SATURATED.values(), *GROWTH.values())
def measure(scale: Scale) -> Mapping[str, Finding]:
    found: dict[str, Finding] = {}
    with (
        replay_source(_PODS) as source,
        running.k8s_resource(source.kubeconfig) as service,
        running.gateway(service.address) as gateway,
    ):
        run = _Run(source, service.pid, scale)
        run.version = source.replay(1)[1]
        places = {"grpc": (service.address, service.pid), "sse": (gateway.address, gateway.pid)}
        for kind, (address, pid) in places.items():
            points = []
            for count in (1, 50, 500):
                point = run.paced(kind, address, pid, count)
                points.append(Point(count, point[:4]))
                if kind == "sse" and count == 500:
                    ours = point
            found[GROWTH[kind].name] = points
        burst = {kind: run.saturated(kind, address) for kind, (address, _) in places.items()}
        found[SATURATED["grpc"].name] = Measured(burst["grpc"])
        peers: dict[str, tuple[float, ...]] = {}
        absent: dict[str, str] = {}
        try:
            with envoy(service.address) as peer:
                peers[_PEER] = run.paced("sse", peer.address, peer.pid, 500)
                peer_burst = {_PEER: run.saturated("sse", peer.address)}
        except PeerMissingError as error:
            absent[_PEER] = str(error)
            peer_burst = {}
        found[SATURATED["sse"].name] = Measured(burst["sse"], peer_burst, absent=absent)

        def figures(index: int) -> dict[str, float]:
            return {name: values[index] for name, values in peers.items()}

        median = Figure("p50", ours[0], "ms", figures(0))
        rss = Figure("RSS", ours[3], "MB", figures(3))
        behind = Figure("k8s_resource", ours[4], "% of a core", figures(4))
        found[LATENCY.name] = Measured(ours[1], figures(1), (median,), absent)
        found[CPU.name] = Measured(ours[2], figures(2), (rss, behind), absent)
    return found


class _Run:
    """Measurements on one source; `version` is the last one that it sent."""

    def __init__(self, source: ReplaySource, service_pid: int, scale: Scale) -> None:
        self._source = source
        self._service_pid = service_pid
        self._scale = scale
        self.version = 0

    def paced(self, kind: str, address: str, pid: int, count: int) -> tuple[float, ...]:
        """p50, p99, CPU and RSS of the process `pid`, CPU of the service."""
        events = _RATE * self._scale.of(12, 2)
        last = self.version + events
        with subscribers(kind, address, count, str(last), latencies=True) as reading:
            with Usage(pid) as usage, Usage(self._service_pid) as behind:
                _, self.version = self._source.replay(events, _RATE)
                result = reading.result()
            assert result["seen"] == events * count, f"{result['seen']} of {events * count} seen"
        return (
            result["p50"],
            result["p99"],
            usage.cpu_percent,
            usage.peak_rss_mb,
            behind.cpu_percent,
        )

    def saturated(self, kind: str, address: str) -> float:
        """Deliveries a second to 50 subscribers."""
        count, events = 50, self._scale.of(4000, 1000)
        rates = []
        for _ in range(self._scale.of(3, 1)):
            last = self.version + events
            with subscribers(kind, address, count, str(last), latencies=False) as reading:
                begun = time.time_ns()
                _, self.version = self._source.replay(events)
                result = reading.result()
            rates.append(events * count / (result["ended"] - begun) * 1e9)
        return sorted(rates)[len(rates) // 2]
