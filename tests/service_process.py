"""A real service in a process of its own, on a port that stays the same over a restart."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tools.stack.ports import free_ports

READY_SECONDS = 60.0
_FOREIGN = ("AWS_", "MLFLOW_", "KUBECONFIG", "PODYARD_")


class ServiceProcess:
    """`python -m services.<stem>`; its log is in `log`."""

    def __init__(self, stem: str, environment: Mapping[str, str], folder: Path) -> None:
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.log = folder / f"{stem}.log"
        self._argv = (sys.executable, "-m", f"services.{stem}")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        self._environment = {
            **inherited,
            f"PODYARD_{stem.upper()}_LISTEN": self.address,
            **environment,
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None
        return self._process.pid

    async def start(self, *, healthy: bool = True) -> None:
        """Start, and wait until it serves; with `healthy`, all that it depends on must work."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, env=self._environment, stdout=log, stderr=log
            )
        async with (
            asyncio.timeout(READY_SECONDS),
            grpc.aio.insecure_channel(self.address) as channel,
        ):
            answer = await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]
                health_pb2.HealthCheckRequest(), wait_for_ready=True
            )
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        assert serving or not healthy, self.log.read_text()

    def send(self, number: signal.Signals) -> None:
        """Send a signal that it outlives."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        assert self._process is not None
        self._process.send_signal(number)
        await self._process.wait()
        self._process = None

    async def close(self) -> None:
        if self._process is not None:
            await self.end(signal.SIGKILL)


@contextlib.asynccontextmanager
async def running_service(
    stem: str, environment: Mapping[str, str], folder: Path
) -> AsyncIterator[ServiceProcess]:
    """A service for the time of a block."""
    service = ServiceProcess(stem, environment, folder)
    try:
        await service.start()
        yield service
    finally:
        await service.close()
