"""What a watch stream is made of, and the port that encodes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from services.k8s_resource.domain.cache.clusters import WatchedKind
from services.k8s_resource.domain.cache.item import Change, ChangeType, Gap, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.ports import KubeApi
from services.k8s_resource.domain.selection import Selection


class View(Enum):
    """How much of each object is sent."""

    NAME = 1
    SUMMARY = 2
    FULL = 3
    CHANGES = 4

    @property
    def needs_whole_objects(self) -> bool:
        """Whether it can be made of whole objects only."""
        return self in (View.FULL, View.CHANGES)


class Notice(Enum):
    """Events that are not about one object."""

    SYNCED = "SYNCED"
    RELISTED = "RELISTED"
    BOOKMARK = "BOOKMARK"
    HEARTBEAT = "HEARTBEAT"
    DISCONNECTED = "DISCONNECTED"
    RECONNECTED = "RECONNECTED"
    DRAINING = "DRAINING"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True)
class WatchTarget:
    """One kind of a watch, ready to be read."""

    index: int
    api: KubeApi
    watched: WatchedKind
    selection: Selection

    @property
    def cache(self) -> KindCache:
        """The state of the kind."""
        return self.watched.cache


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a stream is delivered. `timeout` in seconds, None for no limit."""

    coalesce: bool = False
    skip_initial_state: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Encoded events in order, and the token to go on after them."""

    events: list[bytes]
    token: str


class EventEncoder(Protocol):
    """Makes the events of one stream; equal ones are made once for all streams."""

    @property
    def view(self) -> View:
        """How much of each object it writes."""

    def change(self, target: WatchTarget, type_: ChangeType, change: Change) -> bytes:
        """A change, as a subscriber of this target sees it."""

    def merged(self, target: WatchTarget, type_: ChangeType, change: Change, earlier: int) -> bytes:
        """A change that takes in so many earlier ones of its object."""

    def state(self, target: WatchTarget, item: Item) -> bytes:
        """A present object, as ADDED."""

    def gap(self, target: WatchTarget, gap: Gap) -> bytes:
        """States that are not known, and why."""

    def notice(self, notice: Notice, target: int, message: str = "") -> bytes:
        """An event that is not about one object."""
