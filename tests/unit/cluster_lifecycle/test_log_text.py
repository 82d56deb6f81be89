"""Cutting logs at characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.cluster_lifecycle.domain.log_text import to_text, whole_characters


@given(st.text(), st.integers(0, 20))
def test_text_cut_anywhere_joins_again(text: str, position: int) -> None:
    data = (
        text.encode("utf-8", "surrogatepass")
        if text.isprintable()
        else text.encode("utf-8", "replace")
    )
    first = data[:position]
    cut = whole_characters(first)
    assert to_text(data[:cut]) + to_text(data[cut:]) == to_text(data)
    assert len(first) - cut < 4


@given(st.binary())
def test_any_bytes_are_read_in_pieces_as_in_one(data: bytes) -> None:
    pieces, offset = [], 0
    while offset < len(data):
        chunk = data[offset : offset + 5]
        cut = whole_characters(chunk) if offset + 5 < len(data) else len(chunk)
        assert cut > 0
        pieces.append(to_text(chunk[:cut]))
        offset += cut
    assert "".join(pieces) == to_text(data)


def test_an_invalid_end_is_not_waited_for() -> None:
    assert whole_characters(b"abc\xff") == 4
    assert whole_characters(b"abc\x80\x80") == 5
    assert whole_characters(b"abc\xe2\x82") == 3
    assert whole_characters(b"abc\xed\xa0") == 5  # a surrogate: never valid
    assert whole_characters(b"") == 0
