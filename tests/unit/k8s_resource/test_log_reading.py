"""A log is read once and whole through breaks of its source, or its reading fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import ConflictError, NotFoundError, PodyardError, UnavailableError
from services.k8s_resource.domain.logs import reading
from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.library import WHOLE as WHOLE_LOG
from services.k8s_resource.domain.logs.library import ReadStart, RunLog
from services.k8s_resource.domain.logs.raw_lines import stamp_length, time_of
from services.k8s_resource.domain.logs.reading import LogAddress, read_log
from services.k8s_resource.domain.logs.text_stream import TextStream

START = 1_800_000_000


def line(number: int, text: bytes = b"", second: int | None = None) -> bytes:
    second = number if second is None else second
    return b"2027-01-15T08:%02d:%02d.%09dZ %b\n" % (second // 60, second % 60, number, text)


class Faulty:
    """A log of which each opening in turn breaks after so many bytes, by an error or an end."""

    def __init__(self, lines: list[bytes], *breaks: tuple[int, PodyardError | None]) -> None:
        self.lines = lines
        self.breaks = list(breaks)
        self.opened: list[ReadStart] = []
        self.grows: list[bytes] = []

    @asynccontextmanager
    async def open(self, _connection: Any, _log: Any, start: ReadStart) -> AsyncIterator[Any]:
        since = (start.since_second or 0) * 1_000_000_000
        data = b"".join([each for each in self.lines if (time_of(each) or 0) >= since])
        if start.tail is not None:
            data = b"".join(self.lines[-start.tail :])
        if start.tail != 1:
            self.opened.append(start)
            if self.breaks:
                try:
                    yield _Stream(data, *self.breaks.pop(0))
                finally:
                    self.lines, self.grows = self.lines + self.grows, []
                return
        yield _Stream(data, len(data), None)


class _Stream:
    def __init__(self, data: bytes, end: int, error: PodyardError | None) -> None:
        self.data, self.end, self.error = data, end, error

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, self.end, 37):
            yield self.data[at : min(at + 37, self.end)]
        if self.error is not None:
            raise self.error


def address(library: Any) -> LogAddress:
    return LogAddress(library, cast(Any, None), RunLog(Source("s", "p", "c", "u"), 0))


async def read(library: Any, start: ReadStart = WHOLE_LOG, **rest: Any) -> bytes:
    return b"".join([chunk async for chunk in read_log(address(library), start, **rest)])


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FIRST_PAUSE_SECONDS", 0.001)


LINES = [line(n, b"text %d" % n) for n in range(20)]
WHOLE = b"".join(LINES)
BROKEN = UnavailableError("broken")


@pytest.mark.parametrize("at", [0, 1, 30, 31, 45, 300, len(WHOLE) - 1, len(WHOLE)])
@pytest.mark.parametrize("error", [BROKEN, None])
async def test_a_break_or_a_silent_end_is_gone_on_from(at: int, error: PodyardError | None) -> None:
    if error is None and len(WHOLE) - len(LINES[-1]) < at:
        at = len(WHOLE) - len(LINES[-1])  # The end is known by the time of the last line.
    library = Faulty(list(LINES), (at, error), (min(at + 100, len(WHOLE)), BROKEN))
    assert await read(library) == WHOLE


@pytest.mark.parametrize("at", [0, 20, 100])
async def test_the_last_lines_stay_those_of_the_beginning(at: int) -> None:
    library = Faulty(list(LINES), (at, BROKEN))
    library.grows = [line(n, b"new") for n in range(20, 25)] if at > 64 else []
    assert await read(library, ReadStart(tail=5)) == b"".join(library.lines[15:])


async def test_a_log_that_grew_is_read_to_its_new_end() -> None:
    library = Faulty(list(LINES), (100, BROKEN))
    library.grows = [line(21, b"new")]
    assert await read(library) == WHOLE + line(21, b"new")


async def test_a_rotated_log_is_an_error_and_no_shorter_log() -> None:
    library = Faulty(list(LINES), (400, BROKEN))

    async def rotate() -> None:
        async for _ in read_log(address(library)):
            library.lines = [line(n, b"other") for n in range(5, 30)]

    with pytest.raises(ConflictError, match="was rotated or cut while it was read"):
        await rotate()


async def test_a_log_that_cannot_be_read_fails() -> None:
    with pytest.raises(UnavailableError, match="broken"):
        await read(Faulty(LINES, *[(0, BROKEN)] * 1000), opening_patience=0.05)
    with pytest.raises(UnavailableError, match="ended before its last line"):
        await read(Faulty(LINES, *[(99, None)] * 1000), patience=0.05)
    with pytest.raises(NotFoundError):
        await read(Faulty(LINES, (99, NotFoundError("pod", "p"))))


async def test_an_empty_log_and_one_without_times() -> None:
    assert await read(Faulty([])) == b""
    assert await read(Faulty([b"unable to retrieve container logs\n"], (5, BROKEN))) == (
        b"unable to retrieve container logs\n"
    )


TEXTS = st.lists(
    st.binary(max_size=80).map(lambda text: text.replace(b"\n", b"\r"))
    | st.just(line(3, b"x")[:-1]),
    max_size=8,
)


@settings(max_examples=300)
@given(TEXTS, st.booleans(), st.booleans(), st.data())
def test_text_is_untouched_however_the_stream_is_cut(
    texts: list[bytes], timestamps: bool, ended: bool, cuts: st.DataObject
) -> None:
    raw = b"".join(line(n, text) for n, text in enumerate(texts))
    plain = raw if timestamps else b"".join(text + b"\n" for text in texts)
    if not ended:
        raw, plain = raw[:-1], plain[:-1]
    assert pieces(TextStream(timestamps=timestamps), raw, cuts) == plain


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=90)), max_size=10),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.data(),
)
def test_only_lines_of_the_window(
    lines: list[tuple[int, bytes]], since: int | None, until: int | None, cuts: st.DataObject
) -> None:
    # Times within a second of each other, in any order: as stdout and stderr may be.
    made = [
        b"2027-01-15T08:00:00.%d00000000Z %b\n" % (tenth, text.replace(b"\n", b"n"))
        for tenth, text in lines
    ]
    wanted = [
        each
        for each, (tenth, _) in zip(made, lines, strict=True)
        if (since is None or tenth >= since) and (until is None or tenth < until)
    ]
    stream = TextStream(
        timestamps=True,
        since=None if since is None else START * 10**9 + since * 10**8,
        until=None if until is None else START * 10**9 + until * 10**8,
    )
    assert pieces(stream, b"".join(made), cuts) == b"".join(wanted)


def pieces(stream: TextStream, raw: bytes, cuts: st.DataObject) -> bytes:
    result, at = b"", 0
    while at < len(raw):
        end = cuts.draw(st.integers(at + 1, len(raw)))
        result += stream.feed(raw[at:end])
        at = end
    return result + stream.finish()


@pytest.mark.parametrize(
    ("text", "time", "length"),
    [
        (b"2027-01-15T08:00:00.000000005Z x", START * 10**9 + 5, 31),
        (b"2027-01-15T10:00:00.5+02:00 x", START * 10**9 + 5 * 10**8, 28),
        (b"2027-01-15T08:00:00Z ", START * 10**9, 21),
        (b"no time at all", None, 0),
        (b"", None, 0),
        (b"9999-99-99T99:99:99.000000000Z x", None, 31),
    ],
)
def test_times_of_raw_lines(text: bytes, time: int | None, length: int) -> None:
    assert (time_of(text), stamp_length(text)) == (time, length)
