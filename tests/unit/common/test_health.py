"""Health of a service that stops."""

from __future__ import annotations

from typing import Any

from grpc_health.v1 import health_pb2

from services.common.health import Dependency, HealthMonitor


async def up() -> None:
    """A dependency that works."""


async def test_a_probe_during_the_drain_does_not_make_it_serve_again() -> None:
    monitor = HealthMonitor(["podyard.Example"], [Dependency("store", up)])
    await monitor.probe_all()
    await monitor.drain()
    await monitor.probe_all()
    request: Any = vars(health_pb2)["HealthListRequest"]()
    answer = await monitor.servicer.List(request, None)
    assert {status.status for status in answer.statuses.values()} == {
        health_pb2.HealthCheckResponse.NOT_SERVING
    }
