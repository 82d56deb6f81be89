"""How many objects of a list have which values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.common.errors import InvalidArgumentError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """The values of a field, the most frequent first, then by value."""

    field: str
    values: Sequence[tuple[str, int]]


def parse_counts(
    names: Sequence[str], known: Mapping[str, Callable[[T], str]]
) -> dict[str, Callable[[T], str]]:
    """The fields that `count_by` asks for; InvalidArgumentError naming the known ones."""
    chosen = {}
    for index, name in enumerate(names):
        if name not in known:
            raise InvalidArgumentError.field(
                f"count_by[{index}]", f'"{name}" is not known; known are {", ".join(sorted(known))}'
            )
        chosen[name] = known[name]
    return chosen


def counts_of(name: str, values: Iterable[str]) -> FieldCounts:
    """The counts of some values."""
    counted = Counter(values)
    return FieldCounts(name, sorted(counted.items(), key=lambda entry: (-entry[1], entry[0])))
