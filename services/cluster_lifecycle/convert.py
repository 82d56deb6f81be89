"""Proto messages from and to the domain's values. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.cluster_lifecycle.v1 import cluster_pb2
from podyard.common.v1 import stream_pb2

from services.cluster_lifecycle.domain.logs import LogChunk, TailEnd, TailPiece
from services.cluster_lifecycle.domain.model import (
    CheckResult,
    Cluster,
    ClusterConfig,
    ConfigureStatus,
    LaunchStatus,
    LogFile,
)
from services.common.errors import InvalidArgumentError
from services.common.operations.convert import operation_state_from_pb, operation_to_pb
from services.common.operations.model import OperationState
from services.common.operations.ports import Mark, OperationEvent
from services.common.streams import Batch, Signal

_CONFIG_FIELDS = tuple(ClusterConfig.__dataclass_fields__)


def config_from_pb(message: cluster_pb2.ClusterConfig) -> ClusterConfig:
    """A configuration, as it was given."""
    return ClusterConfig(**{name: getattr(message, name) for name in _CONFIG_FIELDS})


def config_to_pb(config: ClusterConfig) -> cluster_pb2.ClusterConfig:
    """The message of a configuration."""
    return cluster_pb2.ClusterConfig(**{name: getattr(config, name) for name in _CONFIG_FIELDS})


def cluster_to_pb(cluster: Cluster) -> cluster_pb2.Cluster:
    """The message of a cluster; a preview of one that does not exist has no times."""
    exists = cluster.create_time.timestamp() > 0
    return cluster_pb2.Cluster(
        tag=cluster.tag,
        config=config_to_pb(cluster.config),
        etag=cluster.etag,
        create_time=time_to_pb(cluster.create_time if exists else None),
        update_time=time_to_pb(cluster.update_time if exists else None),
        problems=cluster.problems,
    )


def launch_status_to_pb(status: LaunchStatus) -> cluster_pb2.LaunchStatus:
    """The message of the launch step's status."""
    stack = status.stack
    return cluster_pb2.LaunchStatus(
        state=f"STEP_STATE_{status.state.name}",
        message=status.message,
        stack_name=status.stack_name,
        stack_status=stack.status if stack else "",
        stack_status_reason=stack.status_reason if stack else "",
        create_time=time_to_pb(stack.create_time if stack else None),
        update_time=time_to_pb(stack.update_time if stack else None),
        outputs=stack.outputs if stack else {},
        operation=operation_to_pb(status.operation) if status.operation else None,
        check_time=time_to_pb(status.check_time),
    )


def configure_status_to_pb(status: ConfigureStatus) -> cluster_pb2.ConfigureStatus:
    """The message of the configure step's status."""
    return cluster_pb2.ConfigureStatus(
        state=f"STEP_STATE_{status.state.name}",
        message=status.message,
        checks=[_check_to_pb(check) for check in status.checks],
        operation=operation_to_pb(status.operation) if status.operation else None,
        check_time=time_to_pb(status.check_time),
    )


def _check_to_pb(check: CheckResult) -> cluster_pb2.Check:
    return cluster_pb2.Check(
        name=check.name, state=f"CHECK_STATE_{check.state.name}", message=check.message
    )


def operation_states_from_pb(numbers: Iterable[int]) -> list[OperationState]:
    """States of a request; InvalidArgumentError naming one that does not exist."""
    states = []
    for index, number in enumerate(numbers):
        state = operation_state_from_pb(number)
        if state is None:
            raise InvalidArgumentError.field(
                f"states[{index}]", "must be a state of an operation; leave states empty for all"
            )
        states.append(state)
    return states


def log_file_to_pb(log: LogFile) -> cluster_pb2.LogFile:
    """The message of a log."""
    return cluster_pb2.LogFile(
        id=log.id,
        step=log.step,
        create_time=time_to_pb(log.create_time),
        size=log.size,
        complete=log.complete,
        operation_id=log.operation_id,
    )


def log_chunk_to_pb(chunk: LogChunk) -> pb.ReadLogResponse:
    """The message of a piece of a log."""
    return pb.ReadLogResponse(
        content=chunk.content,
        next_offset=chunk.next_offset,
        size=chunk.log.size,
        complete=chunk.log.complete,
        log=log_file_to_pb(chunk.log),
    )


def tail_piece_to_pb(piece: TailPiece, *, first: bool) -> pb.TailLogResponse:
    """The message of the next piece of a followed log; the first one states the log."""
    return pb.TailLogResponse(
        log=log_file_to_pb(piece.log) if first else None,
        content=piece.content,
        next_offset=piece.next_offset,
        resume_token=str(piece.next_offset),
        end=_END_OF_TAIL[piece.end] if piece.end else None,
    )


def operation_batch_to_pb(batch: Batch[OperationEvent]) -> pb.WatchOperationsResponse:
    """The message of a batch of a subscription."""
    match batch.signal:
        case Signal.ITEMS:
            events = [_operation_event_to_pb(item) for item in batch.items]
        case Signal.DRAINING:
            events = [_end_of_watch(_DRAINING)]
        case Signal.CLOSED:
            events = [_end_of_watch(_OPERATION_ENDED)]
        case _:
            events = [pb.OperationEvent(type=pb.OPERATION_EVENT_TYPE_HEARTBEAT)]
    return pb.WatchOperationsResponse(events=events)


def _operation_event_to_pb(event: OperationEvent) -> pb.OperationEvent:
    if isinstance(event, Mark):
        return pb.OperationEvent(type=pb.OPERATION_EVENT_TYPE_SYNCED)
    return pb.OperationEvent(type=pb.OPERATION_EVENT_TYPE_STATE, operation=operation_to_pb(event))


def _end_of_watch(end: stream_pb2.StreamEnd) -> pb.OperationEvent:
    return pb.OperationEvent(type=pb.OPERATION_EVENT_TYPE_END, end=end)


def _end(
    reason: stream_pb2.StreamEndReason, message: str, *, again: bool = False
) -> stream_pb2.StreamEnd:
    end = stream_pb2.StreamEnd(reason=reason, message=message)
    if again:
        end.retry_after.FromSeconds(1)
    return end


_DRAINING = _end(
    stream_pb2.STREAM_END_REASON_DRAINING,
    "the server is stopping; connect again and go on from the resume token",
    again=True,
)
_OPERATION_ENDED = _end(stream_pb2.STREAM_END_REASON_FINISHED, "the operation has ended")
_END_OF_TAIL = {
    TailEnd.FINISHED: _end(
        stream_pb2.STREAM_END_REASON_FINISHED, "the run has ended and its log was sent whole"
    ),
    TailEnd.DRAINING: _DRAINING,
}


def time_to_pb(time: datetime | None) -> Timestamp | None:
    """The message of a time, None for none."""
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
