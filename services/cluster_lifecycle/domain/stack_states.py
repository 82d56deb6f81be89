"""What CloudFormation's stack states mean for the launch step.

All 23 values of StackStatus in CloudFormation's API.
"""

from __future__ import annotations

from services.cluster_lifecycle.domain.model import Stack, StepState

_MEANINGS: dict[str, tuple[StepState, str]] = {
    "CREATE_IN_PROGRESS": (StepState.RUNNING, "is being created"),
    "CREATE_COMPLETE": (StepState.COMPLETED, "is complete"),
    "CREATE_FAILED": (StepState.FAILED, "could not be created"),
    "ROLLBACK_IN_PROGRESS": (StepState.RUNNING, "could not be created and is being rolled back"),
    "ROLLBACK_COMPLETE": (StepState.FAILED, "could not be created and was rolled back"),
    "ROLLBACK_FAILED": (StepState.FAILED, "could not be created, nor rolled back"),
    "UPDATE_IN_PROGRESS": (StepState.RUNNING, "is being updated"),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": (
        StepState.RUNNING,
        "is updated; what was replaced is being removed",
    ),
    "UPDATE_COMPLETE": (StepState.COMPLETED, "is complete"),
    "UPDATE_FAILED": (StepState.FAILED, "could not be updated"),
    "UPDATE_ROLLBACK_IN_PROGRESS": (
        StepState.RUNNING,
        "could not be updated and is being rolled back",
    ),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": (
        StepState.RUNNING,
        "was rolled back after an update; what was new is being removed",
    ),
    "UPDATE_ROLLBACK_COMPLETE": (
        StepState.COMPLETED,
        "is complete as it was before its last update, which was rolled back",
    ),
    "UPDATE_ROLLBACK_FAILED": (StepState.FAILED, "could not be updated, nor rolled back"),
    # Made for a change set that was never executed: none of its resources exist.
    "REVIEW_IN_PROGRESS": (StepState.NOT_STARTED, "waits for a change set to be executed"),
    "IMPORT_IN_PROGRESS": (StepState.RUNNING, "is importing resources"),
    "IMPORT_COMPLETE": (StepState.COMPLETED, "is complete"),
    "IMPORT_ROLLBACK_IN_PROGRESS": (
        StepState.RUNNING,
        "could not import resources and is being rolled back",
    ),
    "IMPORT_ROLLBACK_COMPLETE": (
        StepState.COMPLETED,
        "is complete as it was before an import, which was rolled back",
    ),
    "IMPORT_ROLLBACK_FAILED": (StepState.FAILED, "could not import resources, nor roll back"),
    "DELETE_IN_PROGRESS": (StepState.RUNNING, "is being deleted"),
    "DELETE_FAILED": (StepState.FAILED, "could not be deleted"),
    "DELETE_COMPLETE": (StepState.NOT_STARTED, "was deleted"),
}
STACK_STATES = frozenset(_MEANINGS)


def step_state(status: str) -> StepState:
    """Where the launch step stands when its stack's status is `status`."""
    return _MEANINGS.get(status, (StepState.UNKNOWN, ""))[0]


def in_words(stack: Stack) -> str:
    """A stack's state as a sentence."""
    meaning = _MEANINGS.get(stack.status)
    if meaning is None:
        return f'stack {stack.name} is in the state "{stack.status}", which Podyard does not know'
    reason = f": {stack.status_reason}" if stack.status_reason else ""
    return f"stack {stack.name} {meaning[1]}{reason}"
