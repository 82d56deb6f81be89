"""Capture rules and captured logs."""

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from podyard.k8s_resource.v1 import captured_logs_pb2 as pb

from services.k8s_resource.domain.captured.capture import CaptureState, CaptureStatus
from services.k8s_resource.domain.captured.listing import Deletion, ListedLog, LogPage, LogQuery
from services.k8s_resource.domain.captured.rules import CaptureRule, Retention

_SECOND = 1_000_000_000
_STATES: dict[CaptureState, Any] = {
    state: pb.CaptureState.Value(f"CAPTURE_STATE_{state.name}") for state in CaptureState
}


def rule_from_pb(rule: pb.CaptureRule) -> CaptureRule:
    """A rule as asked for; what is output only is not read."""
    retention = rule.retention
    return CaptureRule(
        name=rule.name,
        description=rule.description,
        cluster=rule.cluster,
        namespaces=tuple(rule.namespaces),
        label_selector=rule.label_selector,
        training_jobs=rule.training_jobs,
        containers=tuple(rule.containers),
        include_init_containers=rule.include_init_containers,
        disabled=rule.disabled,
        retention=Retention(
            retention.max_age.ToNanoseconds() if retention.HasField("max_age") else 0,
            retention.max_bytes,
            retention.max_pods,
        ),
    )


def rule_to_pb(rule: CaptureRule, active: int = 0, stored_bytes: int = 0) -> pb.CaptureRule:
    """A rule with its figures."""
    kept = rule.retention
    return pb.CaptureRule(
        name=rule.name,
        description=rule.description,
        cluster=rule.cluster,
        namespaces=rule.namespaces,
        label_selector=rule.label_selector,
        training_jobs=rule.training_jobs,
        containers=rule.containers,
        include_init_containers=rule.include_init_containers,
        disabled=rule.disabled,
        retention=pb.CaptureRetention(
            max_age=_duration(kept.max_age) if kept.max_age else None,
            max_bytes=kept.max_bytes,
            max_pods=kept.max_pods,
        )
        if kept != Retention()
        else None,
        etag=rule.etag,
        create_time=_timestamp(rule.create_time),
        update_time=_timestamp(rule.update_time),
        active_containers=active,
        stored_bytes=stored_bytes,
    )


def status_to_pb(status: CaptureStatus) -> pb.CaptureStatus:
    """The state of capture."""
    return pb.CaptureStatus(
        state=_STATES[status.state],
        message=status.message,
        active_containers=status.active,
        interrupted_containers=status.interrupted,
        stored_bytes=status.stored_bytes,
        max_bytes=status.max_bytes,
        free_bytes=status.free_bytes,
        pending_uploads=status.pending_uploads,
        upload_problem=status.upload_problem,
    )


def query_from_pb(query: pb.CapturedLogQuery, cluster: str) -> LogQuery:
    """A query of a cluster whose name was looked up."""
    return LogQuery(
        cluster,
        query.namespace,
        query.pod,
        query.pod_uid,
        query.label_selector,
        query.training_job,
        query.before.ToNanoseconds() if query.HasField("before") else None,
    )


def page_to_pb(page: LogPage) -> pb.ListCapturedLogsResponse:
    """One page of captured logs."""
    return pb.ListCapturedLogsResponse(
        logs=map(_log_to_pb, page.logs),
        next_page_token=page.next_token,
        total_size=page.total,
        total_bytes=page.total_bytes,
    )


def deletion_to_pb(deletion: Deletion) -> pb.DeleteCapturedLogsResponse:
    """What was deleted."""
    return pb.DeleteCapturedLogsResponse(
        deleted=deletion.deleted,
        deleted_bytes=deletion.deleted_bytes,
        skipped_active=deletion.skipped_active,
        skipped_read=deletion.skipped_read,
    )


def _log_to_pb(log: ListedLog) -> pb.CapturedLog:
    record, run = log.pod.record, log.run
    ended = run.ended
    message: Any = pb.CapturedLog(
        cluster=record.cluster,
        namespace=record.namespace,
        pod=record.pod,
        pod_uid=record.uid,
        container=run.key.container,
        run=run.key.run,
        labels=record.labels,
        training_job=record.training_job.partition("/")[2],
        node_name=record.node,
        rules=record.rules,
        lines=run.lines,
        stored_bytes=run.size,
        text_bytes=run.text_bytes,
        active=run.active,
        complete=run.place.whole,
        pod_exists=not log.pod.removed,
        reason=ended.reason if ended is not None else "",
        gaps=[
            pb.CapturedLogGap(time=_timestamp(mark.time), message=mark.message)
            for mark in run.marks
            if mark.type == "gap"
        ],
        deleted_lines=run.segments[0].summary.first_line if run.segments else 0,
        problems=run.problems,
    )
    if run.lines:
        message.first_time.CopyFrom(_timestamp(run.first_time))
        message.last_time.CopyFrom(_timestamp(run.last_time))
    if ended is not None:
        message.exit_code = ended.exit_code
    result: pb.CapturedLog = message
    return result


def _timestamp(nanoseconds: int) -> Timestamp:
    return Timestamp(seconds=nanoseconds // _SECOND, nanos=nanoseconds % _SECOND)


def _duration(nanoseconds: int) -> Duration:
    return Duration(seconds=nanoseconds // _SECOND, nanos=nanoseconds % _SECOND)
