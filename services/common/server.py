"""The gRPC server of a service: start, health, reflection, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common.audit import AuditSink, LogAuditSink
from services.common.health import Dependency, HealthMonitor
from services.common.identity import Authenticator, LoopbackAuthenticator
from services.common.logs import configure_logs, get_logger
from services.common.metrics import count_tasks, serve_metrics
from services.common.pipeline import Pipeline
from services.common.settings import ServiceSettings
from services.common.stream_budget import StreamBudget

_OPTIONS = [
    # A second process on the same port is an error to be told, not a way to share load.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 8 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    # Bandwidth probes grow the buffers of stalled subscribers without end.
    ("grpc.http2.bdp_probe", 0),
    # Clients may ping idle connections every 10 s.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
]


class Draining:
    """Set when the server stops; streams then end with an explanation."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def is_set(self) -> bool:
        return self.event.is_set()


@dataclass
class Registration:
    """One gRPC service: its full name, the generated add function, the servicer."""

    full_name: str
    add_to_server: Callable[[Any, Any], None]
    servicer: Any


@dataclass
class GrpcServer:
    """A server on one address. `drain_seconds` is what calls in flight get after `stop`."""

    listen: str
    registrations: Sequence[Registration]
    draining: Draining
    dependencies: Sequence[Dependency] = ()
    drain_seconds: float = 10.0
    authenticator: Authenticator = field(default_factory=LoopbackAuthenticator)
    audit: AuditSink = field(default_factory=LogAuditSink)
    streams: StreamBudget = field(default_factory=StreamBudget)

    async def start(self) -> int:
        """Bind and serve; the port. OSError with a clear text if the port is in use."""
        self._server = grpc.aio.server(options=_OPTIONS)
        own_methods = Pipeline(self.authenticator, self.audit, self.streams).before(self._server)
        names = []
        for registration in self.registrations:
            registration.add_to_server(registration.servicer, own_methods)
            names.append(registration.full_name)
        self._health = HealthMonitor(names, self.dependencies)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, self._server)
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        try:
            port = self._server.add_insecure_port(self.listen)
        except RuntimeError as error:
            # gRPC's own text names none: it writes the reason to standard error itself.
            raise OSError(f"cannot listen on {self.listen}") from error
        await self._health.probe_all()
        await self._server.start()
        self._monitor = asyncio.create_task(self._health.run())
        return port

    async def stop(self) -> None:
        """Refuse new calls, end streams with a reason, let calls in flight finish, then stop."""
        await self._health.drain()
        self.draining.event.set()
        await self._server.stop(self.drain_seconds)
        self._monitor.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._monitor


async def serve_until_signalled(server: GrpcServer, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT; SystemExit(1) with one line if the port is in use."""
    log = get_logger("server")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    prefix = settings.model_config.get("env_prefix", "")
    try:
        if settings.metrics_listen:
            count_tasks(loop)
            serve_metrics(settings.metrics_listen, f"{prefix}METRICS_LISTEN")
    except OSError as error:
        raise SystemExit(str(error)) from error
    try:
        port = await server.start()
    except OSError as error:
        raise SystemExit(
            f"{error}; if the port is in use, stop the other process or choose another address "
            f"with {prefix}LISTEN"
        ) from error
    host = settings.listen.rpartition(":")[0]
    log.info("listening", address=f"{host}:{port}")
    await stopping.wait()
    log.info("draining", seconds=server.drain_seconds)
    await server.stop()
    log.info("stopped")


def run_service(name: str, settings: ServiceSettings, main: Callable[[], Any]) -> None:
    """Configure logs and run the coroutine function `main` to its end.

    Not on uvloop: after TLS connections that break while they are made (aiohttp gives it
    their sockets), it mixes up file descriptors, see uvloop's issues 646 and 653.
    """
    configure_logs(name, settings.log_level)
    asyncio.run(main())
