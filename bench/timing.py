"""Timing calls."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

# The servers allow pages of this size; gRPC's clients only when told.
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 64 * 1024 * 1024)]


def median_ms(call: Callable[[], object], samples: int, warm_up: int = 3) -> float:
    """The median of `samples` calls one after the other, in milliseconds."""
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(samples):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent are not above; nan of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@contextmanager
def grpc_channel(address: str, timeout: float = 60.0) -> Iterator[grpc.Channel]:
    """A channel that is ready; grpc.FutureTimeoutError after `timeout` seconds."""
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout)
        yield channel


def concurrent_ms(make_call: Callable[[], Callable[[], object]], clients: int, each: int) -> float:
    """The median of calls made by so many threads at once, in milliseconds.

    `make_call` gives each thread a call on a connection of its own.
    """
    calls = [make_call() for _ in range(clients)]
    start = threading.Barrier(clients)

    def client(call: Callable[[], object]) -> list[float]:
        call()
        start.wait()
        times = []
        for _ in range(each):
            begun = time.perf_counter()
            call()
            times.append(time.perf_counter() - begun)
        return times

    with ThreadPoolExecutor(clients) as pool:
        found = [value for times in pool.map(client, calls) for value in times]
    return statistics.median(found) * 1000
