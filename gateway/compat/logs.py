"""Logs by character, as the panel reads them.

The panel counts characters where Podyard's API counts bytes. What was read
before is remembered, so that a reader who follows a log costs no second
reading of what it has.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as rpc
from podyard.cluster_lifecycle.v1 import cluster_pb2 as pb

from gateway.compat.calls import CallsOfRequest
from gateway.compat.clusters import SERVICE
from gateway.compat.status import operation_word, time_to_json
from gateway.problems import ProblemError

STEPS = ("launch", "configure")
_CHUNK_BYTES = 1024 * 1024
_PAGE_CHARACTERS = 1024 * 1024
_OPERATIONS_PAGE = 1000


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The same place in a log in both units."""

    characters: int
    bytes: int


class Positions:
    """Known places in logs, bounded: so many logs, so many places in each."""

    def __init__(self, logs: int = 256, places: int = 256) -> None:
        self._logs: OrderedDict[tuple[str, str], list[Position]] = OrderedDict()
        self._most_logs = logs
        self._most_places = places

    def before(self, log: tuple[str, str], characters: int) -> Position:
        """The last known place at or before so many characters."""
        known = self._logs.get(log, [])
        index = bisect.bisect_right(known, characters, key=lambda place: place.characters)
        return known[index - 1] if index else Position(0, 0)

    def add(self, log: tuple[str, str], place: Position) -> None:
        known = self._logs.setdefault(log, [])
        self._logs.move_to_end(log)
        index = bisect.bisect_left(known, place)
        if index == len(known) or known[index] != place:
            known.insert(index, place)
        if len(known) > self._most_places:
            del known[:-1:2]
        if len(self._logs) > self._most_logs:
            self._logs.popitem(last=False)

    def forget(self, log: tuple[str, str]) -> None:
        self._logs.pop(log, None)


class LogReader:
    """`/api/cluster/logs/:step` and `/api/cluster/logs-history`."""

    def __init__(self) -> None:
        self._positions = Positions()

    async def read(self, calls: CallsOfRequest, tag: str, step: str, offset: int) -> dict[str, Any]:
        """The newest log of a step from a character on, at most about 1 MiB of it.

        `content` is what lies between `offset` and `totalLength`. An offset beyond the
        end, as left over from a longer log before, gives nothing and the true length.
        """
        found = await calls(
            f"{SERVICE}/ListLogs", rpc.ListLogsRequest(tag=tag, step=step), rpc.ListLogsResponse
        )
        if not found.logs:
            return no_log()
        log = found.logs[0]
        try:
            start, content = await self._read(calls, tag, log, offset)
        except ProblemError as error:
            if error.problem.code != "OUT_OF_RANGE":
                raise
            # The log is shorter than it was: it is another one of the same name.
            self._positions.forget((tag, log.id))
            start, content = await self._read(calls, tag, log, offset)
        end = start + len(content)
        data = {
            "content": content,
            "offset": end,
            "exists": True,
            "totalLength": end,
            "status": await self._word(calls, log),
            "timestamp": time_to_json(log, "create_time"),
            "logId": log.id,
        }
        return {**data, "fullContent": content} if offset == 0 else data

    async def history(self, calls: CallsOfRequest, tag: str) -> list[dict[str, Any]]:
        """All logs of a cluster, newest first."""
        found = await calls(
            f"{SERVICE}/ListLogs", rpc.ListLogsRequest(tag=tag), rpc.ListLogsResponse
        )
        operations = await calls(
            f"{SERVICE}/ListOperations",
            rpc.ListOperationsRequest(tag=tag, page_size=_OPERATIONS_PAGE),
            rpc.ListOperationsResponse,
        )
        words = {each.id: operation_word(each) for each in operations.operations}
        return [
            {
                "step": log.step,
                "file": f"{log.id}.log",
                "timestamp": time_to_json(log, "create_time"),
                "size": log.size,
                "status": words.get(log.operation_id, "completed" if log.complete else "running"),
                "logId": log.id,
                "operationId": log.operation_id,
            }
            for log in found.logs
        ]

    async def _read(
        self, calls: CallsOfRequest, tag: str, log: pb.LogFile, offset: int
    ) -> tuple[int, str]:
        """Where the text begins (before `offset` only if that is beyond the end), and the text."""
        key = (tag, log.id)
        place = self._positions.before(key, offset)
        pieces: list[str] = []
        length = 0
        while length < _PAGE_CHARACTERS:
            chunk = await calls(
                f"{SERVICE}/ReadLog",
                rpc.ReadLogRequest(
                    tag=tag, log_id=log.id, offset=place.bytes, max_bytes=_CHUNK_BYTES
                ),
                rpc.ReadLogResponse,
            )
            if chunk.next_offset == place.bytes:
                break
            after = Position(place.characters + len(chunk.content), chunk.next_offset)
            if after.characters > offset:
                piece = chunk.content[max(0, offset - place.characters) :]
                pieces.append(piece)
                length += len(piece)
            self._positions.add(key, after)
            place = after
            if after.bytes >= chunk.size:
                break
        return min(offset, place.characters), "".join(pieces)

    async def _word(self, calls: CallsOfRequest, log: pb.LogFile) -> str:
        if not log.complete:
            return "running"
        if not log.operation_id:
            return "completed"
        try:
            found = await calls(
                f"{SERVICE}/GetOperation",
                rpc.GetOperationRequest(id=log.operation_id),
                rpc.GetOperationResponse,
            )
        except ProblemError as error:
            if error.problem.code != "NOT_FOUND":
                raise
            return "completed"
        return operation_word(found.operation)


def no_log() -> dict[str, Any]:
    """`data` of a log that does not exist yet."""
    return {
        "content": "",
        "offset": 0,
        "exists": False,
        "totalLength": 0,
        "fullContent": "",
        "status": "not_started",
        "timestamp": None,
        "logId": None,
    }
