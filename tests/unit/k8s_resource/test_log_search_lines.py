"""Which lines match and which are shown around them, against a plain line-by-line search."""

from __future__ import annotations

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError
from services.k8s_resource.domain.logs.groups import Group, Grouper
from services.k8s_resource.domain.logs.log_scan import readable
from services.k8s_resource.domain.logs.matcher import LineMatcher, PatternOptions
from services.k8s_resource.domain.logs.raw_lines import Block, LineBlocks

STAMP = "2027-01-15T08:00:00.00000000%dZ "
PATTERNS = [
    "a",
    "^a",
    "a$",
    "^$",
    r"\Aa",
    r"b\z",
    "(?-m)b$",
    "[^a]",
    "^[^a]b",
    "a|^b",
    r"\bab",
    r"\Bb",
    "20",
    "Z a",
    r"\d+Z",
    "a*",
    "x?",
    "a.b",
    "a[^x]*b",
    "(?i)A",
    "(?s)a.*b",
    r"a\sb",
    "é",
    ".é.",
    "0Z",
]
TEXTS = st.lists(
    st.text(alphabet="ab Zé0-\r", max_size=6) | st.just("2027-01-15T08:00:00.000000001Z ab"),
    max_size=12,
)


def raw(texts: list[str]) -> bytes:
    return "".join(f"{STAMP % (n % 10)}{text}\n" for n, text in enumerate(texts)).encode()


@settings(max_examples=400)
@given(st.sampled_from(PATTERNS), TEXTS, st.booleans(), st.booleans())
@example("a[^x]*b", ["a", "b", "ab"], False, False)
@example("20", ["", "20"], False, False)
def test_a_block_is_searched_as_its_lines_are(
    pattern: str, texts: list[str], invert: bool, ignore_case: bool
) -> None:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    single = re2.compile(pattern, options)
    wanted = [n for n, text in enumerate(texts) if (single.search(text) is not None) != invert]
    matcher = LineMatcher(PatternOptions(pattern, ignore_case=ignore_case, invert=invert))
    assert matcher.matches(raw(texts)) == wanted


@given(st.text(alphabet="a.b*(Z", min_size=1, max_size=3), TEXTS)
def test_text_is_found_as_it_is(text: str, texts: list[str]) -> None:
    matcher = LineMatcher(PatternOptions(text, literal=True))
    assert matcher.matches(raw(texts)) == [n for n, line in enumerate(texts) if text in line]


def naive(lines: int, matches: list[int], before: int, after: int) -> list[int]:
    return [n for n in range(lines) if any(m - before <= n <= m + after for m in matches)]


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(1, 7), st.data()), max_size=6),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_groups_are_what_grep_shows(
    blocks: list[tuple[int, st.DataObject]], before: int, after: int
) -> None:
    grouper = Grouper(before, after)
    groups: list[Group] = []
    number = 0
    every_match: list[int] = []
    for count, data in blocks:
        matches = sorted(data.draw(st.sets(st.integers(0, count - 1), max_size=3)))
        block = Block(b"".join(b"%d\n" % n for n in range(number, number + count)), [0])
        every_match += [number + match for match in matches]
        groups += grouper.feed(block, matches)
        number += count
    shown = [int(line) for group in groups for line in group.lines]
    assert shown == naive(number, every_match, before, after)
    assert [g.first + m for g in groups for m in g.matches] == every_match
    for group in groups:
        assert [int(line) for line in group.lines] == list(range(group.first, group.end))
    starts = set(range(number)) & set(accumulated([count for count, _ in blocks]))
    cut = [g.first + index for g in groups for index in g.cut]
    assert cut == [n for n in shown if n in starts]
    pieces = [piece for group in groups for piece in group.by_match()]
    assert [piece.first + piece.matches[0] for piece in pieces] == every_match


def accumulated(counts: list[int]) -> list[int]:
    return [sum(counts[:index]) for index in range(len(counts))]


def test_places_in_a_line_are_in_characters() -> None:
    matcher = LineMatcher(PatternOptions("é+|b*"))
    assert matcher.spans("aéé€bbé") == [(1, 3), (4, 6), (6, 7)]
    assert LineMatcher(PatternOptions("a", invert=True)).spans("aaa") == []
    assert len(LineMatcher(PatternOptions("a")).spans("a" * 1000)) == 100


def test_what_is_not_utf8_matches_as_it_is_shown() -> None:
    block = readable((STAMP % 1).encode() + b"a\xffb \xe2\x82\n")
    assert LineMatcher(PatternOptions("a.b .$")).matches(block) == [0]


@given(st.binary(max_size=60).map(lambda data: data.replace(b"a", b"\n")), st.data())
def test_blocks_are_the_same_however_the_stream_is_cut(data: bytes, cuts: st.DataObject) -> None:
    blocks = LineBlocks(max_line_bytes=10)
    joined, cut, at, lines = b"", [], 0, 0
    while at < len(data):
        end = cuts.draw(st.integers(at + 1, len(data)))
        for block in blocks.feed(data[at:end]):
            cut += [lines + index for index in block.cut]
            joined += block.data
            lines += block.data.count(b"\n")
        at = end
    for block in blocks.finish():
        cut += [lines + index for index in block.cut]
        joined += block.data
    assert joined.count(b"\n") == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    # A line of one chunk is left as it is: chunks are smaller than the limit in use.
    for line, whole in zip(joined.split(b"\n"), data.split(b"\n"), strict=False):
        assert whole.startswith(line)
        assert len(line) >= min(len(whole), 7)
    assert len(cut) <= sum(len(line) > 10 for line in data.split(b"\n"))


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("a(b", "at character 2 "),
        ("a)b", "at character 2 "),
        (r"x\1", "at character 2 "),
        ("ab(?=c)", "at character 3 "),
        ("a[b", "at character 2 "),
        ("a**", "at character 2 "),
        ("(a{1000}){1000}", "pattern: "),
        ("a\nb", "must not contain a line end"),
        ("(?P<n", "at character 5 "),
    ],
)
def test_a_bad_pattern_is_refused_with_its_place(pattern: str, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^pattern: ") as caught:
        LineMatcher(PatternOptions(pattern))
    assert told in caught.value.message, caught.value.message
