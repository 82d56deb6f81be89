"""The steps of an operation, from what its program reports. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import msgspec

from services.common.operations.model import OperationError, OperationState, OperationStep

Steps = tuple[OperationStep, ...]

MAX_MESSAGE = 1000
"""Characters kept of a step's message."""

NOT_RUN = "not run"
"""Message of a step that was passed over by an operation that succeeded."""


class Report(msgspec.Struct, frozen=True):
    """One line of a progress file, see `progress`."""

    step: str
    state: Literal["running", "succeeded", "failed"]
    message: str = ""
    reason: str = ""
    time: str = ""


_decoder = msgspec.json.Decoder(Report)


def parse_report(line: bytes) -> Report | None:
    """The report in a line; None if it is none."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps as reported so far. `error` is the last failure that was reported."""

    steps: Steps
    error: OperationError | None = None
    reported: bool = False


def planned(names: Iterable[str]) -> Steps:
    """Steps that have not begun."""
    return tuple(OperationStep(name) for name in names)


def started(steps: Steps, time: datetime) -> Progress:
    """A program has started, and has reported nothing: it is in its first step."""
    first = replace(steps[0], state=OperationState.RUNNING, start_time=time)
    return Progress((first, *steps[1:]))


def apply(progress: Progress, report: Report, now: datetime) -> Progress:
    """Progress after a report; the same if the report names no step of the plan.

    Steps run one after the other: when one begins, earlier ones that were at
    work have succeeded. The program's own time counts, if it is one.
    """
    names = [step.name for step in progress.steps]
    if report.step not in names:
        return progress
    index, time = names.index(report.step), _time(report.time, now)
    steps = list(progress.steps)
    for earlier in range(index):
        if steps[earlier].state is OperationState.RUNNING:
            steps[earlier] = replace(steps[earlier], state=OperationState.SUCCEEDED, end_time=time)
    state = OperationState(report.state)
    step = steps[index]
    steps[index] = replace(
        step,
        state=state,
        start_time=step.start_time or time,
        end_time=time if state.terminal else None,
        message=report.message[:MAX_MESSAGE] or step.message,
    )
    error = progress.error
    if state is OperationState.FAILED:
        error = OperationError(report.reason or "STEP_FAILED", report.message[:MAX_MESSAGE])
    return Progress(tuple(steps), error, reported=True)


def keep_times(progress: Progress, recorded: Steps) -> Progress:
    """Progress with the times that were recorded when it was seen first.

    A report without a time of its own is otherwise dated anew each time it is read.
    """
    steps = []
    for step, before in zip(progress.steps, recorded, strict=True):
        same = step.state is before.state
        steps.append(
            replace(
                step,
                start_time=(before.start_time or step.start_time) if step.start_time else None,
                end_time=before.end_time if same else step.end_time,
            )
        )
    return replace(progress, steps=tuple(steps))


def ended(progress: Progress, state: OperationState, time: datetime, message: str = "") -> Steps:
    """Steps of an operation that has ended: none is left at work or waiting.

    What was at work ends as the operation did, with `message` on failure. What
    was waiting is cancelled; when a program that reports nothing succeeds, so
    do all its steps.
    """
    silent_success = state is OperationState.SUCCEEDED and not progress.reported
    steps = []
    for step in progress.steps:
        if step.state.terminal:
            steps.append(step)
        elif step.state is OperationState.RUNNING:
            text = message[:MAX_MESSAGE] if state is OperationState.FAILED else step.message
            # Its beginning may have been seen only after the end.
            end = max(time, step.start_time or time)
            steps.append(replace(step, state=state, end_time=end, message=text))
        elif silent_success:
            steps.append(replace(step, state=state, end_time=time))
        else:
            passed_over = NOT_RUN if state is OperationState.SUCCEEDED else step.message
            steps.append(replace(step, state=OperationState.CANCELLED, message=passed_over))
    return tuple(steps)


def _time(text: str, now: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else now
    except (ValueError, OverflowError):  # no time, or one before the year 1 or after 9999 in UTC
        return now
