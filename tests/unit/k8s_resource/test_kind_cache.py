"""The state of one kind: events, comparisons, history."""

from __future__ import annotations

import msgspec

from services.common.errors import PodyardError, UnavailableError
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import Change, ChangeType, Gap, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache, MarkType, Position


def pod(
    name: str,
    version: int,
    *,
    uid: str = "",
    labels: dict[str, str] | None = None,
    raw: bool = False,
) -> Item:
    body = {
        "metadata": {
            "name": name, "namespace": "d", "uid": uid or name, "resourceVersion": str(version),
            "labels": labels,
        }
    }  # fmt: skip
    return KindDecoder(kinds.POD, keep_raw=raw).item(msgspec.json.encode(body))


class Recorder:
    def __init__(self) -> None:
        self.told: list[str] = []

    def changed(self, change: Change) -> None:
        self.told.append(f"{change.type.value} {change.item.key[1]} {change.item.version}")

    def marked(self, mark: MarkType, message: str) -> None:
        self.told.append(mark.value)

    def reloaded(self) -> None:
        self.told.append("reloaded")

    def ended(self, error: PodyardError) -> None:
        self.told.append("ended")


def loaded(*items: Item, history: int = 10) -> tuple[KindCache, Recorder]:
    cache = KindCache(kinds.POD, History(history, 1 << 20))
    cache.replace(items, 10, raw=False)
    recorder = Recorder()
    cache.subscribe(recorder)
    return cache, recorder


def changes_after(cache: KindCache, position: Position) -> list[Change] | None:
    entries = cache.entries_after(position)
    return None if entries is None else [each for each in entries if isinstance(each, Change)]


def test_events_are_told_once_whichever_watch_brings_them() -> None:
    cache, recorder = loaded(pod("a", 5))
    for _ in range(2):
        cache.apply(ChangeType.MODIFIED, pod("a", 11))
        cache.apply(ChangeType.ADDED, pod("b", 12))
        cache.apply(ChangeType.DELETED, pod("a", 13))
    assert recorder.told == ["MODIFIED a 11", "ADDED b 12", "DELETED a 13"]
    assert cache.version == 13


def test_a_new_list_is_told_as_the_difference() -> None:
    cache, recorder = loaded(pod("gone", 1), pod("same", 2), pod("changed", 3), pod("reborn", 4))
    same = cache.store.get(("d", "same"))
    before = cache.position
    cache.replace(
        [pod("new", 19), pod("same", 2), pod("changed", 15), pod("reborn", 17, uid="other")],
        20,
        raw=False,
        lost="too old",
    )
    assert recorder.told == [
        "DELETED gone 1", "DELETED reborn 4", "MODIFIED changed 15", "ADDED reborn 17",
        "ADDED new 19", "BOOKMARK",
    ]  # fmt: skip
    gap = cache.entries_after(before)
    assert gap
    assert isinstance(gap[0], Gap)
    assert (gap[0].after, gap[0].until, gap[0].reason) == (10, 20, "too old")
    assert cache.store.get(("d", "same")) is same
    assert (cache.version, cache.position.version) == (20, 20)


def test_a_list_that_a_watch_has_overtaken_changes_nothing() -> None:
    cache, recorder = loaded(pod("a", 5))
    cache.apply(ChangeType.ADDED, pod("b", 30))
    cache.replace([pod("a", 5)], 20, raw=False)
    assert recorder.told == ["ADDED b 30"]
    assert len(cache.store) == 2


def test_history_gives_what_came_after_a_position_until_it_is_too_old() -> None:
    cache, _ = loaded(history=3)
    start = cache.position
    for version in (11, 12, 13):
        cache.apply(ChangeType.ADDED, pod(f"p{version}", version))
    missed = changes_after(cache, start)
    assert missed is not None
    assert [change.item.version for change in missed] == [11, 12, 13]
    middle = Position(start.instance, missed[1].number, 12)
    assert [c.version for c in changes_after(cache, middle) or ()] == [13]
    assert cache.entries_after(cache.position) == []
    cache.apply(ChangeType.ADDED, pod("p14", 14))
    assert cache.entries_after(start) is None
    assert cache.entries_after(Position(b"another", missed[1].number, 12)) is None


