"""What Podyard's server costs a unary call."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import grpc
from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from bench.processes import cpu_seconds, python_process
from bench.registry import Budget, Finding, Measured, Row, Scale, register
from bench.timing import grpc_channel
from tools.stack.ports import free_ports

_IN_FLIGHT = 32
_BARE, _ON_UVLOOP = "bare grpc.aio handler", "the same on uvloop"
_KINDS = {_BARE: "bare", _ON_UVLOOP: "bare-uvloop", "": "podyard"}
_BUDGET = Budget(ratio_at_least=0.75)
_ABOUT = (
    "The same handler and message (GetRun of a small run) in three server processes: through "
    "Podyard's server with identification, role check, validation, request id, time limit and "
    "metrics, on asyncio's own loop as the services run; bare on the same loop; and bare on uvloop. "
    f"{_IN_FLIGHT} calls in flight from one client process; rounds alternate."
)
CALLS = Row(
    name="unary calls with identification, validation and metrics",
    unit="calls/s",
    peers=(_BARE, _ON_UVLOOP),
    budget=_BUDGET,
    about=f"{_ABOUT} Client and server share the machine, as in production on one node.",
    higher_is_better=True,
)
CPU = Row(
    name="unary calls with identification, validation and metrics, per CPU second of the server",
    unit="calls/s",
    peers=(_BARE, _ON_UVLOOP),
    budget=_BUDGET,
    about=f"{_ABOUT} Only the server's own processor time counts: what one core can serve.",
    higher_is_better=True,
)


@register("unary-overhead", CALLS, CPU)
def measure(scale: Scale) -> Mapping[str, Finding]:
    rates: dict[str, list[float]] = {name: [] for name in _KINDS}
    capacities: dict[str, list[float]] = {name: [] for name in _KINDS}
    with ExitStack() as stack:
        servers = {}
        for (name, kind), port in zip(_KINDS.items(), free_ports(len(_KINDS)), strict=True):
            address = f"127.0.0.1:{port}"
            process = stack.enter_context(python_process("bench.unary_server", kind, address))
            stack.enter_context(grpc_channel(address))
            servers[name] = process.pid, address
        for number in range(scale.of(14, 3) + 1):
            for name, (pid, address) in servers.items():
                used = cpu_seconds(pid)
                calls, seconds = asyncio.run(_round(address, 1.5))
                used = cpu_seconds(pid) - used
                if number:  # the first round warms up
                    rates[name].append(calls / seconds)
                    capacities[name].append(calls / used)
    return {CALLS.name: _measured(rates), CPU.name: _measured(capacities)}


def _measured(figures: dict[str, list[float]]) -> Measured:
    medians = {name: statistics.median(values) for name, values in figures.items()}
    return Measured(medians.pop(""), medians)


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
