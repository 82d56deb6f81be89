"""Prometheus metrics that every service has."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge, start_http_server
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class CallSeconds:
    """Durations of the calls of one method that ended with one code."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """One call ended."""
        self._counts[bisect_left(_BUCKETS, seconds)] += 1
        self._sum += seconds

    def add_to(self, family: HistogramMetricFamily, labels: tuple[str, str]) -> None:
        """Write the samples."""
        bounds = (*(f"{float(bound)}" for bound in _BUCKETS), "+Inf")
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        family.add_metric(labels, buckets, self._sum)


class RpcSeconds(Collector):
    """A histogram like prometheus_client's own, without its locks.

    Calls end in one event loop; taking a lock for every bucket is a noticeable part of a
    call that is answered from a cache.
    """

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], CallSeconds] = {}

    def labels(self, method: str, code: str) -> CallSeconds:
        """The series of a method and a code."""
        return self._series.setdefault((method, code), CallSeconds())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(
            "podyard_rpc_seconds",
            "Time from the start of a call to its end; of a stream, its whole life.",
            labels=("method", "code"),
        )
        for labels, series in list(self._series.items()):
            series.add_to(family, labels)
        yield family


RPC_SECONDS = RpcSeconds()
REGISTRY.register(RPC_SECONDS)
STREAMS_OPEN = Gauge("podyard_streams_open", "Streams being served.", ["method"])
STREAM_MESSAGES = Counter("podyard_stream_messages", "Messages sent on streams.", ["method"])

TASKS = Gauge("podyard_asyncio_tasks", "Tasks of the event loop that have not ended.")


def count_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Have `podyard_asyncio_tasks` show the tasks of this loop."""
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))


def serve_metrics(listen: str, variable: str) -> None:
    """Serve /metrics on "host:port", which `variable` sets, from a thread of its own.

    OSError with a clear text if the port is in use.
    """
    host, _, port = listen.rpartition(":")
    try:
        start_http_server(int(port), host.strip("[]"))
    except OSError as error:
        raise OSError(
            f"cannot serve metrics on {listen}: {error.strerror}; if the port is in use, stop the "
            f"other process or choose another address with {variable}"
        ) from error
