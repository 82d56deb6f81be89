"""The newest state in place of every change: what is told leads to the same objects."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import NOWHERE, KindCache
from services.k8s_resource.domain.selection import parse_selection
from services.k8s_resource.domain.watching.coalescing import MAX_BYTES, Coalescer
from services.k8s_resource.domain.watching.events import View, WatchTarget
from services.k8s_resource.domain.watching.feed import TargetFeed

ADDED, MODIFIED, DELETED = ChangeType.ADDED, ChangeType.MODIFIED, ChangeType.DELETED


class Words:
    """An encoder that writes what a test can read."""

    view = View.NAME

    def change(self, target: WatchTarget, type_: ChangeType, change: Change) -> bytes:
        return self.merged(target, type_, change, 0)

    def merged(self, target: WatchTarget, type_: ChangeType, change: Change, earlier: int) -> bytes:
        return f"{type_.value} {change.item.key[1]} {change.item.version} +{earlier}".encode()


@dataclass
class Watched:
    cache: KindCache
    feed: TargetFeed
    coalescer: Coalescer

    def apply(self, type_: ChangeType, name: str, version: int, **more: Any) -> None:
        self.cache.apply(type_, pod(name, version, **more))

    def taken(self, max_bytes: int = 1 << 20) -> list[str]:
        events, _ = self.coalescer.take(max_bytes)
        return [event.decode() for event in events]


def pod(name: str, version: int, uid: str = "", color: str = "red", text: str = "") -> Item:
    metadata = {
        "name": name,
        "namespace": "d",
        "uid": uid or name,
        "resourceVersion": str(version),
        "labels": {"color": color, "text": text},
    }
    body = msgspec.json.encode({"metadata": metadata})
    return KindDecoder(kinds.POD, keep_raw=False).item(body)


def watching(*present: Item, selector: str = "") -> Watched:
    cache = KindCache(kinds.POD, History(100_000, 1 << 30))
    cache.replace(present, 10, raw=False)
    selection = parse_selection(kinds.POD, "", selector, "")
    watched: Any = type("Watched", (), {"cache": cache})
    api: Any = None
    encoder: Any = Words()
    feed = TargetFeed(WatchTarget(0, api, watched, selection), encoder, lambda: None)
    feed.up_to_date()
    cache.subscribe(feed)
    coalescer = Coalescer(encoder)
    coalescer.begin(feed)
    return Watched(cache, feed, coalescer)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(ADDED, "new", 11), (MODIFIED, "new", 12)], ["ADDED new 12 +1"]),
        ([(ADDED, "new", 11), (DELETED, "new", 12)], []),
        ([(MODIFIED, "old", 11), (MODIFIED, "old", 12), (MODIFIED, "old", 13)], ["MODIFIED old 13 +2"]),
        ([(MODIFIED, "old", 11), (DELETED, "old", 12)], ["DELETED old 12 +1"]),
        ([(DELETED, "old", 11), (ADDED, "old", 12, "b")], ["DELETED old 11 +1", "ADDED old 12 +0"]),
        (
            [(DELETED, "old", 11), (ADDED, "old", 12, "b"), (DELETED, "old", 13, "b")],
            ["DELETED old 11 +2"],
        ),
        (
            [(MODIFIED, "old", 11), (ADDED, "new", 12), (MODIFIED, "old", 13)],
            ["ADDED new 12 +0", "MODIFIED old 13 +1"],
        ),
    ],
)  # fmt: skip
def test_the_changes_of_one_object_become_one(changes: list[Any], expected: list[str]) -> None:
    watched = watching(pod("old", 5))
    for type_, name, version, *uid in changes:
        watched.apply(type_, name, version, uid=uid[0] if uid else "")
    assert watched.taken() == expected
    assert watched.taken() == []


def test_what_comes_to_match_a_selector_and_ceases_to() -> None:
    watched = watching(pod("red", 5), pod("blue", 6, color="blue"), selector="color=red")
    watched.apply(MODIFIED, "red", 11, color="blue")
    watched.apply(MODIFIED, "blue", 12, color="red")
    assert watched.taken() == ["DELETED red 11 +0", "ADDED blue 12 +0"]
    watched.apply(MODIFIED, "blue", 13, color="blue")
    watched.apply(MODIFIED, "blue", 14, color="red")
    assert watched.taken() == ["MODIFIED blue 14 +1"]
    watched.apply(MODIFIED, "red", 15, color="red")
    watched.apply(MODIFIED, "red", 16, color="blue")
    assert watched.taken() == []


def test_there_is_a_place_to_go_on_from_only_when_nothing_is_pending() -> None:
    watched = watching()
    for number in range(3):
        watched.apply(ADDED, f"p{number}", 11 + number)
    assert watched.taken(1) == ["ADDED p0 11 +0"]
    assert watched.feed.position == NOWHERE
    watched.apply(MODIFIED, "p1", 20)
    assert watched.taken(1) == ["ADDED p2 13 +0"]
    assert watched.taken(1) == ["ADDED p1 20 +1"]
    assert watched.feed.position == watched.cache.position


def test_too_much_pending_is_told_and_costs_no_more() -> None:
    watched = watching()
    for number in range(MAX_BYTES // 400 + 1):
        watched.apply(ADDED, f"p{number}", 11 + number)
    assert watched.coalescer.lost() == [watched.feed]
    watched.apply(ADDED, "later", 100_000)
    assert watched.taken() == []
    watched.coalescer.stop(watched.feed)
    watched.feed.up_to_date()
    watched.coalescer.begin(watched.feed)
    assert watched.coalescer.lost() == []
    watched.apply(MODIFIED, "later", 100_001)
    assert watched.taken() == ["MODIFIED later 100001 +0"]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_a_subscriber_ends_with_the_present_objects(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    watched = watching(selector="color=red")
    known: dict[str, int] = {}
    version, lives = 10, 0
    for _ in range(400):
        version += 1
        name = f"p{chance.randrange(5)}"
        present = watched.cache.store.get(("d", name))
        color = chance.choice(["red", "blue"])
        if present is None:
            lives += 1
            watched.apply(ADDED, name, version, uid=f"u{lives}", color=color)
        elif chance.random() < 0.3:
            watched.apply(DELETED, name, version, uid=present.uid, color=color)
        else:
            watched.apply(MODIFIED, name, version, uid=present.uid, color=color)
        if chance.random() < 0.1:
            for event in watched.taken(chance.choice([1, 60, 10_000])):
                _tell(known, event)
    for event in watched.taken():
        _tell(known, event)
    assert known == {
        item.key[1]: item.version
        for item in watched.cache.store.items()
        if (item.labels or {})["color"] == "red"
    }


def _tell(known: dict[str, int], event: str) -> None:
    type_, name, version, _ = event.split()
    assert (name in known) is (type_ != "ADDED")
    if type_ == "DELETED":
        del known[name]
    else:
        assert known.get(name, 0) < int(version)
        known[name] = int(version)
