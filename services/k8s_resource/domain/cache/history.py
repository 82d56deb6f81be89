"""The recent past of one kind, for subscribers that are behind: bounded by count and bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

from services.k8s_resource.domain.cache.item import Change, Entry, Gap

_ALWAYS_KEPT = 64
"""Few objects that are larger than the limit together must not make every subscriber late."""
_SPARE = 1024
"""So many dropped entries are removed from the list at once."""
_ENCODED_BYTES = 4 * 1024 * 1024
"""Encoded events that are kept for others to send; older ones are encoded again when needed."""
_DROPPED = Gap(0, 0, 0, "", 0)


class History:
    """Entries with consecutive numbers.

    Subscribers keep nothing but the number of the last entry that they have sent: whoever
    is slow costs nothing here, and has lost its place once that entry is dropped.
    """

    def __init__(self, max_count: int, max_bytes: int) -> None:
        """`max_bytes` is of the objects as JSON, those before and after a change."""
        self.last = 0
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._entries: list[Entry] = []
        self._dropped = 0
        self._bytes = 0
        self._encoded: deque[Change] = deque()
        self._encoded_bytes = 0

    def __len__(self) -> int:
        return len(self._entries) - self._dropped

    def append(self, entry: Entry) -> None:
        """Add the entry with the number after `last`."""
        self.last = entry.number
        self._entries.append(entry)
        self._bytes += _size(entry)
        while len(self) > self._max_count or (
            self._bytes > self._max_bytes and len(self) > _ALWAYS_KEPT
        ):
            self._bytes -= _size(self._entries[self._dropped])
            self._entries[self._dropped] = _DROPPED
            self._dropped += 1
        if self._dropped >= _SPARE:
            del self._entries[: self._dropped]
            self._dropped = 0

    def after(self, number: int, limit: int | None = None) -> Sequence[Entry] | None:
        """Up to `limit` entries after one; None if some of them are not here any more."""
        missing = self.last - number
        if missing < 0 or missing > len(self):
            return None
        start = len(self._entries) - missing
        return self._entries[start : start + limit if limit else None]

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        self._entries.clear()
        self._dropped = self._bytes = 0
        self.forget_encoded()

    def changes(self) -> list[Change]:
        """All changes that are here."""
        return [each for each in self._entries[self._dropped :] if isinstance(each, Change)]

    def keep_encoded(self, change: Change, key: Hashable, event: bytes) -> None:
        """Keep what a front end made of a change, for a while."""
        if not change.encoded:
            self._encoded.append(change)
        change.encoded[key] = event
        self._encoded_bytes += len(event)
        while self._encoded_bytes > _ENCODED_BYTES and len(self._encoded) > 1:
            oldest = self._encoded.popleft()
            self._encoded_bytes -= sum(map(len, oldest.encoded.values()))
            oldest.encoded.clear()

    def forget_encoded(self) -> None:
        """Drop all that was kept by `keep_encoded`."""
        for change in self._encoded:
            change.encoded.clear()
        self._encoded.clear()
        self._encoded_bytes = 0


def _size(entry: Entry) -> int:
    if not isinstance(entry, Change):
        return 0
    return entry.item.size + (entry.old.size if entry.old is not None else 0)