def test_an_event_of_a_reborn_object_tells_the_end_of_the_old_one() -> None:
    cache, recorder = loaded(pod("a", 5, uid="one"))
    cache.apply(ChangeType.ADDED, pod("a", 12, uid="two"))
    assert recorder.told == ["DELETED a 5", "ADDED a 12"]


def test_the_label_index_follows_changes() -> None:
    cache, _ = loaded(pod("a", 5, labels={"app": "x"}), pod("b", 6, labels={"app": "x"}))
    assert cache.store.labelled("app", "x") == {("d", "a"), ("d", "b")}
    cache.apply(ChangeType.MODIFIED, pod("a", 11, labels={"app": "y"}))
    cache.apply(ChangeType.DELETED, pod("b", 12))
    assert cache.store.labelled("app", "x") == frozenset()
    assert cache.store.labelled("app", "y") == {("d", "a")}


def test_connection_marks_come_once_each() -> None:
    cache, recorder = loaded()
    for _ in range(3):
        cache.failed(UnavailableError("down"))
    assert cache.freshness().stale
    assert cache.freshness().reason == "down"
    cache.connected()
    cache.connected()
    assert recorder.told == ["DISCONNECTED", "RECONNECTED"]
    assert not cache.freshness().stale


def test_a_kind_that_is_removed_loses_its_objects_and_may_come_back() -> None:
    cache, recorder = loaded(pod("a", 5))
    cache.missing()
    assert cache.absent
    assert recorder.told == ["DELETED a 5", "BOOKMARK"]
    cache.replace([pod("a", 15)], 16, raw=False)
    assert not cache.absent
    assert recorder.told[2:] == ["ADDED a 15", "BOOKMARK"]


def test_a_history_that_was_set_back_voids_positions() -> None:
    cache, recorder = loaded(pod("a", 5))
    before = cache.position
    cache.restart("a backup was restored")
    cache.replace([pod("a", 2)], 3, raw=False)
    assert cache.entries_after(before) is None
    assert recorder.told == ["reloaded"]
    assert cache.version == 3


def test_an_odd_object_is_kept_with_its_metadata() -> None:
    body = (
        b'{"metadata":{"resourceVersion":"7"},"items":['
        b'{"metadata":{"name":"odd","namespace":"d","resourceVersion":"3"},"spec":"?"},'
        b'{"metadata":{"name":"good","namespace":"d","resourceVersion":"4"},"spec":{"nodeName":"n"}}]}'
    )
    page = KindDecoder(kinds.POD, keep_raw=False).page(body)
    assert [item.key[1] for item in page.items] == ["odd", "good"]
    assert page.items[0].decoded.spec.node_name == ""
    assert page.items[1].decoded.spec.node_name == "n"


def test_raw_objects_lose_managed_fields_and_gain_their_type() -> None:
    body = (
        b'{"metadata":{"name":"a","namespace":"d","resourceVersion":"3","managedFields":[{}]},'
        b'"spec":{"x":1.50,"y":"\xc3\xa9"}}'
    )
    item = KindDecoder(kinds.POD, keep_raw=True).item(body)
    assert item.raw == (
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"d",'
        b'"resourceVersion":"3"},"spec":{"x":1.50,"y":"\xc3\xa9"}}'
    )


def test_whole_objects_that_nobody_wants_are_kept_nowhere() -> None:
    cache = KindCache(kinds.POD, History(10, 1 << 20))
    cache.replace([pod("a", 5, raw=True), pod("b", 6, raw=True)], 10, raw=True)
    cache.apply(ChangeType.MODIFIED, pod("a", 11, raw=True))
    cache.apply(ChangeType.DELETED, pod("b", 12, raw=True))
    changes = cache.history.changes()
    assert changes
    for change in changes:
        cache.history.keep_encoded(change, "whole", change.item.raw or b"")
    cache.drop_raw()
    kept = [item for change in changes for item in (change.item, change.old) if item is not None]
    assert [item.raw for item in [*kept, *cache.store.items()]] == [None] * 5
    assert not any(change.encoded for change in changes)
