"""One version of one object, and one change from a version to the next."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import Any

ItemKey = tuple[str, str]
"""Namespace (empty for kinds without) and name; sorts as lists are shown by default."""


class Item:
    """A decoded object. Never changes; a new version is a new item.

    `raw` is the whole object as JSON without managedFields, kept only while someone
    watches whole objects. `size` is about its length in bytes as the API server sent it.
    `encoded` holds what front ends made of this version, so that it is made once;
    `combined` the same with figures of other objects, and their revision. `problem` tells
    why a part of the object could not be read; it is missing in `decoded`.
    """

    __slots__ = ("combined", "decoded", "encoded", "key", "problem", "raw", "size", "version")

    def __init__(self, decoded: Any, raw: bytes | None, size: int = 0, problem: str = "") -> None:
        metadata = decoded.metadata
        self.key: ItemKey = (metadata.namespace, metadata.name)
        self.version = int(metadata.resource_version or 0)
        self.decoded = decoded
        self.raw = raw
        self.problem = problem
        self.size = size
        self.encoded: bytes | None = None
        self.combined: tuple[int, bytes] | None = None

    @property
    def uid(self) -> str:
        """Tells an object from a later one of the same name."""
        uid: str = self.decoded.metadata.uid
        return uid

    @property
    def labels(self) -> dict[str, str] | None:
        """metadata.labels."""
        labels: dict[str, str] | None = self.decoded.metadata.labels
        return labels


class ChangeType(Enum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Change:
    """One change of one object, as all subscribers share it.

    `number` counts the entries of one cache's history, `sequence` those of all caches of
    this process in the order of their arrival. `version` is the resourceVersion up to
    which everything has been seen once this change is; 0 where that cannot be said,
    between the changes found by comparing two lists. `item` is the object as the change
    left it, also when it is gone; `old` the version before, None for a new object.
    """

    __slots__ = ("encoded", "item", "number", "old", "receive_time", "sequence", "type", "version")

    def __init__(
        self,
        number: int,
        version: int,
        type_: ChangeType,
        item: Item,
        old: Item | None,
        receive_time: float,
        sequence: int = 0,
    ) -> None:
        self.number = number
        self.version = version
        self.type = type_
        self.item = item
        self.old = old
        self.receive_time = receive_time
        self.sequence = sequence
        self.encoded: dict[Hashable, bytes] = {}


class Gap:
    """Changes after version `after` up to `until` are not known one by one.

    What follows in the history, up to the first change with a version of its own, is the
    difference: no object is missing, but states between may be.
    """

    __slots__ = ("after", "number", "reason", "sequence", "until")

    def __init__(self, number: int, after: int, until: int, reason: str, sequence: int) -> None:
        self.number = number
        self.after = after
        self.until = until
        self.reason = reason
        self.sequence = sequence


Entry = Change | Gap
"""What a history is made of."""
