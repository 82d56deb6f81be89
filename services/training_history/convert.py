"""Between the domain's values and the messages; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from podyard.common.v1 import freshness_pb2
from podyard.training_history.v1 import training_history_service_pb2 as pb

from services.common.errors import FieldViolation, InvalidArgumentError
from services.common.status import to_status
from services.training_history.domain.columns import ColorRule, Column, ColumnLayout, ColumnSource
from services.training_history.domain.deletion import Deletion
from services.training_history.domain.listing import ListQuery
from services.training_history.domain.lookup import Found
from services.training_history.domain.model import Freshness, Run, RunStatus
from services.training_history.domain.sync_status import SyncStatus

_STATUS_TO_PB: dict[RunStatus, Any] = {
    status: pb.RunStatus.Value(f"RUN_STATUS_{status.value}") for status in RunStatus
}
_STATUS_FROM_PB = {number: status for status, number in _STATUS_TO_PB.items()}
_SOURCE_TO_PB: dict[ColumnSource, Any] = {
    source: pb.ColumnSource.Value(f"COLUMN_SOURCE_{source.name}") for source in ColumnSource
}

# What Timestamp and Duration may hold: the years 1 to 9999, and about 10,000 years.
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
_LONGEST_MS = 315_576_000_000_000


def list_query_from_pb(request: pb.ListRunsRequest) -> ListQuery:
    """The query; InvalidArgumentError on a status without meaning."""
    unknown = [
        FieldViolation(f"statuses[{index}]", "is not a status of a run; leave it out for all")
        for index, status in enumerate(request.statuses)
        if status not in _STATUS_FROM_PB
    ]
    if unknown:
        raise InvalidArgumentError.fields(unknown)
    return ListQuery(
        experiment_ids=frozenset(request.experiment_ids),
        statuses=frozenset(_STATUS_FROM_PB[status] for status in request.statuses),
        order_by=request.order_by,
        page_size=request.page_size,
        page_token=request.page_token,
    )


def run_to_pb(run: Run, experiment_name: str, *, system_tags: bool = False) -> pb.Run:
    """The message without the duration, which for a run at work is not the run's own."""
    message = pb.Run(
        run_id=run.run_id,
        run_name=run.run_name,
        experiment_id=run.experiment_id,
        experiment_name=experiment_name,
        status=_STATUS_TO_PB[run.status],
        start_time=timestamp_to_pb(run.start_ms),
        end_time=timestamp_to_pb(run.end_ms),
        user=run.user,
        artifact_uri=run.artifact_uri,
    )
    message.metrics.update(zip(run.metric_keys, run.metric_values, strict=True))
    message.params.update(zip(run.param_keys, run.param_values, strict=True))
    message.tags.update(zip(run.tag_keys, run.tag_values, strict=True))
    if system_tags:
        message.system_tags.update(zip(run.system_tag_keys, run.system_tag_values, strict=True))
    return message


def found_to_pb(found: Found, now_ms: int) -> pb.GetRunResponse:
    """One run with everything."""
    message = run_to_pb(found.run, found.experiment_name, system_tags=True)
    duration = duration_to_pb(found.run.duration_ms(now_ms))
    if duration is not None:
        message.duration.CopyFrom(duration)
    return pb.GetRunResponse(run=message, freshness=freshness_to_pb(found.freshness))


def timestamp_to_pb(ms: int | None) -> Timestamp | None:
    """Milliseconds since the epoch; None too for a client's nonsense beyond the year 9999."""
    if ms is None or not _FIRST_MS <= ms <= _LAST_MS:
        return None
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def duration_to_pb(ms: int | None) -> Duration | None:
    """Milliseconds; None too when out of a Duration's range."""
    if ms is None or not -_LONGEST_MS <= ms <= _LONGEST_MS:
        return None
    sign = -1 if ms < 0 else 1
    seconds, rest = divmod(abs(ms), 1000)
    return Duration(seconds=sign * seconds, nanos=sign * rest * 1_000_000)


def freshness_to_pb(freshness: Freshness) -> freshness_pb2.Freshness:
    """How recent an answer is."""
    return freshness_pb2.Freshness(
        confirmed_time=timestamp_to_pb(freshness.confirmed_ms),
        stale=freshness.stale,
        stale_reason=freshness.stale_reason,
        live=freshness.live,
    )


def layout_to_pb(layout: ColumnLayout) -> pb.ListColumnsResponse:
    """The columns of a table."""
    return pb.ListColumnsResponse(
        columns=[_column_to_pb(column) for column in layout.columns],
        table_width=layout.table_width,
    )


def _column_to_pb(column: Column) -> pb.Column:
    return pb.Column(
        key=column.key,
        source=_SOURCE_TO_PB[column.source],
        title=column.title,
        width=column.width,
        color_rules=[_color_rule_to_pb(rule) for rule in column.color_rules],
    )


def _color_rule_to_pb(rule: ColorRule) -> pb.ColorRule:
    if rule.contains is not None:
        return pb.ColorRule(contains=rule.contains, color=rule.color)
    if rule.at_least is not None:
        return pb.ColorRule(at_least=rule.at_least, color=rule.color)
    if rule.less_than is not None:
        return pb.ColorRule(less_than=rule.less_than, color=rule.color)
    return pb.ColorRule(otherwise=True, color=rule.color)


def deletions_to_pb(deletions: Sequence[Deletion]) -> pb.DeleteRunsResponse:
    """What became of each run."""
    return pb.DeleteRunsResponse(
        results=[
            pb.DeleteRunResult(
                run_id=deletion.run_id,
                deleted=deletion.deleted,
                error=None if deletion.error is None else to_status(deletion.error),
            )
            for deletion in deletions
        ]
    )


def sync_status_to_pb(status: SyncStatus) -> pb.GetSyncStatusResponse:
    """How far the cache has followed the tracking server."""
    seconds = status.last_sync_seconds
    return pb.GetSyncStatusResponse(
        tracking_uri=status.tracking_uri,
        reachable=status.reachable,
        runs=status.runs,
        experiments=status.experiments,
        freshness=freshness_to_pb(status.freshness),
        last_sync_duration=None if seconds is None else duration_to_pb(round(seconds * 1000)),
        last_full_sync_time=timestamp_to_pb(status.last_full_sync_ms),
        experiment_errors=status.experiment_errors,
    )
