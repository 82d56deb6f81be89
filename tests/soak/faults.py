"""The faults of a round: what may happen between the API server and a subscriber."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.faults.etcd_history import EtcdHistory
from tests.faults.tcp_proxy import TcpFaultProxy
from tests.service_process import ServiceProcess
from tools.stack.testing import ControlPlane

_DOWN_SECONDS = 3.0
_COMPACTION_SECONDS = 0.2
_REST_SECONDS = (0.2, 1.0)


@dataclass
class Faults:
    """Makes faults, one after the other; compaction goes on beside the others."""

    plane: ControlPlane
    truth: EtcdHistory
    upstream: TcpFaultProxy
    downstream: TcpFaultProxy
    service: ServiceProcess
    chance: random.Random
    made: Counter[str] = field(default_factory=Counter)

    @property
    def service_ended(self) -> bool:
        """Whether the service has lost what it held in memory."""
        return bool(self.made["service restarted"] or self.made["service killed"])

    async def make(self, count: int, first: int) -> None:
        """Make `count` faults; the first is one of all in turn, so that each comes up."""
        names = list(self._kinds())
        compacting = asyncio.create_task(self._compact())
        try:
            for number in range(count):
                name = names[first % len(names)] if number == 0 else self.chance.choice(names)
                self.made[name] += 1
                await self._kinds()[name]()
                await asyncio.sleep(self.chance.uniform(*_REST_SECONDS))
        finally:
            compacting.cancel()
            await asyncio.gather(compacting, return_exceptions=True)
            self.upstream.heal()
            self.downstream.heal()

    def _kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "API server killed": self._kill_api_server,
            "upstream cut": lambda: self._cut(self.upstream),
            "service killed": lambda: self._end_service(signal.SIGKILL),
            "client cut": lambda: self._cut(self.downstream),
            "service stopped": self._stop_service,
            "upstream stalled": lambda: self._stall(self.upstream),
            "upstream refused": lambda: self._refuse(self.upstream),
            "service restarted": lambda: self._end_service(signal.SIGTERM),
            "client stalled": lambda: self._stall(self.downstream),
            "client cut within a message": lambda: self._cut_within(self.downstream),
            "upstream cut within a message": lambda: self._cut_within(self.upstream),
            "client refused": lambda: self._refuse(self.downstream),
        }

    async def _compact(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self.truth.compact()
                self.made["compaction"] += 1
            await asyncio.sleep(_COMPACTION_SECONDS)

    async def _kill_api_server(self) -> None:
        await asyncio.to_thread(self.plane.kill_apiserver)
        try:
            await asyncio.sleep(_DOWN_SECONDS)
        finally:
            await asyncio.to_thread(self.plane.start_apiserver)

    async def _cut(self, proxy: TcpFaultProxy) -> None:
        proxy.cut()

    async def _cut_within(self, proxy: TcpFaultProxy) -> None:
        proxy.cut_in_the_middle(self.chance.randrange(20, 5000))
        await asyncio.sleep(self.chance.uniform(0.2, 1.0))

    async def _stall(self, proxy: TcpFaultProxy) -> None:
        proxy.stall()
        await asyncio.sleep(self.chance.uniform(0.5, 3.0))
        proxy.flow()

    async def _refuse(self, proxy: TcpFaultProxy) -> None:
        proxy.refuse()
        proxy.cut()
        await asyncio.sleep(self.chance.uniform(0.2, 1.5))
        proxy.accept()

    async def _stop_service(self) -> None:
        self.service.send(signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(0.5, 2.5))
        self.service.send(signal.SIGCONT)

    async def _end_service(self, number: signal.Signals) -> None:
        await self.service.end(number)
        await self.service.start(healthy=False)
