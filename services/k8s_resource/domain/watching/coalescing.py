"""The newest state of each object in place of every change, for subscribers that ask for it.

What is pending of one object is merged until it is sent: an object that came and went
is not told at all, one that changed often is told once. Order is that of the latest
changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter

from services.k8s_resource.domain.cache.item import Change, ChangeType, Item, ItemKey
from services.k8s_resource.domain.cache.kind_cache import NOWHERE
from services.k8s_resource.domain.watching.events import EventEncoder, View
from services.k8s_resource.domain.watching.feed import TargetFeed

MAX_BYTES = 1024 * 1024
"""What one slow subscriber may cost."""
_ENTRY_BYTES = 400

COALESCED = Counter(
    "podyard_watch_coalesced_changes", "Changes that a later one of the same object took in."
)


@dataclass(slots=True)
class _Pending:
    """What a subscriber is to be told of one object.

    `known` says whether it has the object, `before` is the object as it has it, where
    the view shows differences. `gone` is the last state of the object that it has, if
    that one is to be told as deleted; `now` the state to be told.
    """

    known: bool
    before: Item | None
    gone: Item | None
    now: Item | None
    receive_time: float
    merged: int
    cost: int


class Coalescer:
    """`feed.Listener` for all targets of one stream."""

    def __init__(self, encoder: EventEncoder) -> None:
        self._encoder = encoder
        self._keeps_before = encoder.view is View.CHANGES
        self._pending: dict[tuple[TargetFeed, ItemKey], _Pending] = {}
        self._cost = 0
        self._feeds: list[TargetFeed] = []
        self._lost: set[TargetFeed] = set()

    def begin(self, feed: TargetFeed) -> None:
        """Listen to a feed from its position on."""
        if feed not in self._feeds:
            self._feeds.append(feed)
        missed = feed.cache.entries_after(feed.position)
        if missed is None:
            self._lost.add(feed)
            return
        feed.listener = self
        for entry in missed:
            if isinstance(entry, Change):
                self.changed(feed, entry)
        feed.up_to_date()

    def stop(self, feed: TargetFeed) -> None:
        """Forget what is pending of a feed, which is served anew."""
        feed.listener = None
        self._lost.discard(feed)
        for key in [key for key in self._pending if key[0] is feed]:
            self._cost -= self._pending.pop(key).cost

    def lost(self) -> list[TargetFeed]:
        """The feeds of which not all is known any more."""
        return [feed for feed in self._feeds if feed in self._lost]

    def changed(self, feed: TargetFeed, change: Change) -> None:
        """Merge a change with what is pending of its object."""
        if feed in self._lost:
            return
        if feed.floor and not change.version:
            # What was removed cannot be told from what the subscriber has seen elsewhere.
            self._lost.add(feed)
            return
        seen = feed.seen_as(change)
        if seen is None or change.item.version <= feed.floor:
            return
        key = (feed, change.item.key)
        pending = self._pending.pop(key, None)
        if pending is None:
            known = seen is not ChangeType.ADDED
            before = change.old if known and self._keeps_before else None
            pending = _Pending(known, before, None, None, 0.0, -1, 0)
        else:
            self._cost -= pending.cost
        pending.merged += 1
        pending.receive_time = change.receive_time
        if seen is not ChangeType.DELETED:
            if pending.gone is not None and pending.gone.uid == change.item.uid:
                pending.gone = None
            pending.now = change.item
        else:
            pending.now = None
            if not pending.known:
                COALESCED.inc(pending.merged + 1)
                return
            pending.gone = pending.gone or change.item
        pending.cost = _ENTRY_BYTES + sum(
            item.size for item in (pending.gone, pending.before) if item is not None
        )
        self._cost += pending.cost
        self._pending[key] = pending
        if self._cost > MAX_BYTES:
            self._overflow()

    def reloaded(self, feed: TargetFeed) -> None:
        """The history was set back."""
        self._lost.add(feed)

    def take(self, max_bytes: int) -> tuple[list[bytes], bool]:
        """A part of what is pending, and whether there is more.

        Between two parts there is no place to go on from: an object that was told may
        have changed before one that was not.
        """
        events: list[bytes] = []
        size = 0
        while self._pending and size < max_bytes:
            key = next(iter(self._pending))
            pending = self._pending.pop(key)
            self._cost -= pending.cost
            told = self._events(key[0], pending)
            events += told
            size += sum(map(len, told))
        for feed in self._feeds:
            if self._pending:
                feed.position = NOWHERE
            else:
                feed.up_to_date()
        return events, bool(self._pending)

    def _events(self, feed: TargetFeed, pending: _Pending) -> list[bytes]:
        merged = pending.merged
        COALESCED.inc(merged)
        events = []
        if pending.gone is not None:
            events.append(
                self._event(feed, ChangeType.DELETED, pending.gone, None, pending, merged)
            )
            merged = 0
        if pending.now is not None:
            known = pending.known and pending.gone is None
            type_ = ChangeType.MODIFIED if known else ChangeType.ADDED
            before = pending.before if known else None
            events.append(self._event(feed, type_, pending.now, before, pending, merged))
        return events

    def _event(
        self,
        feed: TargetFeed,
        type_: ChangeType,
        item: Item,
        before: Item | None,
        pending: _Pending,
        merged: int,
    ) -> bytes:
        change = Change(0, item.version, type_, item, before, pending.receive_time)
        return self._encoder.merged(feed.target, type_, change, merged)

    def _overflow(self) -> None:
        self._lost.update(self._feeds)
        self._pending.clear()
        self._cost = 0
