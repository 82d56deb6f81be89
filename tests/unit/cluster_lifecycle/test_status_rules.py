"""What stacks, operations and checks mean for the steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest

from services.cluster_lifecycle.domain.model import CheckResult, CheckState, Stack, StepState
from services.cluster_lifecycle.domain.stack_states import STACK_STATES, step_state
from services.cluster_lifecycle.domain.status import configure_state, launch_state
from services.common.operations.model import Operation, OperationError, OperationState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stack(status: str) -> Stack:
    return Stack("s", "arn:s", status, "because", NOW, None)


def operation(state: OperationState, error: OperationError | None = None) -> Operation:
    return Operation("t.1", "launch", "t", state, NOW, "me", error=error)


def checks(*states: CheckState) -> list[CheckResult]:
    return [CheckResult(f"check-{n}", state, f"message-{n}") for n, state in enumerate(states)]


def test_every_state_of_cloudformation_is_known() -> None:
    model = botocore.session.get_session().get_service_model("cloudformation")
    shape: Any = model.shape_for("StackStatus")
    assert set(shape.enum) == STACK_STATES
    assert all(step_state(status) is not StepState.UNKNOWN for status in STACK_STATES)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("CREATE_COMPLETE", StepState.COMPLETED),
        ("UPDATE_ROLLBACK_COMPLETE", StepState.COMPLETED),
        ("ROLLBACK_COMPLETE", StepState.FAILED),
        ("ROLLBACK_IN_PROGRESS", StepState.RUNNING),
        ("DELETE_COMPLETE", StepState.NOT_STARTED),
        ("REVIEW_IN_PROGRESS", StepState.NOT_STARTED),
        ("SOMETHING_NEW", StepState.UNKNOWN),
    ],
)
def test_the_stack_decides_whatever_the_operation_says(status: str, state: StepState) -> None:
    finished = operation(OperationState.SUCCEEDED)
    assert launch_state(stack(status), "", finished, "s")[0] is state


def test_the_operation_decides_before_there_is_a_stack() -> None:
    failed = operation(OperationState.FAILED, OperationError("X", "no bucket"))
    assert launch_state(None, "", None, "s")[0] is StepState.NOT_STARTED
    assert launch_state(None, "", operation(OperationState.QUEUED), "s")[0] is StepState.RUNNING
    assert launch_state(None, "", operation(OperationState.RUNNING), "s")[0] is StepState.RUNNING
    assert (
        launch_state(None, "", operation(OperationState.CANCELLED), "s")[0] is StepState.NOT_STARTED
    )
    state, message = launch_state(None, "", failed, "s")
    assert state is StepState.FAILED
    assert "no bucket" in message


def test_what_cannot_be_found_out_is_unknown() -> None:
    state, message = launch_state(None, "AWS is away", operation(OperationState.SUCCEEDED), "s")
    assert state is StepState.UNKNOWN
    assert "AWS is away" in message


READY, PENDING, MISSING, ERROR, UNKNOWN = (
    CheckState.READY,
    CheckState.PENDING,
    CheckState.MISSING,
    CheckState.ERROR,
    CheckState.UNKNOWN,
)


@pytest.mark.parametrize(
    ("found", "launch", "state"),
    [
        ((READY, READY), StepState.COMPLETED, StepState.COMPLETED),
        ((READY, MISSING), StepState.COMPLETED, StepState.PARTIAL),
        ((PENDING, MISSING), StepState.COMPLETED, StepState.PARTIAL),
        ((MISSING, MISSING), StepState.COMPLETED, StepState.NOT_STARTED),
        ((READY, ERROR), StepState.COMPLETED, StepState.FAILED),
        ((READY, UNKNOWN), StepState.COMPLETED, StepState.UNKNOWN),
        ((UNKNOWN, UNKNOWN), StepState.COMPLETED, StepState.UNKNOWN),
        ((UNKNOWN, UNKNOWN), StepState.NOT_STARTED, StepState.NOT_STARTED),
        ((UNKNOWN, UNKNOWN), StepState.UNKNOWN, StepState.UNKNOWN),
    ],
)
def test_configure_is_what_the_checks_say(
    found: tuple[CheckState, ...], launch: StepState, state: StepState
) -> None:
    assert configure_state(checks(*found), None, launch)[0] is state


def test_a_running_configure_is_running_and_a_failed_one_has_failed() -> None:
    running = operation(OperationState.RUNNING)
    failed = operation(OperationState.FAILED, OperationError("X", "add-on refused"))
    assert configure_state(checks(MISSING), running, StepState.COMPLETED)[0] is StepState.RUNNING
    state, message = configure_state(checks(MISSING), failed, StepState.COMPLETED)
    assert state is StepState.FAILED
    assert "add-on refused" in message
    assert configure_state(checks(READY), failed, StepState.COMPLETED)[0] is StepState.COMPLETED
