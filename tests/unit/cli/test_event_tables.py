"""Events at the width of a terminal."""

from __future__ import annotations

import datetime

from podyard.cli import kinds, resource_tables
from podyard.cli.tables import layout
from podyard.k8s_resource.v1 import events_pb2

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def event() -> events_pb2.Event:
    found = events_pb2.Event(
        type="Warning", reason="FailedScheduling", message="0/3 nodes are available: " * 9, count=40
    )
    found.involved_object.kind = "Pod"
    found.involved_object.name = "llama3-70b-sft-pods-0"
    found.last_seen_time.FromDatetime(NOW - datetime.timedelta(seconds=95))
    return found


def test_80_columns_show_when_why_what_and_the_message() -> None:
    columns = resource_tables.event_columns(NOW)
    table = layout(columns, [event()], width=80, colored=False)
    assert all(len(line) <= 80 for line in table.lines)
    assert table.lines[0].split() == ["SEEN", "REASON", "OBJECT", "MESSAGE"]
    assert table.lines[1].startswith("95s   FailedScheduling  pod/llama3-70b-sft-pods-0  0/3 nodes")
    wide = layout(columns, [event()], width=None, colored=False)
    assert not wide.hidden
    assert "40" in wide.lines[1].split()


def test_kinds_as_people_write_them() -> None:
    for given in ("po", "pod", "Pods", "v1/Pod", "pods."):
        assert kinds.is_kind(given, "Pod")
    assert kinds.is_kind("hyperpodpytorchjobs.sagemaker.amazonaws.com", "HyperPodPyTorchJob")
    assert kinds.is_kind("networkpolicies", "NetworkPolicy")
    assert not kinds.is_kind("job", "Pod")
