"""Timing calls and running the processes that are measured."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc

CHECKOUT = Path(__file__).resolve().parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")

# The servers allow pages of this size; gRPC's clients only when told.
_CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 64 * 1024 * 1024)]


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


@contextmanager
def python_process(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m ARGUMENTS` in the checkout, without settings of this shell; ended at the end."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PODYARD_", "MLFLOW_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=CHECKOUT,
        env=inherited | {"PYTHONPATH": str(CHECKOUT)} | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def grpc_channel(address: str, timeout: float = 60.0) -> Iterator[grpc.Channel]:
    """A channel that is ready; grpc.FutureTimeoutError after `timeout` seconds."""
    with grpc.insecure_channel(address, options=_CHANNEL_OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout)
        yield channel


def wait_until(condition: Callable[[], bool], what: str, timeout: float) -> None:
    """Ask ten times a second; TimeoutError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:.0f} s until {what}")
        time.sleep(0.1)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
