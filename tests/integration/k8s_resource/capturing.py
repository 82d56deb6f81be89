"""Capture rules and captured logs of a running service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from podyard.k8s_resource.v1 import captured_logs_pb2 as pb

from tests.integration.k8s_resource.log_tailing import Cluster

_WAIT_SECONDS = 45.0


class Captured:
    """What is captured of one namespace."""

    def __init__(self, service: Any, cluster: Cluster) -> None:
        self.service = service
        self.namespace = cluster.namespace

    async def rule(self, name: str = "all", **fields: Any) -> pb.CaptureRule:
        """Make a rule for the namespace."""
        rule = pb.CaptureRule(name=name, namespaces=[self.namespace], **fields)
        answer = await self.service.stub.CreateCaptureRule(pb.CreateCaptureRuleRequest(rule=rule))
        made: pb.CaptureRule = answer.rule
        return made

    async def logs(self, **query: Any) -> list[pb.CapturedLog]:
        """What is kept."""
        query = {"namespace": self.namespace, **query}
        answer = await self.service.stub.ListCapturedLogs(
            pb.ListCapturedLogsRequest(query=pb.CapturedLogQuery(**query)), wait_for_ready=True
        )
        return list(answer.logs)

    async def until(
        self, condition: Callable[[list[pb.CapturedLog]], bool], **query: Any
    ) -> list[pb.CapturedLog]:
        """What is kept, once it is as wanted."""
        found: list[pb.CapturedLog] = []
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while True:
                    found = await self.logs(**query)
                    if condition(found):
                        return found
                    await asyncio.sleep(0.05)  # nothing tells of what is stored
        except TimeoutError:
            raise AssertionError(f"not within {_WAIT_SECONDS} s; kept: {found}") from None

    async def until_lines(self, count: int, pod: str = "") -> pb.CapturedLog:
        """The one log that is kept of a pod, once it has so many lines."""
        found = await self.until(lambda logs: sum(log.lines for log in logs) >= count, pod=pod)
        return found[-1]

    async def until_runs(self, count: int) -> list[pb.CapturedLog]:
        """What is kept, once there are so many runs and the last has lines."""
        return await self.until(lambda logs: len(logs) == count and logs[-1].lines > 0)

    async def until_ended(self, run: int) -> None:
        """Wait until a run is known to have ended."""
        await self.until(lambda logs: logs[run].HasField("exit_code"))

    async def until_gone(self, pod: str) -> list[pb.CapturedLog]:
        """What is kept of a pod, once it is gone and captured to its end."""
        return await self.until(
            lambda logs: (
                bool(logs)
                and all(not log.pod_exists and not log.active and log.complete for log in logs)
            ),
            pod=pod,
        )

    async def until_state(self, state: pb.CaptureState) -> pb.CaptureStatus:
        """What capture does, once it is in a state."""
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                status = await self.status()
                if status.state == state:
                    return status
                await asyncio.sleep(0.05)  # nothing tells of a change of state

    async def status(self) -> pb.CaptureStatus:
        """What capture does."""
        answer = await self.service.stub.ListCaptureRules(pb.ListCaptureRulesRequest())
        status: pb.CaptureStatus = answer.status
        return status
