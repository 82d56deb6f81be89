"""Runs as rows of a response, encoded once per change of a run.

Filling a message from Python costs about ten times what parsing it back from bytes does, and the
same rows are asked for again and again. The bytes of a row can be put together: a field appended
to an encoded message is part of it (protobuf's encoding guide, "Last One Wins" and concatenation).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from podyard.training_history.v1 import training_history_service_pb2 as pb

from services.training_history.convert import duration_to_pb, run_to_pb
from services.training_history.domain.model import Run

MAX_ROWS = 5_000
"""Rows kept, about 1 kB each: the pages that people look at."""

MAX_PAGE_BYTES = 3_000_000
"""gRPC clients take 4 MiB unless told otherwise; a page of huge tags ends early instead."""


class RunMessages:
    """Encodes pages of runs."""

    def __init__(self, experiment_name: Callable[[str], str]) -> None:
        self._experiment_name = experiment_name
        self._rows: OrderedDict[str, tuple[Run, str, bytes]] = OrderedDict()

    def page(self, runs: Iterable[Run], now_ms: int) -> pb.ListRunsResponse:
        """A response with the first of `runs` that fit; one at least."""
        records: list[bytes] = []
        size = 0
        for run in runs:
            row = self._row(run, now_ms)
            size += len(row)
            if records and size > MAX_PAGE_BYTES:
                break
            records += (_RUNS_TAG, _varint(len(row)), row)
        return pb.ListRunsResponse.FromString(b"".join(records))

    def _row(self, run: Run, now_ms: int) -> bytes:
        name = self._experiment_name(run.experiment_id)
        known = self._rows.get(run.run_id)
        if known is None or known[0] is not run or known[1] != name:
            known = (run, name, run_to_pb(run, name).SerializeToString())
            self._rows[run.run_id] = known
            if len(self._rows) > MAX_ROWS:
                self._rows.popitem(last=False)
        duration = duration_to_pb(run.duration_ms(now_ms))
        if duration is None:
            return known[2]
        encoded = duration.SerializeToString()
        return b"".join((known[2], _DURATION_TAG, _varint(len(encoded)), encoded))


def _varint(number: int) -> bytes:
    """Base 128, least significant group first (protobuf's encoding guide)."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _tag(number: int) -> bytes:
    length_delimited = 2
    return _varint(number << 3 | length_delimited)


_RUNS_TAG = _tag(pb.ListRunsResponse.RUNS_FIELD_NUMBER)
_DURATION_TAG = _tag(pb.Run.DURATION_FIELD_NUMBER)
