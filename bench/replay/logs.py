"""Long logs, made beforehand: lines of 100 bytes, 1 µs apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

TEXT_BYTES = 100
_START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
_PER_SECOND = 1_000_000


def numbered(start: int, end: int, separator: str) -> Iterator[str]:
    """Lines with their times and line ends, from number `start` to before `end`."""
    for number in range(start, end):
        second, microsecond = divmod(number, _PER_SECOND)
        if number == start or not microsecond:
            moment = datetime.fromtimestamp(_START + second, UTC)
            prefix = f"{moment:%Y-%m-%dT%H:%M:%S}."
        text = f"line {number:09d} ".ljust(TEXT_BYTES, "x")
        yield f"{prefix}{microsecond:06d}000Z{separator}{text}\n"


def whole_log(lines: int) -> bytes:
    """So many lines as the API server sends them with timestamps."""
    return "".join(numbered(0, lines, " ")).encode()
