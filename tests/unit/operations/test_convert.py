"""Operations as messages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.rpc import error_details_pb2
from podyard.common.v1 import operation_pb2 as pb

from services.common.operations.convert import operation_state_from_pb, operation_to_pb
from services.common.operations.model import (
    Operation,
    OperationError,
    OperationState,
    OperationStep,
)

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_every_field_is_converted() -> None:
    operation = Operation(
        id="c1.1",
        kind="launch",
        target="c1",
        state=OperationState.FAILED,
        create_time=TIME,
        actor="ann",
        steps=(
            OperationStep("bucket", OperationState.SUCCEEDED, TIME, TIME, "made"),
            OperationStep("stack"),
        ),
        start_time=TIME,
        end_time=TIME,
        error=OperationError("ROLLED_BACK", "the stack was rolled back"),
        exit_code=0,
        exit_signal=9,
        log_id="log",
        request_id="r1",
        recoveries=2,
    )
    message = operation_to_pb(operation)
    unset = {field.name for field in message.DESCRIPTOR.fields} - {
        field.name for field, _ in message.ListFields()
    }
    assert unset == set()
    assert message.state == pb.OPERATION_STATE_FAILED
    assert message.create_time.ToDatetime(UTC) == TIME
    assert message.progress_percent == 50
    assert [step.state for step in message.steps] == [
        pb.OPERATION_STATE_SUCCEEDED,
        pb.OPERATION_STATE_QUEUED,
    ]
    assert message.steps[0].message == "made"
    assert not message.steps[1].HasField("start_time")
    info = error_details_pb2.ErrorInfo()
    assert message.error.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("ROLLED_BACK", "podyard")
    assert message.error.message == "the stack was rolled back"


def test_what_is_not_known_is_unset() -> None:
    message = operation_to_pb(
        Operation("c1.1", "launch", "c1", OperationState.QUEUED, TIME, actor="ann")
    )
    for field in ("start_time", "end_time", "error", "exit_code", "exit_signal"):
        assert not message.HasField(field)


@pytest.mark.parametrize("state", OperationState)
def test_states_go_there_and_back(state: OperationState) -> None:
    message = operation_to_pb(Operation("c1.1", "launch", "c1", state, TIME, actor="ann"))
    assert operation_state_from_pb(message.state) is state


def test_unspecified_is_no_state() -> None:
    assert operation_state_from_pb(pb.OPERATION_STATE_UNSPECIFIED) is None
