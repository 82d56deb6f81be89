"""Keeps a `PartialCache` up to date: finds the namespaces that may be read, and follows them.

Rights come and go without a sign, so they are looked at again and again: those of the
namespaces here, that of the whole cluster by its own list-watch, which goes on trying.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol

from services.common.errors import PermissionDeniedError, PodyardError
from services.common.logs import get_logger
from services.k8s_resource.domain.access_reviews import Action, review
from services.k8s_resource.domain.cache.item import Change, Gap
from services.k8s_resource.domain.cache.kind_cache import KindCache, MarkType
from services.k8s_resource.domain.cache.partial_cache import PartialCache
from services.k8s_resource.domain.cache.source import Source, until_loaded, until_raw
from services.k8s_resource.domain.forbidden import REASON, MissingRight
from services.k8s_resource.domain.ports import KubeApi

_LOOK_SECONDS = 3.0
_REVIEW_SECONDS = 5.0
_REVIEWS_PER_SECOND = 20
_PARALLEL_REVIEWS = 8
_LOOKED_AT_ONCE = 100
_NAMED = 5
WHOLE = ""
"""In place of a namespace: the whole cluster."""


class Followed(Protocol):
    """A cache and what feeds it (`clusters.WatchedKind`)."""

    cache: KindCache
    source: Source

    def raw_wanted(self) -> AbstractContextManager[None]:
        """Whole objects are kept for as long as this is held."""


class Namespaces(Protocol):
    """Which namespaces to look in."""

    async def known(self) -> tuple[Sequence[str], bool]:
        """Their names, and whether those are all that the cluster has."""

    async def changed(self) -> None:
        """Return when that may have changed."""


class PartialSource:
    """The task that feeds one partial cache; a `source.Source`."""

    def __init__(
        self,
        api: KubeApi,
        cache: PartialCache,
        namespaces: Namespaces,
        follow: Callable[[str], Followed],
    ) -> None:
        """`follow` gives the cache of one namespace, or of the `WHOLE` cluster."""
        self._api = api
        self._cache = cache
        self._namespaces = namespaces
        self._follow = follow
        self._members: dict[str, _Member] = {}
        self._denied: dict[str, float] = {}
        self._complete = False
        self._looked = False
        self._anew = False
        self._keep_raw = False
        self._user = ""
        self._wake = asyncio.Event()
        self._resource = cache.kind.resource
        self._log = get_logger("cache").bind(kind=self._resource.full_name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which namespaces are not included, and what would help."""
        if WHOLE in self._members:
            return ()
        notes = []
        if self._denied:
            names = _listed(sorted(self._denied))
            notes.append(
                f"{self._resource.full_name}: not included is what is in {names}, which may not be "
                f"listed; {self._right.remedy}"
            )
        if not self._complete:
            looked_at = _listed(sorted({*self._members, *self._denied})) or "none"
            notes.append(
                f"{self._resource.full_name}: the namespaces of this cluster may not be listed, "
                f"only these were looked at: {looked_at}; PODYARD_K8S_RESOURCE_NAMESPACES names more"
            )
        return tuple(notes)

    async def run(self) -> None:
        """Follow what may be read until cancelled."""
        try:
            while True:
                try:
                    await self._look()
                except PodyardError as error:
                    self._cache.failed(error)
                except Exception as error:  # noqa: BLE001 - nothing may end the task silently
                    self._log.error("partial view failed", exc_info=error)
                await self._pause()
        finally:
            for namespace in list(self._members):
                self._leave(namespace)

    def kick(self) -> None:
        """Look for rights at once, unless there is so much to look at that it is done steadily."""
        if len(self._denied) <= _LOOKED_AT_ONCE:
            self._denied = dict.fromkeys(self._denied, 0.0)
        self._wake.set()

    async def ready(self) -> None:
        """Wait until what may be read is there; PermissionDeniedError if nothing may be."""
        await until_loaded(self._cache, self.kick)

    async def keep_raw(self) -> None:
        """Keep whole objects from now on; returns when they are there."""
        self._keep_raw = True
        for member in list(self._members.values()):
            await member.keep_raw()
        self._synchronise()
        await until_raw(self._cache, self.kick)

    def drop_raw(self) -> None:
        """Keep whole objects no more."""
        self._keep_raw = False
        for member in self._members.values():
            member.drop_raw()
        self._cache.drop_raw()

    async def catch_up(self) -> None:
        """Return when every part holds everything that was written before this call."""
        members = list(self._members.values())
        results = await asyncio.gather(
            *(member.followed.source.catch_up() for member in members), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    # What the members tell

    def member_changed(self, change: Change) -> None:
        """An object of an included member changed."""
        self._cache.take(change)

    def member_skipped(self, gap: Gap) -> None:
        """An included member does not know all that happened to it."""
        self._cache.skip(gap)

    def member_news(self) -> None:
        """A member was loaded, lost its connection or has it again."""
        if self._looked:
            self._synchronise()

    def member_ended(self, namespace: str) -> None:
        """A member's cache was given up, as when a right was taken away."""
        self._leave(namespace)
        # It may have been read until now: what a subscriber holds of it is not deleted.
        self._anew = True
        self._wake.set()

    # Looking

    async def _look(self) -> None:
        whole = self._follow(WHOLE)
        if isinstance(whole.cache.problem, PermissionDeniedError):
            self._user = whole.cache.problem.metadata.get("user", "")
        if WHOLE not in self._members:
            if whole.cache.loaded:
                self._log.info("the whole cluster may be read now")
                for namespace in list(self._members):
                    self._leave(namespace)
                self._denied.clear()
                await self._join(WHOLE, whole)
            else:
                await self._look_at_namespaces()
        self._looked = True
        self._synchronise()

    async def _look_at_namespaces(self) -> None:
        known, self._complete = await self._namespaces.known()
        for gone in {*self._members, *self._denied}.difference(known):
            self._denied.pop(gone, None)
            if gone in self._members:
                self._leave(gone)
        now = time.monotonic()
        due = [
            name
            for name in known
            if name not in self._members and self._denied.get(name, 0.0) <= now
        ]
        pause = max(_REVIEW_SECONDS, len(known) / _REVIEWS_PER_SECOND)
        slots = asyncio.Semaphore(_PARALLEL_REVIEWS)

        async def look_at(name: str) -> None:
            async with slots:
                if not await self._may_list(name):
                    self._denied[name] = time.monotonic() + pause
                    return
                await self._join(name, self._follow(name))
                await self._settled(name)

        results = await asyncio.gather(*map(look_at, due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _may_list(self, namespace: str) -> bool:
        action = Action("list", self._resource, namespace)
        try:
            return (await review(self._api, action)).allowed
        except PermissionDeniedError:
            return True  # Reviews are not for everybody: the list itself will show.

    async def _settled(self, namespace: str) -> None:
        """Wait for the first list of a namespace; leave it if it may not be read after all."""
        member = self._members.get(namespace)
        if member is None:
            return
        try:
            await member.followed.source.ready()
        except PermissionDeniedError:
            if self._members.get(namespace) is member:
                self._leave(namespace)
            self._denied[namespace] = time.monotonic() + _REVIEW_SECONDS
        except PodyardError:
            return  # It goes on trying, and the cache says that it is not up to date.

    async def _join(self, namespace: str, followed: Followed) -> None:
        self._denied.pop(namespace, None)
        member = self._members[namespace] = _Member(self, namespace, followed)
        followed.cache.subscribe(member)
        if self._keep_raw:
            await member.keep_raw()

    def _leave(self, namespace: str) -> None:
        member = self._members.pop(namespace)
        member.included = False
        member.followed.cache.unsubscribe(member)
        member.drop_raw()

    def _synchronise(self) -> None:
        """Hold what the members hold, once there is something that may be read."""
        problem: PodyardError | None = None
        parts = []
        for member in self._members.values():
            cache = member.followed.cache
            problem = problem or cache.problem
            # What was told stays, also while it is not there in whole form yet.
            shown = member.included or cache.has_raw or not self._keep_raw
            member.included = cache.loaded and shown
            if member.included:
                parts.append(cache)
        if not parts:
            if problem is None and self._cache.loaded:
                # What was read before is not shown to anyone any more.
                self._cache.end(self._nothing())
            else:
                self._cache.failed(problem or self._nothing())
            return
        if self._anew:
            self._anew = False
            self._cache.restart("what may be read has changed")
        raw = self._keep_raw and all(part.has_raw for part in parts)
        self._cache.synchronise(parts, raw=raw)
        if problem is None:
            self._cache.connected()
        else:
            self._cache.failed(problem)

    def _nothing(self) -> PermissionDeniedError:
        right = self._right
        notes = "; ".join(self.notes)
        return PermissionDeniedError(
            f"the credentials used for this cluster may not {right.what}; {right.remedy} ({notes})",
            reason=REASON,
            metadata=right.metadata(),
        )

    @property
    def _right(self) -> MissingRight:
        return MissingRight(self._user, "list", self._resource.plural, self._resource.group)

    async def _pause(self) -> None:
        news = asyncio.create_task(self._namespaces.changed())
        woken = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({news, woken}, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")
        finally:
            news.cancel()
            woken.cancel()
            await asyncio.gather(news, woken, return_exceptions=True)
        self._wake.clear()


class _Member:
    """One namespace, or the whole cluster: passes on what happens there."""

    def __init__(self, owner: PartialSource, namespace: str, followed: Followed) -> None:
        self.followed = followed
        self.included = False
        self._owner = owner
        self._namespace = namespace
        self._passed = followed.cache.history.last
        self._held = ExitStack()

    async def keep_raw(self) -> None:
        """Have whole objects kept."""
        self._held.enter_context(self.followed.raw_wanted())
        await self.followed.source.keep_raw()

    def drop_raw(self) -> None:
        """Whole objects are not wanted here any more."""
        self._held.close()

    def changed(self, change: Change) -> None:
        """An object changed."""
        self._pass_on_gaps(change.number - 1)
        self._passed = change.number
        if self.included:
            self._owner.member_changed(change)

    def marked(self, mark: MarkType, message: str) -> None:
        """The connection was lost, or is there again."""
        self._pass_on_gaps(self.followed.cache.history.last)
        if mark is not MarkType.BOOKMARK:
            self._owner.member_news()

    def reloaded(self) -> None:
        """The store was filled anew."""
        self._passed = self.followed.cache.history.last
        self._owner.member_news()

    def ended(self, error: PodyardError) -> None:
        """There will be nothing more."""
        self._owner.member_ended(self._namespace)

    def _pass_on_gaps(self, number: int) -> None:
        """Gaps are in the history only, before the changes that they are about."""
        if number == self._passed:
            return
        entries = self.followed.cache.history.after(self._passed) or ()
        self._passed = number
        for entry in entries:
            if self.included and isinstance(entry, Gap) and entry.number <= number:
                self._owner.member_skipped(entry)


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"namespace {names[0]}"
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"namespaces {shown}{more}" if names else ""
