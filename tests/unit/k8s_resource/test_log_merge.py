"""One order of several containers' lines, and filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError
from services.k8s_resource.domain.logs.events import Mark, MarkType, Source, SourceLines
from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.merge import merged


def source(name: str) -> Source:
    return Source("default", name, "main", f"uid-{name}")


def run(name: str, *times: int) -> SourceLines:
    return SourceLines(source(name), Lines([f"{name}{time}" for time in times], list(times)))


def texts(events: list[Mark | SourceLines]) -> list[str]:
    return [
        text
        for event in events
        for text in (event.lines.texts if isinstance(event, SourceLines) else [event.type.name])
    ]


def test_lines_of_two_containers_are_interleaved() -> None:
    result = merged([run("a", 1, 4, 5), run("b", 2, 3, 6), run("a", 7)])
    assert texts(result) == ["a1", "b2", "b3", "a4", "a5", "b6", "a7"]
    assert len(result) == 5


def test_a_mark_stays_behind_the_lines_before_it() -> None:
    mark = Mark(MarkType.ENDED, 0, source("a"))
    result = merged([run("a", 9), mark, run("b", 1), run("a", 2)])
    assert texts(result) == ["b1", "a9", "ENDED", "a2"]


def test_cut_lines_are_still_marked() -> None:
    one = SourceLines(source("a"), Lines(["a1", "a3"], [1, 3], [1]))
    two = SourceLines(source("a"), Lines(["a4"], [4], [0]))
    result = merged([one, run("b", 2), two])
    cut = [
        e.lines.texts[i] for e in result if isinstance(e, SourceLines) for i in e.lines.truncated
    ]
    assert cut == ["a3", "a4"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 9), min_size=1, max_size=4)))
)
def test_no_container_is_reordered_and_nothing_is_lost(parts: list[tuple[str, list[int]]]) -> None:
    numbered = 0
    events: list[Mark | SourceLines] = []
    expected: dict[str, list[str]] = {}
    for name, times in parts:
        lines = Lines([f"{name} {numbered + i}" for i in range(len(times))], times)
        numbered += len(times)
        expected.setdefault(name, []).extend(lines.texts)
        events.append(SourceLines(source(name), lines))
    found: dict[str, list[str]] = {}
    for event in merged(events):
        assert isinstance(event, SourceLines)
        assert event.lines.texts
        found.setdefault(event.source.pod, []).extend(event.lines.texts)
    assert found == expected


def test_filters_keep_texts_times_and_cuts_together() -> None:
    lines = Lines(["keep 1", "drop", "keep 2", "keep not"], [1, 2, 3, 4], [2])
    kept = LineFilter(include="^keep", exclude="not$", since=0).apply(lines)
    assert (kept.texts, kept.times, kept.truncated) == (["keep 1", "keep 2"], [1, 3], [1])
    assert LineFilter().apply(lines) is lines
    assert LineFilter(since=3).apply(lines).texts == ["keep 2", "keep not"]


@pytest.mark.parametrize(("field", "pattern"), [("include", "a("), ("exclude", r"(?=x)")])
def test_what_re2_does_not_take_is_told(field: str, pattern: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^{field}: ") as caught:
        LineFilter(pattern if field == "include" else "", pattern if field == "exclude" else "")
    assert caught.value.violations[0].field == field
