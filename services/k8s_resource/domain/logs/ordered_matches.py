"""The matches of a search that wants them in order of time: the best of them, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.k8s_resource.domain.logs.groups import Group
from services.k8s_resource.domain.logs.library import RunLog
from services.k8s_resource.domain.logs.raw_lines import time_of

_PIECE_BYTES = 300
"""About what a match costs in memory besides its lines."""


@dataclass(order=True, slots=True)
class _Piece:
    """One match with its lines. The least wanted is the lowest."""

    worth: int
    order: int
    log: RunLog = field(compare=False)
    group: Group = field(compare=False)

    @property
    def size(self) -> int:
        return self.group.size + _PIECE_BYTES


class OrderedMatches:
    """Keeps the oldest, or the newest, matches of all that are added."""

    def __init__(self, *, newest: bool, max_matches: int, max_bytes: int) -> None:
        self._newest = newest
        self._max_matches = max_matches
        self._max_bytes = max_bytes
        self._heap: list[_Piece] = []
        self._last: dict[RunLog, _Piece] = {}
        self._order = 0
        self._bytes = 0
        self.dropped_for_matches = False
        self.dropped_for_memory = False

    def add(self, log: RunLog, group: Group) -> None:
        """Take the matches of a group, and let go of the least wanted that are too much.

        A group without matches is the lines after the last match of the group before it.
        """
        last = self._last.get(log)
        if not group.matches and last is not None and last.group.end == group.first:
            last.group = last.group.followed_by(group)
            self._bytes += group.size
        for part in group.by_match():
            moment = time_of(part.lines[part.matches[0]]) or 0
            self._order += 1
            sign = 1 if self._newest else -1
            piece = self._last[log] = _Piece(sign * moment, sign * self._order, log, part)
            self._push(piece)

    def add_all(self, others: OrderedMatches) -> None:
        """Take what another one keeps."""
        for piece in sorted(others._heap, key=lambda piece: abs(piece.order)):
            self.add(piece.log, piece.group)
        self.dropped_for_memory = self.dropped_for_memory or others.dropped_for_memory

    def takes(self, time_ns: int) -> bool:
        """Whether a match of this time could still be among those that are kept."""
        if len(self._heap) < self._max_matches:
            return True
        return (time_ns if self._newest else -time_ns) >= self._heap[0].worth

    def result(self) -> Iterator[tuple[RunLog, Group]]:
        """The matches in the order that is wanted; neighbours of one log in one group."""
        last: tuple[RunLog, Group] | None = None
        for piece in sorted(self._heap, reverse=True):
            if last is not None and last[0] == piece.log:
                first, second = (piece.group, last[1]) if self._newest else (last[1], piece.group)
                if first.end == second.first:
                    last = (piece.log, first.followed_by(second))
                    continue
            if last is not None:
                yield last
            last = (piece.log, piece.group)
        if last is not None:
            yield last

    def _push(self, piece: _Piece) -> None:
        heapq.heappush(self._heap, piece)
        self._bytes += piece.size
        if len(self._heap) > self._max_matches:
            self._drop()
            self.dropped_for_matches = True
        while len(self._heap) > 1 and self._bytes > self._max_bytes:
            self._drop()
            self.dropped_for_memory = True

    def _drop(self) -> None:
        piece = heapq.heappop(self._heap)
        self._bytes -= piece.size
        if self._last.get(piece.log) is piece:
            del self._last[piece.log]
