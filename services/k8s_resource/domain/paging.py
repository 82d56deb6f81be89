"""Order and pages of lists: AIP-132's order_by and AIP-158's tokens.

A page begins after the position of the last object of the page before: its sort
values, namespace and name. So pages neither skip nor repeat what stays in the list,
whatever is added, changed or removed meanwhile.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Generic, TypeVar

import msgspec

from services.common.errors import InvalidArgumentError
from services.common.paging import decode_token, encode_token
from services.k8s_resource.domain.list_fields import SortReader, SortValue

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 100
AGE = "age"
"""Orders by create_time, the youngest first."""


class _Position(msgspec.Struct, frozen=True, array_like=True):
    values: list[SortValue]
    identity: list[str]


@total_ordering
class _Descending:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and other.value == self.value

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.value < self.value)

    def __hash__(self) -> int:
        return hash(self.value)


@dataclass(frozen=True, slots=True)
class Order:
    """Terms in order of weight: the name, how to read it, whether it descends."""

    terms: tuple[tuple[str, SortReader, bool], ...] = ()

    def __str__(self) -> str:
        return ",".join(f"{name} desc" if down else name for name, _, down in self.terms)

    def values(self, decoded: Any) -> list[SortValue]:
        """What an object is ordered by."""
        return [read(decoded) for _, read, _ in self.terms]

    def key(self, values: Sequence[SortValue], identity: Sequence[str]) -> tuple[Any, ...]:
        """What sorts: the values in their directions, then the identity."""
        return (
            *(
                _Descending(value) if down else value
                for value, (_, _, down) in zip(values, self.terms, strict=True)
            ),
            *identity,
        )


def parse_order(text: str, orders: Mapping[str, SortReader]) -> Order:
    """The order that `order_by` asks for; InvalidArgumentError naming the known fields."""
    terms = []
    for part in text.split(",") if text.strip() else ():
        words = part.split()
        if len(words) not in (1, 2) or (len(words) == 2 and words[1] not in ("asc", "desc")):
            raise InvalidArgumentError.field(
                "order_by",
                f'"{part.strip()}" is not of the form "field", "field asc" or "field desc"',
            )
        name, descending = words[0], words[-1] == "desc"
        if name == AGE:
            name, descending = "create_time", not descending
        if name not in orders:
            known = ", ".join(sorted([*orders, AGE]))
            raise InvalidArgumentError.field(
                "order_by", f'"{words[0]}" is not known; known are {known}'
            )
        terms.append((name, orders[name], descending))
    return Order(tuple(terms))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list. `next_token` is empty on the last page, `total` counts all pages."""

    entries: list[T]
    next_token: str
    total: int


@dataclass(frozen=True, slots=True)
class Pager(Generic[T]):
    """Cuts lists of one query. `decoded` and `identity` read an entry."""

    query: bytes
    order: Order
    decoded: Callable[[T], Any]
    identity: Callable[[T], Sequence[str]]

    def sort(self, entries: list[T]) -> list[T]:
        """The entries, which come by identity, in order; the list itself if that is the order."""
        # Sorting is stable, also in reverse: one pass for each term, the weightiest last, takes
        # a fifth of the time that comparing tuples takes.
        for _, read, descending in reversed(self.order.terms):
            entries = sorted(entries, key=self._reader(read), reverse=descending)
        return entries

    def page(self, ordered: Sequence[T], size: int, token: str) -> Page[T]:
        """The page of `size` entries (0 for the default) that a token asks for."""
        start = 0
        if token:
            after = decode_token(token, self.query, _Position)
            if len(after.values) != len(self.order.terms):
                raise InvalidArgumentError.field("page_token", "was made by another version")
            key = self.order.key(after.values, after.identity)
            start = bisect_right(ordered, key, key=self._key)
        end = start + (size or DEFAULT_PAGE_SIZE)
        entries = list(ordered[start:end])
        following = ""
        if end < len(ordered):
            last = entries[-1]
            position = _Position(self.order.values(self.decoded(last)), list(self.identity(last)))
            following = encode_token(self.query, position)
        return Page(entries, following, len(ordered))

    def _reader(self, read: SortReader) -> Callable[[T], Any]:
        decoded = self.decoded
        return lambda entry: read(decoded(entry))

    def _key(self, entry: T) -> tuple[Any, ...]:
        identity = self.identity(entry)
        if not self.order.terms:
            return tuple(identity)
        return self.order.key(self.order.values(self.decoded(entry)), identity)
