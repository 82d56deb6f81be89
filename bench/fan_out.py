"""One upstream watch, many subscribers: over gRPC, and through the gateway as SSE."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
        if_missed="the source and the 50 subscribers share the two cores with the service; see the "
        "CPU of one delivery beside it.",
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


@dataclass(frozen=True)
class _Paced:
    """A measurement at a steady rate: latencies in ms, CPU in % of a core, RSS in MB."""

    p50: float
    p99: float
    cpu: float
    rss: float
    service_cpu: float

    def point(self, subscribers: int) -> Point:
        return Point(subscribers, (self.p50, self.p99, self.cpu, self.rss))


@dataclass(frozen=True)
class _Burst:
    """A measurement at full speed: deliveries a second, CPU in µs for each, RSS in MB."""

    rate: float
    cpu: float
    rss: float


@register("fan-out", LATENCY, CPU, *SATURATED.values(), *GROWTH.values())
def measure(scale: Scale) -> Mapping[str, Finding]:
    with (
        replay_source(_PODS) as source,
        running.k8s_resource(source.kubeconfig) as service,
        running.gateway(service.address) as gateway,
    ):
        run = _Run(source, service.pid, scale)
        run.version = source.replay(1)[1]
        places = {"grpc": (service.address, service.pid), "sse": (gateway.address, gateway.pid)}
        growth = {
            kind: {count: run.paced(kind, *place, count) for count in (1, 50, 500)}
            for kind, place in places.items()
        }
        bursts = {kind: run.saturated(kind, *place) for kind, place in places.items()}
        try:
            with envoy(service.address) as peer:
                paced = run.paced("sse", peer.address, peer.pid, 500)
                burst = run.saturated("sse", peer.address, peer.pid)
            peers, absent = {_PEER: (paced, burst)}, {}
        except PeerMissingError as error:
            peers, absent = {}, {_PEER: str(error)}
    ours = growth["sse"][500]

    def of_peer(figure: Callable[[_Paced, _Burst], float]) -> dict[str, float]:
        return {name: figure(*measured) for name, measured in peers.items()}

    return {
        **{
            GROWTH[kind].name: [paced.point(count) for count, paced in points.items()]
            for kind, points in growth.items()
        },
        LATENCY.name: Measured(
            ours.p99,
            of_peer(lambda paced, _: paced.p99),
            (Figure("p50", ours.p50, "ms", of_peer(lambda paced, _: paced.p50)),),
            absent,
        ),
        CPU.name: Measured(
            ours.cpu,
            of_peer(lambda paced, _: paced.cpu),
            (
                Figure("RSS", ours.rss, "MB", of_peer(lambda paced, _: paced.rss)),
                Figure(
                    "k8s_resource",
                    ours.service_cpu,
                    "% of a core",
                    of_peer(lambda paced, _: paced.service_cpu),
                ),
            ),
            absent,
        ),
        SATURATED["grpc"].name: Measured(
            bursts["grpc"].rate,
            beside=(
                Figure("CPU", bursts["grpc"].cpu, "µs an event"),
                Figure("RSS", bursts["grpc"].rss, "MB"),
            ),
        ),
        SATURATED["sse"].name: Measured(
            bursts["sse"].rate,
            of_peer(lambda _, burst: burst.rate),
            (
                Figure("CPU", bursts["sse"].cpu, "µs an event", of_peer(lambda _, b: b.cpu)),
                Figure("RSS", bursts["sse"].rss, "MB", of_peer(lambda _, b: b.rss)),
            ),
            absent,
        ),
    }


class _Run:
    """Measurements on one source; `version` is the last one that it sent."""

    def __init__(self, source: ReplaySource, service_pid: int, scale: Scale) -> None:
        self._source = source
        self._service_pid = service_pid
        self._scale = scale
        self.version = 0

    def paced(self, kind: str, address: str, pid: int, count: int) -> _Paced:
        """So many subscribers at `address`, served by the process `pid`."""
        events = _RATE * self._scale.of(12, 2)
        last = self.version + events
        with subscribers(kind, address, count, str(last), latencies=True) as reading:
            with Usage(pid) as usage, Usage(self._service_pid) as behind:
                _, self.version = self._source.replay(events, _RATE)
                result = reading.result()
            assert result["seen"] == events * count, f"{result['seen']} of {events * count} seen"
        return _Paced(
            result["p50"],
            result["p99"],
            usage.cpu_percent,
            usage.peak_rss_mb,
            behind.cpu_percent,
        )

    def saturated(self, kind: str, address: str, pid: int) -> _Burst:
        """50 subscribers; the median of some bursts."""
        count, events = 50, self._scale.of(4000, 1000)
        bursts = []
        for _ in range(self._scale.of(3, 1)):
            last = self.version + events
            with (
                subscribers(kind, address, count, str(last), latencies=False) as reading,
                Usage(pid) as usage,
            ):
                begun = time.time_ns()
                _, self.version = self._source.replay(events)
                result = reading.result()
            rate = events * count / (result["ended"] - begun) * 1e9
            cpu = usage.cpu_seconds / (events * count) * 1e6
            bursts.append(_Burst(rate, cpu, usage.peak_rss_mb))
        return sorted(bursts, key=lambda burst: burst.rate)[len(bursts) // 2]
