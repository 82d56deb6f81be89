"""A long log as the API server sends it with timestamps, made in memory beforehand."""

from __future__ import annotations

from datetime import UTC, datetime

TEXT_BYTES = 100


def whole_log(lines: int) -> bytes:
    """So many lines of 100 bytes, 1 µs apart, with their numbers and their times before them."""
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    pieces = []
    for second in range(lines // 1_000_000 + 1):
        moment = datetime.fromtimestamp(start + second, UTC)
        prefix = f"{moment:%Y-%m-%dT%H:%M:%S}."
        pieces += [
            f"{prefix}{microsecond:06d}000Z {_text(second * 1_000_000 + microsecond)}\n"
            for microsecond in range(min(1_000_000, lines - second * 1_000_000))
        ]
    return "".join(pieces).encode()


def _text(number: int) -> str:
    return f"line {number:09d} ".ljust(TEXT_BYTES, "x")
