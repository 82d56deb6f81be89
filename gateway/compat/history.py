"""The training history as the panel's table reads it: all of it in one answer."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.duration_pb2 import Duration
from podyard.training_history.v1 import training_history_service_pb2 as pb

from gateway.compat.calls import CallsOfRequest
from gateway.compat.status import time_to_json
from gateway.problems import HTTP_STATUS, Problem, ProblemError
from services.common.errors import UnavailableError

SERVICE = "TrainingHistoryService"
_PAGE = 1000
_DAY = 86_400


async def list_runs(calls: CallsOfRequest) -> list[dict[str, Any]]:
    """Every run, newest first. A run that moves between two pages is there once."""
    rows: dict[str, dict[str, Any]] = {}
    token = ""
    while True:
        page = await calls(
            f"{SERVICE}/ListRuns",
            pb.ListRunsRequest(page_size=_PAGE, page_token=token),
            pb.ListRunsResponse,
        )
        for run in page.runs:
            rows.setdefault(run.run_id, run_to_json(run))
        token = page.next_page_token
        if not token:
            return list(rows.values())


async def delete_run(calls: CallsOfRequest, run_id: str) -> None:
    """Delete one run; ProblemError saying why it is not deleted."""
    answer = await calls(
        f"{SERVICE}/DeleteRuns", pb.DeleteRunsRequest(run_ids=[run_id]), pb.DeleteRunsResponse
    )
    result = answer.results[0] if answer.results else pb.DeleteRunResult()
    if result.deleted:
        return
    if not result.HasField("error"):
        raise UnavailableError(f'run "{run_id}" is not deleted; try again')
    problem = Problem(500, result.error)
    raise ProblemError(Problem(HTTP_STATUS.get(problem.code, 500), result.error))


def run_to_json(run: pb.Run) -> dict[str, Any]:
    """One row."""
    return {
        "experiment_name": run.experiment_name,
        "experiment_id": run.experiment_id,
        "run_name": run.run_name,
        "run_id": run.run_id,
        "status": pb.RunStatus.Name(run.status).removeprefix("RUN_STATUS_"),
        "start_time": time_to_json(run, "start_time"),
        "end_time": time_to_json(run, "end_time"),
        "duration": duration_text(run.duration) if run.HasField("duration") else "",
        # JSON has no NaN and no infinity.
        "metrics": {
            key: value if math.isfinite(value) else None for key, value in run.metrics.items()
        },
        "params": dict(run.params),
        "tags": dict(run.tags),
    }


def duration_text(duration: Duration) -> str:
    """As pandas writes a Timedelta: "0 days 00:45:30.123456"; the fraction only if there is one."""
    microseconds = duration.ToMicroseconds()
    seconds, fraction = divmod(microseconds, 1_000_000)
    days, seconds = divmod(seconds, _DAY)
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    sign = "+" if days < 0 else ""
    return f"{days} days {sign}{time}" + (f".{fraction:06}" if fraction else "")
