"""The state of one kind on one cluster: present objects, recent changes, subscribers.

No input or output happens here; `list_watch` feeds it. All methods run to their end
without yielding to the event loop, so what a caller sees between two awaits is one
consistent moment.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Protocol

import msgspec

from services.common.errors import PodyardError
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import (
    Change,
    ChangeType,
    Entry,
    Gap,
    Item,
    ItemKey,
)
from services.k8s_resource.domain.cache.store import Store
from services.k8s_resource.domain.kinds import Kind

_arrivals = count(1)
"""Orders the changes of all caches of this process."""


class Position(msgspec.Struct, frozen=True, array_like=True):
    """How far a subscriber has come.

    `instance` and `number` place it in the history of one cache, `version` in that of
    the API server. Zeros stand for not known.
    """

    instance: bytes
    number: int
    version: int


NOWHERE = Position(b"", 0, 0)


class MarkType(Enum):
    """What happened to the connection, or that nothing happened."""

    BOOKMARK = "BOOKMARK"
    DISCONNECTED = "DISCONNECTED"
    RECONNECTED = "RECONNECTED"


class Subscriber(Protocol):
    """Hears of everything at once, in order. Must be quick and must not raise."""

    def changed(self, change: Change) -> None:
        """An object changed; the store shows it already."""

    def marked(self, mark: MarkType, message: str) -> None:
        """Something other than a change happened."""

    def reloaded(self) -> None:
        """The store was filled anew; what happened before it is not told."""

    def ended(self, error: PodyardError) -> None:
        """There will be nothing more."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How recent what the cache holds is. `confirmed` in seconds since the epoch."""

    confirmed: float
    version: int
    stale: bool = False
    reason: str = ""


