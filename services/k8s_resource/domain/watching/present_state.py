"""The present state of a target, for a subscriber that may read it slowly.

No copy of the state is kept for it: each part is read from the store when it is sent, and
before each part come the changes, since the last, of what was sent already. So the
subscriber's objects are at any moment those of one version, as far as it has got.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from services.k8s_resource.domain.cache.item import Entry, Gap, ItemKey
from services.k8s_resource.domain.watching.events import EventEncoder
from services.k8s_resource.domain.watching.feed import TargetFeed

_ENTRIES = 512


class PlaceLostError(Exception):
    """The history went on faster than the subscriber; it must be served anew."""


def present_state(
    feed: TargetFeed, encoder: EventEncoder, part_bytes: int
) -> Iterator[list[bytes]]:
    """Parts of about `part_bytes`, each made when it is asked for.

    When it ends, the feed's position is what the subscriber knows. PlaceLostError.
    """
    store = feed.cache.store
    keys = [item.key for item in feed.target.selection.of(store)]
    sent = 0
    feed.floor = 0
    feed.up_to_date()
    while True:
        events: list[bytes] = []
        size = 0
        while entries := feed.pending(_ENTRIES):
            for entry in entries:
                event = None if _comes_later(entry, keys, sent) else feed.event(entry)
                if event is not None:
                    events.append(event)
                    size += len(event)
                feed.passed(entry)
                if size >= part_bytes:
                    break
            if size >= part_bytes:
                break
        else:
            if entries is None:
                raise PlaceLostError
            while sent < len(keys) and size < part_bytes:
                item = store.get(keys[sent])
                sent += 1
                if item is not None and feed.chooses(item):
                    event = encoder.state(feed.target, item)
                    events.append(event)
                    size += len(event)
            feed.up_to_date()
            if sent == len(keys):
                yield events
                return
        yield events


def _comes_later(entry: Entry, keys: list[ItemKey], sent: int) -> bool:
    """Whether the object of a change is still to be sent, as it will be then."""
    if isinstance(entry, Gap):
        return False
    index = bisect_left(keys, entry.item.key, sent)
    return index < len(keys) and keys[index] == entry.item.key
