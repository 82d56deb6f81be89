"""Steps folded from reports."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.operations.follower import ProgressFollower
from services.common.operations.model import OperationError, OperationState, OperationStep
from services.common.operations.progress import report
from services.common.operations.steps import (
    Progress,
    Report,
    apply,
    ended,
    keep_times,
    parse_report,
    planned,
    started,
)

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
T1 = T0 + timedelta(seconds=1)
T2 = T0 + timedelta(seconds=2)
QUEUED, RUNNING = OperationState.QUEUED, OperationState.RUNNING
SUCCEEDED, FAILED = OperationState.SUCCEEDED, OperationState.FAILED
CANCELLED = OperationState.CANCELLED


def begun() -> Progress:
    return started(planned(["a", "b", "c"]), T0)


def states(steps: tuple[OperationStep, ...]) -> list[OperationState]:
    return [step.state for step in steps]


def test_a_program_starts_in_its_first_step() -> None:
    progress = begun()
    assert states(progress.steps) == [RUNNING, QUEUED, QUEUED]
    assert progress.steps[0].start_time == T0


def test_a_later_step_ends_the_ones_at_work_before_it() -> None:
    progress = apply(begun(), Report("b", "running", "busy"), T1)
    assert states(progress.steps) == [SUCCEEDED, RUNNING, QUEUED]
    assert progress.steps[0].end_time == T1
    assert (progress.steps[1].start_time, progress.steps[1].message) == (T1, "busy")


def test_a_message_stays_until_the_next() -> None:
    progress = apply(begun(), Report("a", "running", "busy"), T1)
    progress = apply(progress, Report("a", "succeeded"), T2)
    assert progress.steps[0] == OperationStep("a", SUCCEEDED, T0, T2, "busy")


def test_a_reported_time_counts_if_it_is_one() -> None:
    local = "2026-01-02T05:04:06+02:00"
    assert apply(begun(), Report("b", "running", time=local), T2).steps[1].start_time == datetime(
        2026, 1, 2, 3, 4, 6, tzinfo=UTC
    )
    outside = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00")
    for bad in ("2026-01-02T03:04:06", "yesterday", *outside):
        assert apply(begun(), Report("b", "running", time=bad), T2).steps[1].start_time == T2


def test_failure_is_kept_as_the_error() -> None:
    progress = apply(begun(), Report("a", "failed", "denied", "ACCESS"), T1)
    assert progress.error == OperationError("ACCESS", "denied")
    progress = apply(begun(), Report("a", "failed", "x" * 5000), T1)
    assert progress.error
    assert progress.error.reason == "STEP_FAILED"
    assert len(progress.error.message) == 1000


def test_unknown_steps_change_nothing() -> None:
    assert apply(begun(), Report("z", "failed"), T1) == begun()


@pytest.mark.parametrize(
    "line",
    [b"", b"text", b"{}", b'{"step": "a", "state": "queued"}', b'{"step": 1, "state": "failed"}',
     b'\xff\xfe', b'{"step": "a", "state": "running", "message": "\xff"}'],
)  # fmt: skip
def test_lines_that_are_no_reports(line: bytes) -> None:
    assert parse_report(line) is None


def test_silent_success_succeeds_in_all_steps() -> None:
    assert states(ended(begun(), SUCCEEDED, T1)) == [SUCCEEDED] * 3


def test_success_tells_which_steps_were_passed_over() -> None:
    steps = ended(apply(begun(), Report("b", "running"), T1), SUCCEEDED, T2)
    assert states(steps) == [SUCCEEDED, SUCCEEDED, CANCELLED]
    assert steps[2].message == "not run"


def test_failure_falls_on_the_step_at_work() -> None:
    steps = ended(apply(begun(), Report("b", "running", "busy"), T1), FAILED, T2, "exit 1")
    assert states(steps) == [SUCCEEDED, FAILED, CANCELLED]
    assert steps[1].message == "exit 1"


def test_cancel_keeps_what_the_step_was_doing() -> None:
    steps = ended(apply(begun(), Report("a", "running", "busy"), T1), CANCELLED, T2)
    assert states(steps) == [CANCELLED] * 3
    assert steps[0].message == "busy"


def test_recorded_times_stay() -> None:
    recorded = apply(begun(), Report("b", "running"), T1).steps
    read_again = apply(begun(), Report("b", "running"), T2)
    assert keep_times(read_again, recorded).steps == recorded
    further = apply(read_again, Report("b", "succeeded"), T2)
    assert keep_times(further, recorded).steps[1] == OperationStep("b", SUCCEEDED, T1, T2)


reports = st.lists(
    st.builds(
        Report,
        st.sampled_from(["a", "b", "c", "z"]),
        st.sampled_from(["running", "succeeded", "failed"]),
    )
)


@given(reports, st.sampled_from([SUCCEEDED, FAILED, CANCELLED]))
def test_nothing_is_left_at_work_whatever_is_reported(
    lines: list[Report], state: OperationState
) -> None:
    progress = begun()
    for line in lines:
        progress = apply(progress, line, T1)
    steps = ended(progress, state, T2)
    assert [step.name for step in steps] == ["a", "b", "c"]
    for step in steps:
        assert step.state.terminal
        assert (step.start_time is None) or (step.end_time is not None)
        if step.start_time and step.end_time:
            assert step.start_time <= step.end_time


def test_reports_are_read_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "progress.jsonl"
    follower = ProgressFollower(path, begun())
    follower.read()
    assert follower.progress == begun()
    monkeypatch.setenv("PODYARD_PROGRESS_FILE", str(path))
    report("a", "running", 'größer "als"\nzwei')
    follower.read()
    assert follower.progress.steps[0].message == 'größer "als"\nzwei'
    report("b", "failed", "denied", "ACCESS")
    follower.read()
    assert follower.progress.error == OperationError("ACCESS", "denied")


def test_half_written_and_endless_lines(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    follower = ProgressFollower(path, begun())
    line = json.dumps({"step": "b", "state": "running"}).encode()
    path.write_bytes(line[:10])
    follower.read()
    assert follower.progress == begun()
    path.write_bytes(line + b"\n")
    follower.read()
    assert states(follower.progress.steps) == [SUCCEEDED, RUNNING, QUEUED]
    with path.open("ab") as file:
        file.write(b"x" * 1_000_000)
    follower.read()
    with path.open("ab") as file:
        file.write(b'x\n{"step": "c", "state": "running"}\n')
    follower.read()
    assert states(follower.progress.steps) == [SUCCEEDED, SUCCEEDED, RUNNING]
