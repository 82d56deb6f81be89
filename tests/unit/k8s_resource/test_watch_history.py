"""The history that watch streams read from: bounded by count and by bytes."""

from __future__ import annotations

from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item
from services.k8s_resource.domain.objects.metadata import MetadataOnly, ObjectMeta


def change(number: int, size: int = 10) -> Change:
    item = Item(MetadataOnly(ObjectMeta(name=f"o{number}")), None, size)
    return Change(number, number, ChangeType.ADDED, item, None, 0.0)


def filled(history: History, count: int, size: int = 10) -> History:
    for number in range(history.last + 1, history.last + count + 1):
        history.append(change(number, size))
    return history


def numbers(history: History, after: int, limit: int | None = None) -> list[int] | None:
    entries = history.after(after, limit)
    return None if entries is None else [entry.number for entry in entries]


def test_it_tells_what_came_after_an_entry_until_that_is_dropped() -> None:
    history = filled(History(5, 1 << 20), 12)
    assert len(history) == 5
    assert numbers(history, 7) == [8, 9, 10, 11, 12]
    assert numbers(history, 7, 2) == [8, 9]
    assert numbers(history, 12) == []
    assert numbers(history, 6) is None
    assert numbers(history, 13) is None


def test_large_objects_make_it_shorter_but_never_too_short() -> None:
    history = filled(History(4096, 1000), 500)
    assert len(history) == 100
    filled(history, 200, size=100_000)
    assert len(history) == 64
    assert numbers(history, history.last - 64) == list(range(637, 701))


def test_what_was_dropped_is_let_go_at_once() -> None:
    history = filled(History(3, 1 << 20), 10)
    assert [each.item.key[1] for each in history.changes()] == ["o8", "o9", "o10"]
    held = [each for each in history._entries if isinstance(each, Change)]
    assert len(held) == 3


def test_encoded_events_are_kept_within_a_limit() -> None:
    history = History(100, 1 << 30)
    filled(history, 50)
    for each in history.changes():
        history.keep_encoded(each, "key", b"x" * 200_000)
    kept = [each.number for each in history.changes() if each.encoded]
    assert kept == list(range(31, 51)) or kept == list(range(30, 51))
    history.forget_encoded()
    assert not any(each.encoded for each in history.changes())
    history.keep_encoded(history.changes()[0], "key", b"x")
    assert history.changes()[0].encoded == {"key": b"x"}
