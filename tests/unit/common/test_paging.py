"""Tokens: what goes in comes out, and nothing else is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError
from services.common.paging import decode_token, encode_token, fingerprint

QUERY = fingerprint("pods", "default", "app=x")


@given(st.lists(st.text()), st.integers(-(2**63), 2**63 - 1))
def test_round_trip(keys: list[str], number: int) -> None:
    token = encode_token(QUERY, (keys, number))
    assert decode_token(token, QUERY, tuple[list[str], int]) == (keys, number)


def test_token_of_another_query_is_told_apart() -> None:
    token = encode_token(fingerprint("pods", "other", "app=x"), "position")
    with pytest.raises(InvalidArgumentError) as caught:
        decode_token(token, QUERY, str)
    assert caught.value.reason == "TOKEN_OF_ANOTHER_QUERY"
    assert caught.value.violations[0].field == "page_token"


def test_every_damaged_token_is_refused() -> None:
    token = encode_token(QUERY, "position")
    flipped = [
        token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :]
        for i in range(len(token) - 1)
    ]
    for bad in ("", "!", "=" * 9, token[:-4], "é", *flipped):
        with pytest.raises(InvalidArgumentError) as caught:
            decode_token(bad, QUERY, str, field="resume_token")
        assert caught.value.violations[0].field == "resume_token"


def test_token_with_a_position_of_another_shape_is_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        decode_token(encode_token(QUERY, {"a": 1}), QUERY, str)
