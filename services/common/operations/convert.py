"""Operations as protobuf messages."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2, status_pb2
from podyard.common.v1 import operation_pb2 as pb

from services.common.operations.model import (
    Operation,
    OperationError,
    OperationState,
    OperationStep,
)
from services.common.status import ERROR_DOMAIN

_STATES = {state: f"OPERATION_STATE_{state.name}" for state in OperationState}
_STATES_FROM_PB = {pb.OperationState.Value(name): state for state, name in _STATES.items()}


def operation_to_pb(operation: Operation) -> pb.Operation:
    """The message of an operation."""
    message = pb.Operation(
        id=operation.id,
        kind=operation.kind,
        target=operation.target,
        state=_STATES[operation.state],
        steps=[_step_to_pb(step) for step in operation.steps],
        progress_percent=operation.progress_percent,
        create_time=_time_to_pb(operation.create_time),
        start_time=_time_to_pb(operation.start_time),
        end_time=_time_to_pb(operation.end_time),
        actor=operation.actor,
        error=_error_to_pb(operation.error),
        log_id=operation.log_id,
        request_id=operation.request_id,
        recoveries=operation.recoveries,
    )
    if operation.exit_code is not None:
        message.exit_code = operation.exit_code
    if operation.exit_signal is not None:
        message.exit_signal = operation.exit_signal
    return message


def operation_state_from_pb(state: int) -> OperationState | None:
    """The state of a proto enum's value; None for UNSPECIFIED and unknown ones."""
    return _STATES_FROM_PB.get(state)


def _step_to_pb(step: OperationStep) -> pb.OperationStep:
    return pb.OperationStep(
        name=step.name,
        state=_STATES[step.state],
        start_time=_time_to_pb(step.start_time),
        end_time=_time_to_pb(step.end_time),
        message=step.message,
    )


def _time_to_pb(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _error_to_pb(error: OperationError | None) -> status_pb2.Status | None:
    if error is None:
        return None
    status = status_pb2.Status(code=code_pb2.UNKNOWN, message=error.message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN))
    return status