class KindCache:
    """Objects of a kind. `loaded` is set once the store is complete; `set_back` says why it was
    filled anew after that."""

    def __init__(self, kind: Kind, history: History) -> None:
        """`history` is for subscribers that are behind or come back.

        `version` is up to where the watch has told everything, `known` the version that
        the store is known to be the state of: the same, or a later one that a list
        has shown.
        """
        self.kind = kind
        self.store = Store()
        self.history = history
        self.version = 0
        self.known = 0
        self.loaded = False
        self.absent = False
        self.set_back = ""
        self.has_raw = False
        self.attempts = 0
        self.problem: PodyardError | None = None
        self.last_used = time.monotonic()
        self._instance = secrets.token_bytes(6)
        self._observers: list[Subscriber] = []
        self._subscribers: list[Subscriber] = []
        self._confirmed = 0.0
        self._pulse = asyncio.Event()
        self._waiting = 0

    # Reading

    @property
    def position(self) -> Position:
        """Where a subscriber stands that has seen everything so far."""
        return Position(self._instance, self.history.last, self.version)

    def freshness(self) -> Freshness:
        """How recent the store is."""
        reason = self.problem.message if self.problem is not None else ""
        return Freshness(self._confirmed, self.known, self.problem is not None, reason)

    def entries_after(self, position: Position, limit: int | None = None) -> Sequence[Entry] | None:
        """What happened after a position; None if it is not of this cache or too long ago."""
        if position.instance != self._instance:
            return None
        return self.history.after(position.number, limit)

    def lags_behind(self, listed: Mapping[ItemKey, int], version: int) -> set[ItemKey]:
        """Objects that are older here than in a list of a version: those that it has, with
        their versions, and those that it no longer has."""
        behind = set()
        for item in self.store.items():
            found = listed.get(item.key)
            if item.version < (version if found is None else found):
                behind.add(item.key)
        behind.update(key for key in listed if self.store.get(key) is None)
        return behind

    @property
    def in_use(self) -> bool:
        """Whether anyone is subscribed."""
        return bool(self._subscribers)

    def touch(self) -> None:
        """Note that it is being used now."""
        self.last_used = time.monotonic()

    async def pulse(self) -> None:
        """Wait until something has happened: an event, a list, a failed attempt."""
        self._waiting += 1
        try:
            await self._pulse.wait()
        finally:
            self._waiting -= 1

    # Subscribers

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell the subscriber of everything from now on."""
        self._subscribers.append(subscriber)

    def observe(self, observer: Subscriber) -> None:
        """As `subscribe`, before all subscribers, for what is a part of the cache and no user."""
        self._observers.append(observer)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Tell it nothing more; nothing happens if it is not subscribed."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self.touch()

    # What the list-watch found

    def apply(self, type_: ChangeType, item: Item) -> None:
        """An event of the watch. One that was seen already is recognised by its version."""
        if item.version <= self.version:
            return
        self.version = self.known = item.version
        self._confirm()
        if type_ is ChangeType.DELETED:
            old = self.store.remove(item.key)
            if old is not None:
                self._publish(ChangeType.DELETED, item, old, item.version)
        else:
            old = self.store.get(item.key)
            if old is not None and old.uid != item.uid:
                self.store.remove(item.key)
                self._publish(ChangeType.DELETED, old, old, 0)
                old = None
            self.store.put(item)
            changed = ChangeType.ADDED if old is None else ChangeType.MODIFIED
            self._publish(changed, item, old, item.version)
        self._notify()

    def bookmark(self, version: int) -> None:
        """Nothing else happened up to this version."""
        self._confirm()
        if version > self.version:
            self.version = version
            self.known = max(self.known, version)
            for subscriber in self._everyone():
                subscriber.marked(MarkType.BOOKMARK, "")
        self._notify()

    def confirmed_up_to(self, version: int) -> None:
        """A list has shown that the store is the state of this version."""
        self.known = max(self.known, version)
        self._confirm()
        self._notify()

    def replace(self, items: Iterable[Item], version: int, *, raw: bool, lost: str = "") -> None:
        """A complete list. Once loaded, what differs is told as changes, after a gap.

        `lost` says why nothing better than a list could be had. A list older than what is
        known (a watch was quicker) is passed over.
        """
        if not self.loaded:
            self.store.replace(items)
            self.version = self.known = version
            self.loaded = True
            for subscriber in self._everyone():
                subscriber.reloaded()
        elif version >= self.version:
            self._compare({item.key: item for item in items}, version, lost)
        else:
            return
        self.absent = False
        self.has_raw = raw
        self.connected()
        self._notify()

    def complete_raw(self, items: Iterable[Item]) -> None:
        """Give the store's objects the whole form that a list has of the same versions."""
        for item in items:
            known = self.store.get(item.key)
            if known is not None and known.version == item.version and known.raw is None:
                known.raw, known.size = item.raw, item.size

    def check_raw(self) -> bool:
        """Whether all objects are there in whole form; noted in `has_raw`."""
        self.has_raw = all(item.raw is not None for item in self.store.items())
        return self.has_raw

    def restart(self, reason: str) -> None:
        """What was told so far is void, and tokens mean nothing now. A new list follows at once."""
        self.set_back = reason
        self.loaded = False
        self._instance = secrets.token_bytes(6)
        self.history.clear()

    def missing(self) -> None:
        """The cluster does not have this kind."""
        if self.loaded and not self.absent:
            self._compare({}, self.version, f"the cluster has no {self.kind.resource.full_name}")
        self.loaded = self.absent = True
        self.connected()
        self._notify()

    def drop_raw(self) -> None:
        """Whole objects are not wanted any more."""
        self.has_raw = False
        for item in self.store.items():
            item.raw = None
        for change in self.history.changes():
            change.item.raw = None
            if change.old is not None:
                change.old.raw = None
        self.history.forget_encoded()

    def connected(self) -> None:
        """The API server answers."""
        self._confirm()
        if self.problem is not None:
            self.problem = None
            for subscriber in self._everyone():
                subscriber.marked(MarkType.RECONNECTED, "")

    def failed(self, problem: PodyardError) -> None:
        """An attempt to reach the API server failed, or the connection broke."""
        was_connected = self.problem is None
        self.problem = problem
        self.attempts += 1
        if was_connected and self.loaded:
            for subscriber in self._everyone():
                subscriber.marked(MarkType.DISCONNECTED, problem.message)
        self._notify()

    def end(self, error: PodyardError) -> None:
        """The cache is given up."""
        self.problem = error
        self.attempts += 1
        self.loaded = False
        for subscriber in self._everyone():
            subscriber.ended(error)
        self._notify()

    def confirm(self) -> None:
        """The API server sent something."""
        self._confirm()

    def _compare(self, found: dict[ItemKey, Item], version: int, lost: str) -> None:
        """Turn the difference to a new list into changes, removals first, then by version."""
        self._skip(version, lost)
        changed: list[Item] = []
        for old in self.store.items():
            new = found.get(old.key)
            if new is None or new.uid != old.uid:
                self.store.remove(old.key)
                self._publish(ChangeType.DELETED, old, old, 0)
        for item in found.values():
            known = self.store.get(item.key)
            if known is None or known.version != item.version:
                changed.append(item)
            elif item.raw is not None:
                known.raw, known.size = item.raw, item.size
        for item in sorted(changed, key=lambda item: item.version):
            known = self.store.put(item)
            type_ = ChangeType.ADDED if known is None else ChangeType.MODIFIED
            self._publish(type_, item, known, 0)
        self.version = self.known = version
        for subscriber in self._everyone():
            subscriber.marked(MarkType.BOOKMARK, "")

    def _skip(self, version: int, lost: str) -> None:
        """What happened up to a version is not known one by one."""
        history = self.history
        history.append(Gap(history.last + 1, self.version, version, lost, next(_arrivals)))

    def _publish(self, type_: ChangeType, item: Item, old: Item | None, version: int) -> None:
        change = Change(
            self.history.last + 1, version, type_, item, old, time.time(), next(_arrivals)
        )
        self.history.append(change)
        for subscriber in self._everyone():
            subscriber.changed(change)

    def _everyone(self) -> list[Subscriber]:
        return [*self._observers, *self._subscribers]

    def _confirm(self) -> None:
        self._confirmed = time.time()

    def _notify(self) -> None:
        if self._waiting:
            self._pulse.set()
            self._pulse = asyncio.Event()
