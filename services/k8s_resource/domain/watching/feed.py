"""One target of one stream: how far the subscriber is, and what it sees of a change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from services.common.errors import PodyardError
from services.k8s_resource.domain.cache.item import Change, ChangeType, Entry, Gap, Item
from services.k8s_resource.domain.cache.kind_cache import NOWHERE, MarkType, Position
from services.k8s_resource.domain.watching.events import EventEncoder, Notice, WatchTarget


class Listener(Protocol):
    """Hears at once of what happens to a feed that it listens to."""

    def changed(self, feed: TargetFeed, change: Change) -> None:
        """An object changed."""

    def reloaded(self, feed: TargetFeed) -> None:
        """What happened is not known."""


class TargetFeed:
    """A subscriber of a cache that keeps its place in the cache's history and nothing more.

    `position` is how far the subscriber has been served. Changes up to version `floor` it
    has seen at another server. `listener`, where there is one, hears of everything at once.
    """

    def __init__(
        self, target: WatchTarget, encoder: EventEncoder, wake: Callable[[], None]
    ) -> None:
        self.target = target
        self.cache = target.cache
        self.position = NOWHERE
        self.floor = 0
        self.error: PodyardError | None = None
        self.listener: Listener | None = None
        self._encoder = encoder
        self._wake = wake
        self._told_down = False
        self._bookmark_due = False
        self._selection = target.selection
        self._everything = target.selection.everything

    def pending(self, limit: int) -> Sequence[Entry] | None:
        """What comes next, up to so many entries; None if the place in the history is lost."""
        entries = self.cache.entries_after(self.position, limit)
        if self.floor and entries:
            for entry in entries:
                if isinstance(entry, Gap) and entry.after < self.floor:
                    # What was removed within it cannot be told from what was seen already.
                    return None
        return entries

    def passed(self, entry: Entry) -> None:
        """The subscriber has been served up to this entry."""
        version = entry.version if isinstance(entry, Change) else 0
        if version:
            version = max(version, self.floor)
        self.position = Position(self.position.instance, entry.number, version)

    def up_to_date(self) -> None:
        """The subscriber has been served all there is."""
        place = self.cache.position
        if place.version < self.floor:
            place = Position(place.instance, place.number, self.floor)
        else:
            self.floor = 0
        if place != self.position:
            self.position = place

    def event(self, entry: Entry) -> bytes | None:
        """The event of an entry; None if the subscriber does not see it."""
        if isinstance(entry, Gap):
            return self._encoder.gap(self.target, entry)
        if entry.version and entry.item.version <= self.floor:
            return None
        type_ = self.seen_as(entry)
        return None if type_ is None else self._encoder.change(self.target, type_, entry)

    def seen_as(self, change: Change) -> ChangeType | None:
        """An object that comes to match is added, one that ceases to is deleted."""
        if self._everything:
            return change.type
        is_chosen = change.type is not ChangeType.DELETED and self.chooses(change.item)
        was_chosen = change.old is not None and self.chooses(change.old)
        if is_chosen:
            return ChangeType.MODIFIED if was_chosen else ChangeType.ADDED
        return ChangeType.DELETED if was_chosen else None

    def chooses(self, item: Item) -> bool:
        """Whether the subscriber sees an object."""
        return self._everything or self._selection.matches(item)

    def marks(self) -> list[bytes]:
        """What is to be told of the connection and of progress, beside changes."""
        marks = []
        freshness = self.cache.freshness()
        if freshness.stale is not self._told_down:
            self._told_down = freshness.stale
            notice = Notice.DISCONNECTED if freshness.stale else Notice.RECONNECTED
            marks.append(self._encoder.notice(notice, self.target.index, freshness.reason))
        if self._bookmark_due:
            self._bookmark_due = False
            marks.append(self._encoder.notice(Notice.BOOKMARK, self.target.index))
        return marks

    # kind_cache.Subscriber

    def changed(self, change: Change) -> None:
        if self.listener is not None:
            self.listener.changed(self, change)
        self._wake()

    def marked(self, mark: MarkType, message: str) -> None:
        self._bookmark_due = self._bookmark_due or mark is MarkType.BOOKMARK
        self._wake()

    def reloaded(self) -> None:
        if self.listener is not None:
            self.listener.reloaded(self)
        self._wake()

    def ended(self, error: PodyardError) -> None:
        self.error = error
        self._wake()
