"""What Podyard's server costs a unary call."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from typing import Any

import grpc
from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from bench.processes import cpu_seconds, python_process
from bench.registry import Budget, Measured, Row, Scale, register
from bench.timing import grpc_channel
from tools.stack.ports import free_ports

_IN_FLIGHT = 32
_PEER = "bare grpc.aio handler"
_BUDGET = Budget(ratio_at_least=0.75)
_BOTH = (
    "The same handler and message (GetRun of a small run) in two server processes: through "
    "Podyard's server with identification, role check, validation, request id and metrics, and "
    f"bare. {_IN_FLIGHT} calls in flight from one client process; rounds alternate, and "
    "the ratio still differs between runs on a machine that does other work."
)
_MISSED = (
    "validation, request id, metrics and the time limit cost about 7 µs a call, each measured "
    "alone; runs differ by more than that on a machine that does other work."
)
CALLS = Row(
    name="unary calls through Podyard's server",
    unit="calls/s",
    peers=(_PEER,),
    budget=_BUDGET,
    about=f"{_BOTH} Client and server share the machine, as in production on one node.",
    higher_is_better=True,
    if_missed=_MISSED,
)
CPU = Row(
    name="unary calls through Podyard's server, per CPU second of the server",
    unit="calls/s",
    peers=(_PEER,),
    budget=_BUDGET,
    about=f"{_BOTH} Only the server's own processor time counts: what one core can serve.",
    higher_is_better=True,
    if_missed=_MISSED,
)


@register("unary-overhead", CALLS, CPU)
def measure(scale: Scale) -> Mapping[str, Measured]:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with (
        python_process("bench.unary_server", "podyard", addresses[0]) as ours,
        python_process("bench.unary_server", "bare", addresses[1]) as bare,
        grpc_channel(addresses[0]),
        grpc_channel(addresses[1]),
    ):
        rates: dict[int, list[float]] = {ours.pid: [], bare.pid: []}
        capacities: dict[int, list[float]] = {ours.pid: [], bare.pid: []}
        for number in range(scale.of(20, 3) + 1):
            for pid, address in zip(rates, addresses, strict=True):
                used = cpu_seconds(pid)
                calls, seconds = asyncio.run(_round(address, 1.5))
                used = cpu_seconds(pid) - used
                if number:  # the first round warms up
                    rates[pid].append(calls / seconds)
                    capacities[pid].append(calls / used)
    return {
        row.name: _measured(figures, ours.pid, bare.pid)
        for row, figures in ((CALLS, rates), (CPU, capacities))
    }


def _measured(figures: dict[int, list[float]], ours: int, bare: int) -> Measured:
    return Measured(statistics.median(figures[ours]), {_PEER: statistics.median(figures[bare])})


async def _round(address: str, seconds: float) -> tuple[int, float]:
    """Calls made in about `seconds`, and the seconds it took."""
    calls = 0
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = pb_grpc.TrainingHistoryServiceStub(channel)
        request = pb.GetRunRequest(run_id="0" * 32)
        await stub.GetRun(request)
        begun = time.perf_counter()

        async def call() -> None:
            nonlocal calls
            while time.perf_counter() - begun < seconds:
                await stub.GetRun(request)
                calls += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_IN_FLIGHT):
                tasks.create_task(call())
        return calls, time.perf_counter() - begun
