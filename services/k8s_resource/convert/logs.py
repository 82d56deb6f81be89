"""TailLogs requests and responses."""

from __future__ import annotations

from typing import Any, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from podyard.common.v1 import stream_pb2
from podyard.k8s_resource.v1 import logs_pb2 as pb

from services.k8s_resource.domain.logs.archive import ArchiveUse
from services.k8s_resource.domain.logs.events import (
    EndReason,
    Mark,
    MarkType,
    Source,
    SourceLines,
    TailBatch,
)
from services.k8s_resource.domain.logs.levels import Level
from services.k8s_resource.domain.logs.logs import TailQuery
from services.k8s_resource.domain.logs.pods import ContainerKind
from services.k8s_resource.domain.logs.targets import TargetKind

_SECOND = 1_000_000_000
_RETRY_AFTER_DRAIN_SECONDS = 1

_KINDS = {
    pb.LogContainerType.Value(f"LOG_CONTAINER_TYPE_{kind.name}"): kind for kind in ContainerKind
}
_MARKS = {mark: pb.LogMarkerType.Value(f"LOG_MARKER_TYPE_{mark.name}") for mark in MarkType}
_ARCHIVE_USES = {
    pb.CAPTURED_LOGS_UNSPECIFIED: ArchiveUse.AUTO,
    pb.CAPTURED_LOGS_INCLUDE: ArchiveUse.INCLUDE,
    pb.CAPTURED_LOGS_EXCLUDE: ArchiveUse.EXCLUDE,
}
_REASONS = {
    reason: stream_pb2.StreamEndReason.Value(f"STREAM_END_REASON_{reason.name}")
    for reason in EndReason
}


def query_from_pb(request: pb.TailLogsRequest) -> TailQuery:
    """A request whose fields were validated: exactly one source is set."""
    kind = TargetKind(request.WhichOneof("source"))
    return TailQuery(
        cluster=request.cluster,
        namespace=request.namespace,
        kind=kind,
        name=getattr(request, kind.value),
        containers=tuple(request.containers),
        include_init_containers=request.include_init_containers,
        follow=request.follow,
        since=request.since.ToNanoseconds() if request.HasField("since") else None,
        since_time=(request.since_time.ToNanoseconds() if request.HasField("since_time") else None),
        tail_lines=request.tail_lines if request.HasField("tail_lines") else None,
        previous=request.previous,
        include=tuple(request.include),
        exclude=tuple(request.exclude),
        container_kinds=frozenset(_KINDS[kind] for kind in request.container_types),
        limit_bytes=request.limit_bytes if request.HasField("limit_bytes") else None,
        detect_levels=request.detect_levels,
        min_level=Level(request.min_level),
        merge_seconds=request.merge_window.ToNanoseconds() / _SECOND,
        max_containers=request.max_containers or None,
        resume_token=request.resume_token,
        archive_use=_ARCHIVE_USES[request.captured],
        pod_uid=request.pod_uid,
    )


def batch_to_pb(batch: TailBatch) -> pb.TailLogsResponse:
    """A batch; lines go in by column, without an object for each."""
    response = pb.TailLogsResponse(resume_token=batch.resume_token)
    for event in batch.events:
        if isinstance(event, SourceLines):
            lines = response.events.add().lines
            set_source(lines.source, event.source)
            lines.text.extend(event.lines.texts)
            lines.time_unix_nano.extend(event.lines.times)
            lines.truncated.extend(event.lines.truncated)
            lines.level.extend(cast("list[Any]", event.lines.levels))
        else:
            _set_mark(response.events.add().marker, event)
    return response


def _set_mark(marker: Any, mark: Mark) -> None:
    marker.type = _MARKS[mark.type]
    marker.time.CopyFrom(_timestamp(mark.time))
    marker.message = mark.message
    marker.reason = mark.reason
    marker.restart_count = mark.restarts
    if mark.source is not None:
        set_source(marker.source, mark.source)
    if mark.exit_code is not None:
        marker.exit_code = mark.exit_code
    if mark.end is not None:
        marker.end.reason = _REASONS[mark.end]
        marker.end.message = mark.message
        if mark.end is EndReason.DRAINING:
            marker.end.retry_after.CopyFrom(Duration(seconds=_RETRY_AFTER_DRAIN_SECONDS))


def set_source(message: Any, source: Source) -> None:
    """A LogSource."""
    message.namespace = source.namespace
    message.pod = source.pod
    message.container = source.container
    message.pod_uid = source.pod_uid


def _timestamp(nanoseconds: int) -> Timestamp:
    return Timestamp(seconds=nanoseconds // _SECOND, nanos=nanoseconds % _SECOND)
