"""Cutting bytes of UTF-8 text at characters."""

from __future__ import annotations

LONGEST_CHARACTER = 4


def whole_characters(data: bytes) -> int:
    """How many bytes of `data` end with a whole character.

    Only a character that the end cuts off is left out; invalid bytes count as
    characters, because they never become whole.
    """
    for back in range(1, min(LONGEST_CHARACTER, len(data) + 1)):
        lead = data[-back]
        if lead & 0b1100_0000 == 0b1000_0000:  # inside a character
            continue
        return len(data) - back if _length(lead) > back and _can_follow(data[-back:]) else len(data)
    return len(data)


def _length(lead: int) -> int:
    if 0xC2 <= lead <= 0xDF:
        return 2
    if 0xE0 <= lead <= 0xEF:
        return 3
    if 0xF0 <= lead <= 0xF4:
        return 4
    return 1


def _can_follow(start: bytes) -> bool:
    """Whether more bytes can make the beginning of a character valid."""
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def to_text(data: bytes) -> str:
    """Text with U+FFFD for what is not UTF-8."""
    return data.decode("utf-8", "replace")
