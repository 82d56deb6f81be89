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
    watches whole objects. `encoded` holds what front ends made of this version, so that
    it is made once; `combined` the same with figures of other objects, and their revision.
    `problem` tells why a part of the object could not be read; it is missing in `decoded`.
    """

    __slots__ = ("combined", "decoded", "encoded", "key", "problem", "raw", "version")

    def __init__(self, decoded: Any, raw: bytes | None, problem: str = "") -> None:
        metadata = decoded.metadata
        self.key: ItemKey = (metadata.namespace, metadata.name)
        self.version = int(metadata.resource_version or 0)
        self.decoded = decoded
        self.raw = raw
        self.problem = problem
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

    `number` counts the changes of one cache of a kind. `version` is the resourceVersion
    up to which everything has been seen once this change is; 0 where that cannot be said,
    between the changes found by comparing two lists. `item` is the object as the change
    left it, also when it is gone; `old` the version before, None for a new object.
    """

    __slots__ = ("encoded", "item", "number", "old", "receive_time", "type", "version")

    def __init__(
        self,
        number: int,
        version: int,
        type_: ChangeType,
        item: Item,
        old: Item | None,
        receive_time: float,
    ) -> None:
        self.number = number
        self.version = version
        self.type = type_
        self.item = item
        self.old = old
        self.receive_time = receive_time
        self.encoded: dict[Hashable, bytes] = {}
