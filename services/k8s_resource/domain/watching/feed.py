"""One target of one stream: subscribes to the cache and puts events into the stream's outbox."""

from __future__ import annotations

from typing import TypeAlias

from services.common.errors import PodyardError
from services.common.streams import Outbox
from services.k8s_resource.domain.cache.item import Change, ChangeType
from services.k8s_resource.domain.cache.kind_cache import NOWHERE, MarkType
from services.k8s_resource.domain.watching.events import EventEncoder, Notice, WatchTarget

_OVERHEAD_BYTES = 128
"""What an entry costs beside its event."""

Entry: TypeAlias = "tuple[TargetFeed, int, bytes | None]"
"""Feed, its epoch, and an event; None asks for a resynchronisation of the feed."""


class TargetFeed:
    """`position` is how far the subscriber has been served.

    `epoch` grows when the target is sent anew: entries of older epochs are void then.
    Whether the API server was out of reach: `down` with all that is in the outbox,
    `told_down` as the subscriber knows it.
    """

    def __init__(self, target: WatchTarget, encoder: EventEncoder, outbox: Outbox[Entry]) -> None:
        self.target = target
        self.position = NOWHERE
        self.epoch = 0
        self.down = False
        self.told_down = False
        self._down_at_begin = False
        self._encoder = encoder
        self._outbox = outbox
        self._selection = target.selection
        self._everything = target.selection.everything

    def begin(self) -> None:
        """Start anew from this moment: what is in the outbox is void."""
        self.epoch += 1
        self.down = self._down_at_begin = self.target.watched.cache.freshness().stale

    def connection_event(self) -> bytes | None:
        """What the subscriber must be told about the connection as it was at the beginning."""
        if self._down_at_begin == self.told_down:
            return None
        self.told_down = self._down_at_begin
        notice = Notice.DISCONNECTED if self.told_down else Notice.RECONNECTED
        reason = self.target.watched.cache.freshness().reason if self.told_down else ""
        return self._encoder.notice(notice, self.target.index, reason)

    def encoded(self, change: Change) -> bytes | None:
        """The event of a change; None if the subscriber does not see it."""
        type_ = self._seen_as(change)
        return None if type_ is None else self._encoder.change(self.target, type_, change)

    def changed(self, change: Change) -> None:
        event = self.encoded(change)
        if event is not None:
            self._put(event)

    def marked(self, mark: MarkType, message: str) -> None:
        if mark is not MarkType.BOOKMARK:
            self.down = mark is MarkType.DISCONNECTED
        self._put(self._encoder.notice(Notice(mark.value), self.target.index, message))

    def reloaded(self) -> None:
        self._put(None)

    def ended(self, error: PodyardError) -> None:
        self._outbox.close(error)

    def _put(self, event: bytes | None) -> None:
        size = _OVERHEAD_BYTES + (len(event) if event is not None else 0)
        self._outbox.put((self, self.epoch, event), size)

    def _seen_as(self, change: Change) -> ChangeType | None:
        """An object that comes to match is added, one that ceases to is deleted."""
        if self._everything:
            return change.type
        is_chosen = change.type is not ChangeType.DELETED and self._selection.matches(change.item)
        was_chosen = change.old is not None and self._selection.matches(change.old)
        if is_chosen:
            return ChangeType.MODIFIED if was_chosen else ChangeType.ADDED
        return ChangeType.DELETED if was_chosen else None
