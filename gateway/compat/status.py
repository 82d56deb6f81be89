"""Where the steps stand, in the panel's words; pure."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from podyard.cluster_lifecycle.v1 import cluster_pb2 as pb
from podyard.common.v1 import operation_pb2

_LAUNCH_WORDS = {
    pb.STEP_STATE_NOT_STARTED: "not_started",
    pb.STEP_STATE_RUNNING: "running",
    pb.STEP_STATE_PARTIAL: "running",
    pb.STEP_STATE_COMPLETED: "completed",
    pb.STEP_STATE_FAILED: "failed",
}
_CONFIGURE_WORDS = {
    pb.STEP_STATE_NOT_STARTED: "not_started",
    pb.STEP_STATE_RUNNING: "partial",
    pb.STEP_STATE_PARTIAL: "partial",
    pb.STEP_STATE_COMPLETED: "completed",
}
_CHECK_WORDS = {
    pb.CHECK_STATE_READY: "ready",
    pb.CHECK_STATE_PENDING: "pending",
    pb.CHECK_STATE_MISSING: "missing",
}
_OPERATION_WORDS = {
    operation_pb2.OPERATION_STATE_SUCCEEDED: "completed",
    operation_pb2.OPERATION_STATE_FAILED: "failed",
    operation_pb2.OPERATION_STATE_CANCELLED: "cancelled",
}

_NO_CLUSTER = "there is no cluster yet; save a configuration first"


def launch_to_json(status: pb.LaunchStatus) -> dict[str, Any]:
    """`data` of step1-status."""
    word = _LAUNCH_WORDS.get(status.state, "error")
    # The panel enables its button again when it hears "not_started".
    if word == "not_started" and status.HasField("operation") and unfinished(status.operation):
        word = "running"
    return {
        "status": word,
        "message": status.message,
        "stackName": status.stack_name,
        "stackStatus": status.stack_status,
        "details": {
            "creationTime": time_to_json(status, "create_time"),
            "lastUpdatedTime": time_to_json(status, "update_time"),
            "outputs": [
                {"OutputKey": key, "OutputValue": status.outputs[key]}
                for key in sorted(status.outputs)
            ],
        },
    }


def outdated(status: pb.LaunchStatus) -> bool:
    """Whether the launch succeeded while the last look at the stack, seconds ago, saw none."""
    succeeded = operation_pb2.OPERATION_STATE_SUCCEEDED
    return status.state == pb.STEP_STATE_NOT_STARTED and status.operation.state == succeeded


def no_launch() -> dict[str, Any]:
    """`data` of step1-status before there is any cluster."""
    return {
        **launch_to_json(pb.LaunchStatus(state=pb.STEP_STATE_NOT_STARTED)),
        "message": _NO_CLUSTER,
    }


def configure_to_json(status: pb.ConfigureStatus) -> dict[str, Any]:
    """`data` of step2-status."""
    checks = [
        {
            "name": check.name,
            "status": _CHECK_WORDS.get(check.state, "error"),
            "message": check.message,
        }
        for check in status.checks
    ]
    count = {
        word: sum(check["status"] == word for check in checks)
        for word in ("ready", "pending", "error", "missing")
    }
    return {
        "status": _CONFIGURE_WORDS.get(status.state, "error"),
        "message": status.message,
        "summary": {"total": len(checks), **count},
        "checks": checks,
        "details": {"checkTime": time_to_json(status, "check_time")},
    }


def no_configure() -> dict[str, Any]:
    """`data` of step2-status before there is any cluster."""
    status = pb.ConfigureStatus(state=pb.STEP_STATE_NOT_STARTED)
    return {**configure_to_json(status), "message": _NO_CLUSTER}


def operation_word(operation: operation_pb2.Operation) -> str:
    """The state of an operation, as the panel shows it beside its log."""
    return _OPERATION_WORDS.get(operation.state, "running")


def unfinished(operation: operation_pb2.Operation) -> bool:
    """Whether the operation is still to end."""
    return operation.state not in _OPERATION_WORDS


def time_to_json(message: Any, field: str) -> str | None:
    """A time with milliseconds, "2025-08-18T00:30:49.000Z"; None if it is unset."""
    if not message.HasField(field):
        return None
    time: Timestamp = getattr(message, field)
    return time.ToDatetime().isoformat(timespec="milliseconds") + "Z"
