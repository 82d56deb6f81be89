"""Messages of runs: rows put together from bytes, and values that messages cannot hold."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training_history.convert import duration_to_pb, run_to_pb, timestamp_to_pb
from services.training_history.domain.compaction import Compactor
from services.training_history.domain.model import Run, RunStatus
from services.training_history.run_messages import MAX_PAGE_BYTES, RunMessages

NOW = 1_700_000_000_000


def make_run(run_id: str, status: RunStatus, start_ms: int | None, size: int = 1) -> Run:
    return Compactor().run(
        run_id=run_id,
        experiment_id="1",
        run_name="name",
        status=status,
        start_ms=start_ms,
        end_ms=None if status.live else NOW,
        user="ana",
        artifact_uri="s3://bucket",
        metrics=[("loss", 0.5), ("nan", math.nan)],
        params=[("lr", "1e-5")],
        tags=[("model", "x" * size), ("mlflow.user", "ana")],
    )


@given(
    st.lists(
        st.builds(
            make_run,
            st.text(max_size=40),
            st.sampled_from(RunStatus),
            st.none() | st.integers(-(10**18), 10**18),
            st.integers(0, 20_000),
        ),
        max_size=5,
    )
)
def test_rows_equal_messages_filled_field_by_field(runs: list[Run]) -> None:
    messages = RunMessages(lambda _: "experiment")
    for _ in range(2):  # the second time from the kept rows
        page = messages.page(runs, NOW)
        assert len(page.runs) == len(runs)
        for row, run in zip(page.runs, runs, strict=True):
            expected = run_to_pb(run, "experiment")
            duration = duration_to_pb(run.duration_ms(NOW))
            if duration is not None:
                expected.duration.CopyFrom(duration)
            assert row.SerializeToString(deterministic=True) == expected.SerializeToString(
                deterministic=True
            )


def test_rows_follow_changes_of_run_and_experiment() -> None:
    names = {"1": "before"}
    messages = RunMessages(lambda experiment_id: names[experiment_id])
    running = make_run("a", RunStatus.RUNNING, NOW - 5000)
    (row,) = messages.page([running], NOW).runs
    assert (row.experiment_name, row.duration.ToMilliseconds()) == ("before", 5000)
    names["1"] = "after"
    (row,) = messages.page([running], NOW + 1).runs
    assert (row.experiment_name, row.duration.ToMilliseconds()) == ("after", 5001)
    (row,) = messages.page([make_run("a", RunStatus.FAILED, NOW - 7)], NOW).runs
    assert row.duration.ToMilliseconds() == 7


def test_page_ends_before_it_is_too_large_but_has_one_row() -> None:
    messages = RunMessages(lambda _: "")
    huge = [make_run(str(n), RunStatus.FAILED, NOW, MAX_PAGE_BYTES + 1) for n in range(2)]
    half = [make_run(str(n), RunStatus.FAILED, NOW, MAX_PAGE_BYTES // 2) for n in range(3)]
    assert len(messages.page(huge, NOW).runs) == 1
    assert len(messages.page(half, NOW).runs) == 1
    assert len(messages.page(half[:1] + huge, NOW).runs) == 1
    assert len(messages.page([], NOW).runs) == 0


@pytest.mark.parametrize("ms", [-62_135_596_800_000, -1, 0, 1, 999, NOW, 253_402_300_799_999])
def test_times_are_exact(ms: int) -> None:
    timestamp = timestamp_to_pb(ms)
    assert timestamp is not None
    assert timestamp.ToMilliseconds() == ms
    timestamp.ToJsonString()


@pytest.mark.parametrize("ms", [None, -62_135_596_800_001, 253_402_300_800_000, 10**18])
def test_times_that_no_timestamp_can_hold_are_left_out(ms: int | None) -> None:
    assert timestamp_to_pb(ms) is None


@pytest.mark.parametrize("ms", [0, 1, -1, -1001, 123_456_789, 400 * 86_400_000])
def test_durations_are_exact(ms: int) -> None:
    duration = duration_to_pb(ms)
    assert duration is not None
    assert duration.ToMilliseconds() == ms
    duration.ToJsonString()


def test_duration_that_no_message_can_hold_is_left_out() -> None:
    assert duration_to_pb(None) is None
    assert duration_to_pb(10**18) is None
