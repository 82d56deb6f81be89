"""Bytes of a log into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.k8s_resource.domain.logs.lines import Lines, LineSplitter, parse_stamp

SECOND = 1_000_000_000
T0 = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z


def split(data: bytes, sizes: list[int], limit: int = 1024) -> Lines:
    """All lines of `data`, fed in chunks of these sizes and then the rest."""
    splitter = LineSplitter(limit)
    texts: list[str] = []
    times: list[int] = []
    cut: list[int] = []

    def take(lines: Lines) -> None:
        assert len(lines.texts) == len(lines.times)
        cut.extend(len(texts) + index for index in lines.truncated)
        texts.extend(lines.texts)
        times.extend(lines.times)

    for size in sizes:
        take(splitter.feed(data[:size]))
        data = data[size:]
    take(splitter.feed(data))
    take(splitter.finish())
    return Lines(texts, times, cut)


@pytest.mark.parametrize(
    ("stamp", "nanoseconds"),
    [
        ("2026-01-01T00:00:00.000000001Z text", T0 + 1),
        ("2026-01-01T00:00:00Z text", T0),
        ("2026-01-01T00:00:00.5Z text", T0 + SECOND // 2),
        ("2026-01-01T02:00:00.000000000+02:00 text", T0),
        ("2025-12-31T19:30:00.000000000-04:30 text", T0),
        ("2026-01-01T00:00:00.000000000Z ", T0),
    ],
)
def test_times_in_every_form(stamp: str, nanoseconds: int) -> None:
    found = parse_stamp(stamp)
    assert found is not None
    assert found[0] == nanoseconds
    lines = split(stamp.encode() + b"\n", [])
    assert (lines.times, lines.texts) == ([nanoseconds], [stamp.partition(" ")[2]])


@pytest.mark.parametrize("text", ["", "no time", "2026-13-01T00:00:00Z x", "2026-01-01 00:00:00 x"])
def test_lines_without_a_time_keep_their_text(text: str) -> None:
    data = f"2026-01-01T00:00:07.000000000Z before\n{text}\n".encode()
    lines = split(data, [])
    assert lines.texts == ["before", text]
    assert lines.times == [T0 + 7 * SECOND] * 2


@given(
    st.lists(
        st.tuples(
            st.integers(0, 200 * SECOND),
            st.one_of(
                st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])),
                st.text("x\u00e9", min_size=40, max_size=60),
            ),
        ),
        max_size=30,
    ),
    st.lists(st.integers(0, 60), max_size=30),
)
def test_chunks_may_end_anywhere(lines: list[tuple[int, str]], sizes: list[int]) -> None:
    data = b"".join(
        f"2026-01-01T00:{ns // SECOND // 60:02}:{ns // SECOND % 60:02}.{ns % SECOND:09}Z {text}\n".encode()
        for ns, text in lines
    )
    limit = 50
    found = split(data, sizes, limit)
    assert found.times == [T0 + ns for ns, _ in lines]
    for index, (_, text) in enumerate(lines):
        raw = text.encode()
        if len(raw) <= limit:
            assert found.texts[index] == text
        else:
            kept = found.texts[index].encode()
            assert raw.startswith(kept)
            assert limit - 3 <= len(kept) <= limit
    assert found.truncated == [i for i, (_, t) in enumerate(lines) if len(t.encode()) > limit]


def test_invalid_utf8_becomes_the_replacement_character() -> None:
    lines = split(b"2026-01-01T00:00:00.000000000Z a\xffb\xe2\x82\n", [33])
    assert lines.texts == ["a\ufffdb\ufffd"]


def test_a_line_far_beyond_the_limit_is_not_kept_in_memory() -> None:
    splitter = LineSplitter(1000)
    splitter.feed(b"2026-01-01T00:00:00.000000000Z ")
    for _ in range(1000):
        splitter.feed(b"x" * 1000)
    assert sum(map(len, splitter._rest)) < 2000
    lines = splitter.feed(b"\n2026-01-01T00:00:01.000000000Z next\n")
    assert lines.texts == ["x" * 1000, "next"]
    assert lines.truncated == [0]


def test_the_last_line_without_an_end() -> None:
    splitter = LineSplitter()
    assert len(splitter.feed(b"2026-01-01T00:00:00.000000000Z cut sho")) == 0
    assert splitter.finish().texts == ["cut sho"]
    assert len(splitter.finish()) == 0


def test_part_moves_the_marks_of_cut_lines() -> None:
    part = Lines(list("abcd"), [1, 2, 3, 4], [0, 2]).part(1, 3)
    assert (part.texts, part.times, part.truncated) == (["b", "c"], [2, 3], [1])
