"""What a correct watch stream is, as checks of what one subscriber was sent against the truth.

The truth is every revision of every object, read from etcd. It gives the one sequence of
transitions that a subscriber with a selector must see. Each guarantee and its check:

ordered     Versions grow strictly from event to event.
unique      No transition is told twice.
reliable    After each transition comes the very next one of the truth. What lies within a
            GAP, and what a RELISTED hides, is told to be missing and counted apart; then
            the objects must be exactly those of the version where the gap ends.
atomic      Each object is one revision of the truth, whole; at SYNCED all objects
            together are those of one version.
resumable   All of this holds across reconnections with a token, as if there were none; a
            stream that cannot go on says RELISTED first.
bookmarkable  It holds in the same way from the token of any message, bookmarks included.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str]
"""Namespace and name."""
Content = dict[str, Any]
"""An object without metadata.resourceVersion and metadata.managedFields."""


@dataclass(frozen=True)
class Revision:
    """One write: `content` is None for a removal."""

    version: int
    key: Key
    content: Content | None


@dataclass(frozen=True)
class Transition:
    """What a subscriber must see of a write. Of a removed object, `content` is its last."""

    version: int
    type: str
    key: Key
    content: Content


@dataclass(frozen=True)
class Seen:
    """One event as sent. `content` is None where the view has none; `gap` is (after, until)."""

    type: str
    key: Key = ("", "")
    version: int = 0
    content: Content | None = None
    gap: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Violation:
    """A guarantee that does not hold, and what shows it."""

    guarantee: str
    what: str


def written(truth: Iterable[Revision]) -> dict[Key, dict[int, Content]]:
    """What was ever written, by object and version."""
    found: dict[Key, dict[int, Content]] = {}
    for revision in truth:
        if revision.content is not None:
            found.setdefault(revision.key, {})[revision.version] = revision.content
    return found


def transitions(
    truth: Iterable[Revision], chosen: Callable[[Key, Content], bool]
) -> list[Transition]:
    """What a subscriber must see of the truth, oldest first; see the API concept of selectors:
    coming to match is ADDED, ceasing to is DELETED."""
    present: dict[Key, Content] = {}
    found = []
    for revision in truth:
        key, content = revision.key, revision.content
        old = present.get(key)
        was = old is not None and chosen(key, old)
        now = content is not None and chosen(key, content)
        if content is None:
            present.pop(key, None)
        else:
            present[key] = content
        if now and content is not None:
            found.append(Transition(revision.version, "MODIFIED" if was else "ADDED", key, content))
        elif was and old is not None:
            found.append(Transition(revision.version, "DELETED", key, content or old))
    return found


@dataclass
class Counts:
    """What a check has counted. `hidden` are transitions within gaps that were told."""

    seen: int = 0
    lost: int = 0
    repeated: int = 0
    out_of_order: int = 0
    torn: int = 0
    relists: int = 0
    gaps: int = 0
    hidden: int = 0


@dataclass
class StreamCheck:
    """Follows one subscriber. Feed it with `take`, ask `violations`; `copy` it to branch."""

    expected: Sequence[Transition]
    written: Mapping[Key, Mapping[int, Content]]
    counts: Counts = field(default_factory=Counts)
    violations: list[Violation] = field(default_factory=list)
    _objects: dict[Key, int] = field(default_factory=dict)
    _next: int = 0
    _places: frozenset[int] = frozenset()
    _begun: bool = False
    _stating: bool = True
    _gap: tuple[int, int] | None = None
    _told_in_gap: int = 0

    def copy(self) -> StreamCheck:
        """The same place in the stream, with counts of its own."""
        made = copy.copy(self)
        made.counts, made.violations = Counts(), []
        made._objects = dict(self._objects)
        return made

    @property
    def objects(self) -> dict[Key, int]:
        """What the subscriber has now, with versions."""
        return dict(self._objects)

    def take(self, seen: Seen) -> None:
        """The next event of the stream."""
        match seen.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                self.counts.seen += 1
                self._check_content(seen)
                if self._gap is not None and seen.version > self._gap[1]:
                    self._gap_ended(self._gap[1])
                if self._stating or self._gap is not None:
                    self._take_difference(seen)
                else:
                    self._take_transition(seen)
            case "RELISTED":
                self.counts.relists += 1
                self._objects.clear()
                self._stating, self._gap = True, None
            case "SYNCED":
                if self._stating:
                    self._synced()
            case "GAP":
                self.counts.gaps += 1
                if not self._stating:
                    self._gap = (self._gap or seen.gap)[0], seen.gap[1]
            case "BOOKMARK":
                if self._gap is not None:
                    self._gap_ended(self._gap[1])
            case _:
                pass

    def finish(self, version: int) -> None:
        """The subscriber must have been told everything up to a version."""
        if self._stating:
            self._fail("reliable", "the state was never completed")
        if self._gap is not None:
            self._gap_ended(self._gap[1])
        place = max(self._places, default=self._next)
        rest = [each for each in self.expected[place:] if each.version <= version]
        if rest:
            self.counts.lost += len(rest)
            self._fail("reliable", f"the last {len(rest)} never came, from {_shown(rest[0])}")

    # One transition after the other

    def _take_transition(self, seen: Seen) -> None:
        index = self._index_of(seen)
        if index in self._places:
            self._next = index
        self._places = frozenset()
        if index is None:
            self._fail("reliable", f"{_shown(seen)} never happened")
            return
        if index < self._next:
            already = self._objects.get(seen.key) == seen.version or seen.type == "DELETED"
            if already:
                self.counts.repeated += 1
                self._fail("unique", f"{_shown(seen)} was told again")
            else:
                self.counts.out_of_order += 1
                self._fail("ordered", f"{_shown(seen)} came late")
            return
        if index > self._next:
            skipped = self.expected[self._next : index]
            self.counts.lost += len(skipped)
            self._fail("reliable", f"{len(skipped)} missing before {_shown(seen)}: {skipped[0]}")
        self._next = index + 1
        self._apply(seen)

    def _index_of(self, seen: Seen) -> int | None:
        low, high = 0, len(self.expected)
        while low < high:
            middle = (low + high) // 2
            if self.expected[middle].version < seen.version:
                low = middle + 1
            else:
                high = middle
        if low < len(self.expected):
            found = self.expected[low]
            if (found.version, found.type, found.key) == (seen.version, seen.type, seen.key):
                return low
        return None

    # The whole state, or the difference after a gap

    def _take_difference(self, seen: Seen) -> None:
        self._told_in_gap += not self._stating
        known = self._objects.get(seen.key)
        if (known is not None) is (seen.type == "ADDED"):
            self._fail("unique", f"{_shown(seen)} does not fit what was told before")
        if known is not None and seen.version < known:
            self.counts.out_of_order += 1
            self._fail("ordered", f"{_shown(seen)} is older than {known}")
        if known is not None and seen.version == known and seen.type == "MODIFIED":
            self.counts.repeated += 1
            self._fail("unique", f"{_shown(seen)} was told again")
        self._apply(seen)

    def _synced(self) -> None:
        self._stating = False
        newest = max(self._objects.values(), default=0)
        # The same objects may be those of several versions: what comes next decides.
        self._places = frozenset(
            index
            for index, state in _states(self.expected)
            if state == self._objects
            and (index == 0 or self.expected[index - 1].version >= newest)
            and (not self._begun or index >= self._next)
        )
        self._begun = True
        if not self._places:
            self._fail("atomic", "the objects at SYNCED are not those of any one version")
        after = sum(each.version <= newest for each in self.expected)
        self._next = min(self._places, default=after)

    def _gap_ended(self, until: int) -> None:
        assert self._gap is not None
        self._gap = None
        self._places = frozenset()
        place = sum(each.version <= until for each in self.expected)
        self.counts.hidden += max(0, place - self._next - self._told_in_gap)
        self._told_in_gap = 0
        if dict(_state_at(self.expected, place)) != self._objects:
            self._fail("reliable", f"after a gap up to {until} the objects are not those of then")
        self._next = max(self._next, place)

    def _apply(self, seen: Seen) -> None:
        if seen.type == "DELETED":
            self._objects.pop(seen.key, None)
        else:
            self._objects[seen.key] = seen.version

    def _check_content(self, seen: Seen) -> None:
        if seen.content is None:
            return
        versions = self.written.get(seen.key, {})
        # A removed object comes in its last state, with the version of the removal.
        whole = seen.content == versions.get(seen.version) or (
            seen.type == "DELETED" and seen.content in versions.values()
        )
        if not whole:
            self.counts.torn += 1
            self._fail("atomic", f"{_shown(seen)} is not what was written")

    def _fail(self, guarantee: str, what: str) -> None:
        self.violations.append(Violation(guarantee, what))


@dataclass
class CoalescedCheck(StreamCheck):
    """Follows a subscriber that asked for the newest states only.

    Versions grow all the same; every object told is one revision of the truth; additions,
    changes and removals fit what was told before; in the end nothing is missing.
    """

    _newest: int = 0

    def take(self, seen: Seen) -> None:
        match seen.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                self.counts.seen += 1
                self._check_content(seen)
                self._take_difference(seen)
                if not self._stating and seen.type != "DELETED":
                    if seen.version <= self._newest:
                        self.counts.out_of_order += 1
                        self._fail("ordered", f"{_shown(seen)} came after {self._newest}")
                    self._newest = seen.version
            case "SYNCED" if self._stating:
                self._stating = False
                self._newest = 0
            case "RELISTED":
                self.counts.relists += 1
                self._objects.clear()
                self._stating = True
            case "GAP":
                self._fail("reliable", "a subscriber of newest states needs no gaps")
            case _:
                pass

    def finish(self, version: int) -> None:
        place = sum(each.version <= version for each in self.expected)
        if dict(_state_at(self.expected, place)) != self._objects:
            self.counts.lost += 1
            self._fail("reliable", "the last objects are not the present ones")


def _states(expected: Sequence[Transition]) -> Iterable[tuple[int, dict[Key, int]]]:
    """The objects before each transition and after the last; one dict, changed on the way."""
    state: dict[Key, int] = {}
    yield 0, state
    for index, each in enumerate(expected, 1):
        if each.type == "DELETED":
            state.pop(each.key, None)
        else:
            state[each.key] = each.version
        yield index, state


def _state_at(expected: Sequence[Transition], place: int) -> dict[Key, int]:
    return dict(next(state for index, state in _states(expected) if index == place))


def _shown(each: Seen | Transition) -> str:
    return f"{each.type} {'/'.join(each.key)} at {each.version}"


def by_guarantee(violations: Iterable[Violation]) -> dict[str, int]:
    """How many violations of each guarantee."""
    return dict(Counter(each.guarantee for each in violations))
