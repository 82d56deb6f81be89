"""One round: containers that write, tails that follow, and faults on every way between."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.tcp_proxy import TcpFaultProxy, kubeconfig_through
from tests.service_process import ServiceProcess
from tests.soak.log_guarantees import Container, TailCheck
from tests.soak.log_subscriber import LogSubscriber
from tools.stack.testing import ControlPlane

_DOWN_SECONDS = 3.0
_SETTLE_SECONDS = 40.0
_FAULTS = 2


class Writers:
    """Write numbered lines to containers until they are stopped."""

    def __init__(self, plane: ControlPlane, namespace: str, containers: list[Container]) -> None:
        self.written = dict.fromkeys(containers, 0)
        self._plane = plane
        self._namespace = namespace
        self._locks = {container: threading.Lock() for container in containers}
        self._stop = threading.Event()

    def rotate(self, container: Container) -> None:
        """As a kubelet does at the size limit."""
        pod, name = container
        with self._locks[container]:
            self._plane.pod_logs(pod, self._namespace).rotate(name)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write for the time of a block."""
        tasks = [asyncio.create_task(asyncio.to_thread(self._write, of)) for of in self.written]
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.gather(*tasks)

    def _write(self, container: Container) -> None:
        pod, name = container
        while not self._stop.wait(0.02):
            with self._locks[container]:
                start = self.written[container]
                lines = [f"{number} of {name} in {pod}" for number in range(start, start + 10)]
                self._plane.write_logs(pod, *lines, namespace=self._namespace, container=name)
                self.written[container] += 10


@dataclass
class LogFaults:
    """What may happen between a container and its reader."""

    plane: ControlPlane
    upstream: TcpFaultProxy
    downstream: TcpFaultProxy
    service: ServiceProcess
    writers: Writers
    chance: random.Random
    made: Counter[str] = field(default_factory=Counter)

    async def make(self, count: int, first: int) -> None:
        """Make `count` faults; the first is one of all in turn, so that each comes up."""
        kinds = self._kinds()
        names = list(kinds)
        try:
            for number in range(count):
                name = names[first % len(names)] if number == 0 else self.chance.choice(names)
                self.made[name] += 1
                await kinds[name]()
                await asyncio.sleep(self.chance.uniform(0.2, 1.0))
        finally:
            self.upstream.heal()
            self.downstream.heal()

    def _kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {
            "API server killed": self._kill_api_server,
            "upstream cut within a message": lambda: self._cut_within(self.upstream),
            "service killed": lambda: self._end_service(signal.SIGKILL),
            "log rotated": self._rotate,
            "upstream stalled": lambda: self._stall(self.upstream),
            "service stopped": self._stop_service,
            "client cut": lambda: self._cut(self.downstream),
            "upstream cut": lambda: self._cut(self.upstream),
            "service restarted": lambda: self._end_service(signal.SIGTERM),
            "client stalled": lambda: self._stall(self.downstream),
            "upstream refused": self._refuse,
        }

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
        await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        proxy.flow()

    async def _refuse(self) -> None:
        self.upstream.refuse()
        self.upstream.cut()
        await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        self.upstream.accept()

    async def _end_service(self, number: signal.Signals) -> None:
        await self.service.end(number)
        await self.service.start()

    async def _stop_service(self) -> None:
        self.service.send(signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        self.service.send(signal.SIGCONT)

    async def _rotate(self) -> None:
        await asyncio.to_thread(self.writers.rotate, self.chance.choice(list(self.writers.written)))


@dataclass
class LogOutcome:
    """What came of a round."""

    seed: int
    faults: Counter[str]
    checks: list[TailCheck]
    written: int

    @property
    def problems(self) -> list[str]:
        """Everything that was not right."""
        return [f"{check.name}: {problem}" for check in self.checks for problem in check.problems]

    @property
    def summary(self) -> str:
        """For the record."""
        faults = ", ".join(f"{name} {count}" for name, count in self.faults.items())
        counts: Counter[str] = sum((check.counts for check in self.checks), Counter())
        told = ", ".join(
            f"{name} {counts[name]}" for name in ("seen", "lost", "repeated", "in told gaps")
        )
        return f"logs, seed {self.seed}: {self.written} lines written; {told}; faults: {faults}"


async def run_round(
    plane: ControlPlane, namespace: str, containers: list[Container], folder: Path, seed: int
) -> LogOutcome:
    """Write, follow and break for some seconds; then wait until everyone has everything."""
    chance = random.Random(seed)  # noqa: S311 - the same round for the same seed
    api_port = int(plane.server_url.rpartition(":")[2])
    async with contextlib.AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(TcpFaultProxy(api_port))
        config = kubeconfig_through(
            plane.kubeconfig, plane.server_url, upstream.port, folder / "kubeconfig"
        )
        service = ServiceProcess(
            "k8s_resource", {"PODYARD_K8S_RESOURCE_KUBECONFIG": str(config)}, folder
        )
        stack.push_async_callback(service.close)
        await service.start()
        port = int(service.address.rpartition(":")[2])
        downstream = await stack.enter_async_context(TcpFaultProxy(port))
        writers = Writers(plane, namespace, containers)
        tails = _subscribers(namespace, containers)
        reading = [asyncio.create_task(tail.run(downstream.port, chance)) for tail in tails]
        faults = LogFaults(plane, upstream, downstream, service, writers, chance)
        try:
            async with writers.running():
                begun = dict.fromkeys(containers, 1)
                await asyncio.gather(*(tail.until_all(_own(tail, begun)) for tail in tails))
                await faults.make(_FAULTS, seed)
            await _settled(tails, writers.written)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
    return LogOutcome(
        seed, faults.made, [tail.check for tail in tails], sum(writers.written.values())
    )


def _subscribers(namespace: str, containers: list[Container]) -> list[LogSubscriber]:
    every = {"namespace": namespace, "label_selector": "app=soak"}
    pod, container = containers[0]
    one = {"namespace": namespace, "pod": pod, "containers": [container]}
    return [
        LogSubscriber(TailCheck("all"), every),
        LogSubscriber(TailCheck("slow"), every, slow=0.05),
        LogSubscriber(TailCheck("hanging up"), every, cut_after=0.1),
        LogSubscriber(TailCheck("merged"), {**every, "merge_window": {"nanos": 200_000_000}}),
        LogSubscriber(TailCheck("one"), one),
    ]


def _own(tail: LogSubscriber, counts: dict[Container, int]) -> dict[Container, int]:
    """The part of what is written that a subscriber asked for."""
    names = tail.request.get("containers")
    return {
        (pod, name): count
        for (pod, name), count in counts.items()
        if tail.request.get("pod", pod) == pod and (names is None or name in names)
    }


async def _settled(tails: list[LogSubscriber], written: dict[Container, int]) -> None:
    """Wait until each has the last lines; a problem of its check if they do not come."""

    async def settled(tail: LogSubscriber) -> None:
        own = _own(tail, written)
        try:
            await asyncio.wait_for(tail.until_all(own), _SETTLE_SECONDS)
        except TimeoutError:
            tail.check.problems.append(
                f"not sent in time: {tail.check.behind(own)}; marks {tail.marks[-30:]}"
            )

    await asyncio.gather(*(settled(tail) for tail in tails))
