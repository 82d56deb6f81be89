"""The state of one kind on one cluster: present objects, recent changes, subscribers.

No input or output happens here; `list_watch` feeds it. All methods run to their end
without yielding to the event loop, so what a caller sees between two awaits is one
consistent moment.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Protocol

import msgspec

from services.common.errors import PodyardError
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item
from services.k8s_resource.domain.cache.store import Store
from services.k8s_resource.domain.kinds import Kind

_ENCODED_CHANGES = 256


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

    def __init__(self, kind: Kind, history: int) -> None:
        """`history` is how many changes are kept for subscribers that come back."""
        self.kind = kind
        self.store = Store()
        self.version = 0
        self.loaded = False
        self.absent = False
        self.set_back = ""
        self.has_raw = False
        self.attempts = 0
        self.problem: PodyardError | None = None
        self.last_used = time.monotonic()
        self._instance = secrets.token_bytes(6)
        self._number = 0
        self._history: deque[Change] = deque(maxlen=history)
        self._observers: list[Subscriber] = []
        self._subscribers: list[Subscriber] = []
        self._confirmed = 0.0
        self._pulse = asyncio.Event()
        self._waiting = 0

    # Reading

    @property
    def position(self) -> Position:
        """Where a subscriber stands that has seen everything so far."""
        return Position(self._instance, self._number, self.version)

    def freshness(self) -> Freshness:
        """How recent the store is."""
        reason = self.problem.message if self.problem is not None else ""
        return Freshness(self._confirmed, self.version, self.problem is not None, reason)

    def changes_after(self, position: Position) -> list[Change] | None:
        """What happened after a position; None if it is not of this cache or too long ago."""
        if position.instance != self._instance or position.number > self._number:
            return None
        missing = self._number - position.number
        if missing > len(self._history):
            return None
        return list(islice(self._history, len(self._history) - missing, None))

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
        self.version = item.version
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
            for subscriber in self._everyone():
                subscriber.marked(MarkType.BOOKMARK, "")
        self._notify()

    def replace(self, items: Iterable[Item], version: int, *, raw: bool) -> None:
        """A complete list. Once loaded, what differs is told as changes.

        A list older than what is known (a watch was quicker) is passed over, unless raw
        objects are wanted.
        """
        self.absent = False
        if not self.loaded:
            self.store.replace(items)
            self.version = version
            self.loaded = True
            for subscriber in self._everyone():
                subscriber.reloaded()
        elif version >= self.version:
            self._compare({item.key: item for item in items}, version)
        else:
            return
        self.has_raw = raw
        self.connected()
        self._notify()

    def restart(self, reason: str) -> None:
        """What was told so far is void, and tokens mean nothing now. A new list follows at once."""
        self.set_back = reason
        self.loaded = False
        self._instance = secrets.token_bytes(6)
        self._history.clear()

    def missing(self) -> None:
        """The cluster does not have this kind."""
        if self.loaded:
            self._compare({}, self.version)
        self.loaded = self.absent = True
        self.connected()
        self._notify()

    def drop_raw(self) -> None:
        """Whole objects are not wanted any more."""
        self.has_raw = False
        for item in self.store.items():
            item.raw = None
        for change in self._history:
            change.item.raw = None
            if change.old is not None:
                change.old.raw = None
            change.encoded.clear()

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

    def _compare(self, found: dict[tuple[str, str], Item], version: int) -> None:
        """Turn the difference to a new list into changes, removals first, then by version."""
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
                known.raw = item.raw
        for item in sorted(changed, key=lambda item: item.version):
            known = self.store.put(item)
            type_ = ChangeType.ADDED if known is None else ChangeType.MODIFIED
            self._publish(type_, item, known, 0)
        self.version = version

    def _publish(self, type_: ChangeType, item: Item, old: Item | None, version: int) -> None:
        self._number += 1
        change = Change(self._number, version, type_, item, old, time.time())
        self._history.append(change)
        if len(self._history) > _ENCODED_CHANGES:
            # Whoever still wants an older change gets it encoded again.
            self._history[-1 - _ENCODED_CHANGES].encoded.clear()
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
