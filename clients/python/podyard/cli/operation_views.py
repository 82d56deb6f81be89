"""Operations as people read them."""

from __future__ import annotations

import datetime
import sys
from typing import Any

from podyard.cli import output
from podyard.cli.colors import colored, paint, state_color
from podyard.cli.tables import Column
from podyard.cli.times import MISSING, age, clock_time, local_time, span
from podyard.cli.words import enum_word

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


def operation_columns(now: datetime.datetime) -> list[Column[Any]]:
    """A table of operations."""
    return [
        Column("ID", lambda o: o.id),
        Column("KIND", lambda o: o.kind),
        Column("TARGET", lambda o: o.target, 3),
        Column("STATE", lambda o: enum_word(o, "state"), color=state_color),
        Column("DONE", lambda o: f"{o.progress_percent}%", 2, right=True),
        Column("DURATION", lambda o: span(o, "start_time", "end_time", now), 4),
        Column("AGE", lambda o: age(o, "create_time", now), 1),
        Column("ACTOR", lambda o: o.actor or MISSING, 5),
    ]


def print_operation(operation: Any) -> None:
    """One operation with its steps."""
    now = output.now()
    output.print_fields(
        [
            ("Operation", operation.id),
            ("Kind", operation.kind),
            ("Target", operation.target),
            ("State", enum_word(operation, "state")),
            ("Done", f"{operation.progress_percent}%"),
            ("Error", operation.error.message),
            ("Exit code", str(operation.exit_code) if operation.HasField("exit_code") else ""),
            ("Signal", str(operation.exit_signal) if operation.HasField("exit_signal") else ""),
            ("Accepted", local_time(operation, "create_time")),
            ("Began", _set(local_time(operation, "start_time"))),
            ("Ended", _set(local_time(operation, "end_time"))),
            ("Duration", _set(span(operation, "start_time", "end_time", now))),
            ("By", operation.actor),
            ("Log", operation.log_id),
            ("Recoveries", str(operation.recoveries or "")),
        ]
    )
    if operation.steps:
        print()
        output.print_table(_step_columns(now), list(operation.steps))


def operation_line(operation: Any) -> str:
    """One change of an operation as a line: when, which, where it stands."""
    word = enum_word(operation, "state")
    moment = "end_time" if operation.HasField("end_time") else "start_time"
    step = next((s for s in operation.steps if enum_word(s, "state") == "RUNNING"), None)
    detail = operation.error.message or (f"{step.name}: {step.message}" if step else "")
    state = word.ljust(10)
    if colored(sys.stdout):
        state = paint(state, state_color(word))
    text = (
        f"{clock_time(operation, moment):12}  {operation.id}  {state}  "
        f"{operation.progress_percent:3d}%  {detail.rstrip(': ')}"
    )
    return text.rstrip()


def outcome(operation: Any) -> str:
    """How an ended operation ended, in one line."""
    word = enum_word(operation, "state").lower()
    text = f"{operation.kind} of {operation.target} {word}"
    return f"{text}: {operation.error.message}" if operation.error.message else text


def _step_columns(now: datetime.datetime) -> list[Column[Any]]:
    return [
        Column("STEP", lambda s: s.name),
        Column("STATE", lambda s: enum_word(s, "state"), color=state_color),
        Column("DURATION", lambda s: span(s, "start_time", "end_time", now), 2),
        Column("MESSAGE", lambda s: s.message or MISSING, 1),
    ]


def _set(text: str) -> str:
    return "" if text == MISSING else text
