"""Resume tokens of log streams."""

from __future__ import annotations

import uuid

import pytest

from services.common.errors import InvalidArgumentError
from services.common.paging import encode_token, fingerprint
from services.k8s_resource.domain.logs.cursor import advance
from services.k8s_resource.domain.logs.position import (
    ContainerPosition,
    PositionBook,
    TailPosition,
    read_token,
    write_token,
)

QUERY = fingerprint("a query")
S = 1_000_000_000


def position(count: int) -> TailPosition:
    containers = [
        ContainerPosition(
            str(uuid.uuid4()),
            f"worker-{number}",
            "main",
            run=number % 3,
            cursor=advance(None, [1_700_000_000 * S + number, 1_700_000_001 * S + 5]),
            whole=number % 2 == 0,
            told_end=number % 4 == 0,
            initial=number % 5 == 0,
        )
        for number in range(count)
    ]
    containers.append(ContainerPosition("no uuid", "new", "main", initial=True))
    containers.append(ContainerPosition("", "odd", "main"))
    return TailPosition(17, containers)


def test_what_is_written_is_read() -> None:
    made = position(50)
    assert read_token(write_token(made, QUERY), QUERY) == made


def test_a_thousand_containers_fit_into_a_request() -> None:
    assert len(write_token(position(1000), QUERY)) < 65536


@pytest.mark.parametrize(
    "content", [b"not compressed", b"", "text", {"a": 1}, encode_token(QUERY, [])]
)
def test_other_content_is_refused(content: object) -> None:
    with pytest.raises(InvalidArgumentError, match="resume_token") as caught:
        read_token(encode_token(QUERY, content), QUERY)
    assert caught.value.reason == "BAD_TOKEN"


def test_a_token_of_another_query_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_token(write_token(position(1), QUERY), fingerprint("another"))
    assert caught.value.reason == "TOKEN_OF_ANOTHER_QUERY"


def test_the_book_forgets_pods_that_are_gone() -> None:
    made = position(3)
    book = PositionBook(QUERY, made)
    first = made.containers[0]
    assert book.get(first.uid, "main") == first
    assert book.is_whole(first.uid)
    book.forget(first.uid)
    assert book.get(first.uid, "main") is None
    assert first not in read_token(book.token(), QUERY).containers
