"""Ages, durations and times."""

from __future__ import annotations

import datetime

import pytest
from podyard.cli import times
from podyard.k8s_resource.v1 import objects_pb2

NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (192, "3m12s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (5 * 3600 + 600, "5h10m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (3 * 86400 + 4 * 3600, "3d4h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (800 * 86400, "2y70d"),
    ],
)
def test_human_durations_take_kubectls_steps(seconds: float, text: str) -> None:
    assert times.human_duration(seconds) == text


def test_ages_and_spans_of_unset_times_are_a_dash() -> None:
    job = objects_pb2.TrainingJob()
    assert times.age(job, "create_time", NOW) == "-"
    assert times.span(job, "start_time", "completion_time", NOW) == "-"
    assert times.local_time(job, "start_time") == "-"


def test_a_span_runs_until_now_while_it_has_no_end() -> None:
    job = objects_pb2.TrainingJob()
    job.start_time.FromDatetime(NOW - datetime.timedelta(minutes=5))
    assert times.span(job, "start_time", "completion_time", NOW) == "5m"
    job.completion_time.FromDatetime(NOW - datetime.timedelta(minutes=2))
    assert times.span(job, "start_time", "completion_time", NOW) == "3m"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("500ms", 0.5), ("1.5h", 5400)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert times.parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "10", "soon", "-5m", "5 m", "10m!", "9" * 30 + "d"])
def test_a_bad_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as|too long"):
        times.parse_duration(text)


def test_times_need_a_zone() -> None:
    assert times.parse_time("2026-01-31T15:04:05+02:00") == datetime.datetime(
        2026, 1, 31, 13, 4, 5, tzinfo=datetime.UTC
    )
    for text in ("2026-01-31T15:04:05", "yesterday", ""):
        with pytest.raises(ValueError, match="with a zone"):
            times.parse_time(text)


def test_log_times_keep_nanoseconds() -> None:
    assert times.nanosecond_time(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"
