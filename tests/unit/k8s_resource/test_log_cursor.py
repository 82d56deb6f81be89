"""Finding one's place in a log again: exactly once, whatever the times are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.k8s_resource.domain.logs.cursor import Cursor, Gate, advance
from services.k8s_resource.domain.logs.lines import Lines

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

# Steps between lines, and how much earlier than its place a line may be stamped: stdout and
# stderr are stamped by different threads.
steps = st.sampled_from([0, 0, 0, 1, 1000, 10**6, 10**8, 3 * 10**8, SECOND, 5 * SECOND])
lateness = st.sampled_from([0, 0, 0, 0, 1, 10**6, 2 * 10**8])


def file_of(moves: list[tuple[int, int]]) -> Lines:
    now, times = START, []
    for step, late in moves:
        now += step
        times.append(now - late)
    return Lines([f"line {i}" for i in range(len(times))], times)


def kubernetes_reads(file: Lines, cursor: Cursor | None) -> Lines:
    """What the kubelet gives from `sinceTime` on, which has whole seconds only."""
    since = cursor.since_second * SECOND if cursor else 0
    chosen = [i for i, time in enumerate(file.times) if time >= since]
    return Lines([file.texts[i] for i in chosen], [file.times[i] for i in chosen])


@settings(max_examples=300)
@given(
    st.lists(st.tuples(steps, lateness), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 20)), max_size=12),
)
def test_each_line_once_through_any_cuts(
    moves: list[tuple[int, int]], cuts: list[tuple[int, int]]
) -> None:
    file = file_of(moves)
    got: list[str] = []
    cursor: Cursor | None = None
    for stop, chunk in [*cuts, (len(file), 7)]:
        seen = kubernetes_reads(file, cursor)
        gate = Gate(cursor)
        end = min(stop, len(seen))
        for at in range(0, end, chunk):
            lines = gate.take(seen.part(at, min(at + chunk, end)))
            got += lines.texts
            cursor = advance(cursor, lines.times)
    assert got == file.texts


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 1000, 10**8, SECOND]), st.just(0)), min_size=2, max_size=40
    ),
    st.data(),
)
def test_after_a_start_with_the_last_lines_only(
    moves: list[tuple[int, int]], data: st.DataObject
) -> None:
    file = file_of(moves)
    first = data.draw(st.integers(0, len(file) - 1))
    last = data.draw(st.integers(first + 1, len(file)))
    cursor = advance(None, file.times[first:last], complete=False)
    gate = Gate(cursor)
    rest = gate.take(kubernetes_reads(file, cursor))
    assert rest.texts == file.texts[last:]


def test_a_rotated_file_that_lost_the_place_is_noticed() -> None:
    file = file_of([(10**6, 0)] * 20)
    cursor = advance(None, file.times[:8])
    gate = Gate(cursor)
    assert gate.take(file.part(12)).texts == file.texts[12:]
    assert gate.passing
    assert not gate.found


def test_a_rotated_file_that_still_has_the_place() -> None:
    file = file_of([(10**6, 0)] * 20)
    cursor = advance(None, file.times[:8])
    gate = Gate(cursor)
    assert gate.take(file.part(3)).texts == file.texts[8:]
    assert gate.found
    assert not gate.counting


def test_nothing_new_lets_nothing_through() -> None:
    file = file_of([(10**6, 0)] * 5)
    gate = Gate(advance(None, file.times))
    assert gate.take(file).texts == []
    assert gate.take(Lines(["new"], [file.times[-1]])).texts == ["new"]
