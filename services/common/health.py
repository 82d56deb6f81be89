"""True health: every dependency is probed, and grpc.health.v1 tells what was found.

Health service names: "" is the process itself, a service's full name is that
service, "dependency:<name>" is one dependency. A failing dependency that is
`required` also fails the services; the others only themselves, because reads
go on from caches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grpc_health.v1 import health, health_pb2

from services.common.logs import get_logger

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# The published types of this package lack the newest of its messages.
_LIST_RESPONSE: Any = vars(health_pb2)["HealthListResponse"]


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something outside that is needed. `probe` returns when it works and raises when not."""

    name: str
    probe: Callable[[], Awaitable[None]]
    required: bool = False


class _HealthServicer(health.aio.HealthServicer):
    """The library's servicer with the method List, which it leaves unimplemented."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: dict[str, int] = {}
        self._draining = False

    async def set(self, service: str, status: Any) -> None:
        if self._draining:
            return
        self.statuses[service] = status
        await super().set(service, status)

    async def enter_graceful_shutdown(self) -> None:
        self._draining = True
        self.statuses = dict.fromkeys(self.statuses, _NOT_SERVING)
        await super().enter_graceful_shutdown()

    async def List(self, request: Any, context: Any) -> Any:
        """Every name with its status: how a client learns of the dependencies."""
        response = _LIST_RESPONSE()
        for service, status in self.statuses.items():
            response.statuses[service].status = status
        return response


class HealthMonitor:
    """Probes dependencies and keeps the health servicer up to date."""

    def __init__(
        self,
        services: Sequence[str],
        dependencies: Sequence[Dependency],
        *,
        interval: float = 5.0,
        timeout: float = 4.0,
    ) -> None:
        """`interval` between probes and `timeout` of one, in seconds."""
        self.servicer = _HealthServicer()
        self._services = services
        self._dependencies = dependencies
        self._interval = interval
        self._timeout = timeout
        self._log = get_logger("health")
        self._last: dict[str, str] = {}

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            await self.probe_all()
            await asyncio.sleep(self._interval)

    async def probe_all(self) -> None:
        """Probe every dependency once, all at the same time."""
        failures = await asyncio.gather(*(self._probe(d) for d in self._dependencies))
        serving = True
        for dependency, failure in zip(self._dependencies, failures, strict=True):
            if failure != self._last.get(dependency.name, ""):
                if failure:
                    self._log.warning("dependency down", dependency=dependency.name, why=failure)
                else:
                    self._log.info("dependency up", dependency=dependency.name)
            self._last[dependency.name] = failure
            await self._set(f"dependency:{dependency.name}", not failure)
            serving = serving and not (dependency.required and failure)
        for service in ("", *self._services):
            await self._set(service, serving)

    async def drain(self) -> None:
        """Report NOT_SERVING from now on."""
        await self.servicer.enter_graceful_shutdown()

    async def _probe(self, dependency: Dependency) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                await dependency.probe()
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001 - any failure means: down
            return str(error) or type(error).__name__
        return ""

    async def _set(self, service: str, serving: bool) -> None:
        await self.servicer.set(service, _SERVING if serving else _NOT_SERVING)
