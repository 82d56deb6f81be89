"""The TailLogs RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from podyard.k8s_resource.v1 import logs_pb2 as pb

from services.k8s_resource.convert.logs import batch_to_pb, query_from_pb
from services.k8s_resource.domain.logs.logs import Logs


class LogsServicer:
    """Follows container logs."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    async def TailLogs(
        self, request: pb.TailLogsRequest, _context: Any
    ) -> AsyncIterator[pb.TailLogsResponse]:
        batches = self._logs.tail(query_from_pb(request))
        async with aclosing(batches):
            async for batch in batches:
                yield batch_to_pb(batch)
