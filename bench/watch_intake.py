"""How many watch events of an API server can be taken in."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from bench import running
from bench.peers import official_client
from bench.processes import Usage, wait_until
from bench.registry import Budget, Figure, Finding, Measured, Row, Scale, register
from bench.replay.pods import FIRST_VERSION
from bench.replay.source import ReplaySource, replay_source

_OFFICIAL = "official Python client's watch"
_ABOUT = (
    "A replay server sends versions of 5,000 pods, 3.5 kB of JSON each, as fast as they are taken. "
    "Taken in means decoded, in the store with its indexes, counted for the nodes, and in the "
    "history; nobody subscribes. The official client yields its models and keeps nothing."
)
RATE = Row(
    name="watch events taken in",
    unit="events/s",
    peers=(_OFFICIAL,),
    budget=Budget(at_least=15_000),
    about=_ABOUT,
    higher_is_better=True,
    if_missed="the replay server shares the two cores; see the row below for the cost.",
)
COST = Row(
    name="watch events taken in, CPU an event",
    unit="µs",
    peers=(_OFFICIAL,),
    budget=Budget(at_most=120),
    about="Processor time of the service, or of the official client's process, in the row above.",
)


@register("watch-intake", RATE, COST)
def measure(scale: Scale) -> Mapping[str, Finding]:
    with replay_source(5000) as source:
        with running.k8s_resource(source.kubeconfig) as service:
            newest = pb.ListPodsRequest(page_size=1)

            def reached(version: int) -> bool:
                freshness = service.stub.ListPods(newest).freshness
                return int(freshness.resource_version) >= version

            wait_until(lambda: reached(FIRST_VERSION), "the first list", 60)
            rates, costs = [], []
            events = scale.of(60_000, 10_000)
            for _ in range(scale.of(5, 1)):
                with Usage(service.pid) as usage:
                    version = source.replay(events)[1]
                    wait_until(lambda v=version: reached(v), "all events are in", 120, 0.02)  # type: ignore[misc]
                rates.append(events / usage.seconds)
                costs.append(usage.cpu_seconds / events * 1e6)
            rss = usage.peak_rss_mb
        official = _official(source, version, scale.of(10_000, 2000))
    return {
        RATE.name: Measured(
            statistics.median(rates), {_OFFICIAL: official["rate"]}, (Figure("RSS", rss, "MB"),)
        ),
        COST.name: Measured(statistics.median(costs), {_OFFICIAL: official["cpu"] * 1e6}),
    }


def _official(source: ReplaySource, version: int, events: int) -> dict[str, float]:
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(
            official_client.measured, source.kubeconfig, "watch", version, events
        )
        wait_until(lambda: source.watches() > 0, "the official client watches", 60)
        source.replay(events)
        return watching.result()
