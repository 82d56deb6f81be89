"""The checks of the soak rounds can fail: each is fed a stream with one fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.soak.watch_guarantees import (
    CoalescedCheck,
    Revision,
    Seen,
    StreamCheck,
    by_guarantee,
    transitions,
    written,
)

A, B = ("d", "a"), ("d", "b")


def content(text: str, color: str = "red") -> dict[str, Any]:
    return {"text": text, "color": color}


TRUTH = [
    Revision(1, A, content("a1")),
    Revision(2, B, content("b2")),
    Revision(3, A, content("a3")),
    Revision(5, B, None),
    Revision(6, A, content("a6")),
    Revision(7, B, content("b7", "blue")),
    Revision(8, B, content("b8")),
    Revision(9, A, content("a9", "blue")),
]
EXPECTED = transitions(TRUTH, lambda _, each: each["color"] == "red")


def seen(*versions: int) -> list[Seen]:
    by_version = {each.version: each for each in EXPECTED}
    return [
        Seen(each.type, each.key, each.version, each.content)
        for each in (by_version[version] for version in versions)
    ]


def state(**objects: int) -> list[Seen]:
    """A state of objects by name, with the content of that version."""
    contents = {revision.version: revision.content for revision in TRUTH}
    return [
        *(Seen("ADDED", ("d", name), v, contents[v]) for name, v in objects.items()),
        Seen("SYNCED"),
    ]


def checked(events: Sequence[Seen], upto: int = 9) -> StreamCheck:
    check = StreamCheck(EXPECTED, written(TRUTH))
    for event in events:
        check.take(event)
    check.finish(upto)
    return check


def test_a_selector_decides_what_is_to_be_seen() -> None:
    assert [(each.version, each.type, each.key[1]) for each in EXPECTED] == [
        (1, "ADDED", "a"), (2, "ADDED", "b"), (3, "MODIFIED", "a"), (5, "DELETED", "b"),
        (6, "MODIFIED", "a"), (8, "ADDED", "b"), (9, "DELETED", "a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "events",
    [
        [Seen("SYNCED"), *seen(1, 2, 3, 5, 6, 8, 9)],
        [*state(a=1, b=2), *seen(3, 5, 6, 8, 9)],
        [*state(a=3), *seen(6, 8, 9)],
        [*state(a=1, b=2), *seen(3), Seen("RELISTED"), *state(a=6), *seen(8, 9)],
        [*state(a=1), *seen(2), Seen("GAP", gap=(2, 6)), Seen("DELETED", B, 2),
         Seen("MODIFIED", A, 6, content("a6")), Seen("BOOKMARK"), *seen(8, 9)],
        [*state(a=1, b=2), Seen("GAP", gap=(2, 3)), *seen(3), Seen("BOOKMARK"), *seen(5, 6, 8, 9)],
        [*state(a=1, b=2), Seen("GAP", gap=(2, 3)), *seen(3, 5, 6, 8, 9)],
    ],
)  # fmt: skip
def test_correct_streams_pass(events: list[Seen]) -> None:
    assert checked(events).violations == []


@pytest.mark.parametrize(
    ("events", "guarantee", "counted"),
    [
        ([*state(a=1, b=2), *seen(3, 6, 8, 9)], "reliable", "lost"),
        ([*state(a=1, b=2), *seen(3, 5, 6, 8)], "reliable", "lost"),
        ([*state(a=1, b=2), *seen(3, 3, 5, 6, 8, 9)], "unique", "repeated"),
        ([*state(a=1, b=2), *seen(3, 5, 5, 6, 8, 9)], "unique", "repeated"),
        ([*state(a=1, b=2), *seen(5, 3, 6, 8, 9)], "ordered", "out_of_order"),
        ([*state(a=1, b=2), Seen("MODIFIED", A, 3, content("a6")), *seen(5, 6, 8, 9)], "atomic", "torn"),
        ([*state(a=1, b=2), Seen("MODIFIED", A, 4), *seen(5, 6, 8, 9)], "reliable", "lost"),
        ([*state(a=6, b=2), *seen(8, 9)], "atomic", None),
        ([*state(a=3), *seen(6), Seen("RELISTED"), *state(a=3), *seen(6, 8, 9)], "atomic", None),
        ([*state(a=1, b=2), Seen("GAP", gap=(2, 6)), *seen(6), Seen("BOOKMARK"), *seen(8, 9)], "reliable", None),
        ([*state(a=1, b=2), *seen(3), Seen("ADDED", A, 3, content("a3")), *seen(5, 6, 8, 9)], "reliable", None),
        ([*state(a=1, b=2)[:-1]], "reliable", None),
    ],
)  # fmt: skip
def test_faulty_streams_fail(events: list[Seen], guarantee: str, counted: str | None) -> None:
    check = checked(events)
    assert guarantee in by_guarantee(check.violations)
    if counted is not None:
        assert getattr(check.counts, counted) == 1


def test_a_state_that_comes_again_may_be_either() -> None:
    truth = [*TRUTH[:1], Revision(2, B, content("b2")), Revision(3, B, None), *TRUTH[4:]]
    expected = transitions(truth, lambda _, each: each["color"] == "red")
    for versions in ((2, 3, 6, 8, 9), (6, 8, 9)):
        check = StreamCheck(expected, written(truth))
        for event in state(a=1):
            check.take(event)
        for transition in expected:
            if transition.version in versions:
                check.take(Seen(transition.type, transition.key, transition.version))
        check.finish(9)
        assert check.violations == []


def test_what_a_told_gap_hides_is_counted_apart() -> None:
    events = [
        *state(a=1, b=2), Seen("GAP", gap=(2, 6)), Seen("DELETED", B, 2),
        Seen("MODIFIED", A, 6, content("a6")), Seen("BOOKMARK"), *seen(8, 9),
    ]  # fmt: skip
    counts = checked(events).counts
    assert (counts.gaps, counts.hidden, counts.lost) == (1, 1, 0)


def test_a_resumed_stream_is_checked_from_its_place() -> None:
    check = StreamCheck(EXPECTED, written(TRUTH))
    for event in [*state(a=1, b=2), *seen(3)]:
        check.take(event)
    resumed, repeating, losing = check.copy(), check.copy(), check.copy()
    for event in seen(5, 6, 8, 9):
        resumed.take(event)
    for event in seen(3, 5, 6, 8, 9):
        repeating.take(event)
    for event in seen(6, 8, 9):
        losing.take(event)
    for each in (resumed, repeating, losing):
        each.finish(9)
    assert resumed.violations == []
    assert by_guarantee(repeating.violations) == {"unique": 1}
    assert by_guarantee(losing.violations) == {"reliable": 1}


def coalesced(events: Sequence[Seen]) -> CoalescedCheck:
    check = CoalescedCheck(EXPECTED, written(TRUTH))
    for event in events:
        check.take(event)
    check.finish(9)
    return check


def test_newest_states_may_leave_out_what_came_between() -> None:
    assert coalesced([*state(a=1), *seen(6), *seen(8, 9)]).violations == []
    last = Seen("DELETED", A, 9, content("a9", "blue"))
    assert coalesced([*state(a=1), *seen(8), last]).violations == []


@pytest.mark.parametrize(
    ("events", "guarantee"),
    [
        ([*state(a=1), *seen(8)], "reliable"),
        ([*state(a=1), *seen(8), *seen(6), *seen(9)], "ordered"),
        ([*state(a=1), *seen(6), *seen(6), *seen(8, 9)], "unique"),
        ([*state(a=1), *seen(8, 8, 9)], "unique"),
        ([*state(a=1), Seen("MODIFIED", A, 6, content("a3")), *seen(8, 9)], "atomic"),
    ],
)
def test_faulty_streams_of_newest_states_fail(events: list[Seen], guarantee: str) -> None:
    assert guarantee in by_guarantee(coalesced(events).violations)
