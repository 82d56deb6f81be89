"""The capture rules: read, made, changed and deleted, durably and by whoever comes first."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from services.common.errors import (
    AlreadyExistsError,
    ConflictError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PodyardError,
    UnavailableError,
)
from services.common.paging import decode_token, encode_token, fingerprint
from services.k8s_resource.domain.captured.rules import CaptureRule, check_rule

DEFAULT_PAGE_SIZE = 100
_REMEMBERED_REQUESTS = 1000


class CaptureOffError(FailedPreconditionError):
    """The service was started without a folder to keep logs in."""

    reason = "CAPTURE_OFF"

    def __init__(self) -> None:
        super().__init__(
            "this service has no state folder, so it keeps no logs; set "
            "PODYARD_K8S_RESOURCE_STATE to a folder and start it again"
        )


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A change that was made under an idempotency key."""

    id: str
    action: str
    rule: str
    digest: str


class RuleTable(msgspec.Struct, frozen=True):
    """All that is kept. `seed` is the digest of the rules file that was applied last."""

    rules: tuple[CaptureRule, ...] = ()
    requests: tuple[Request, ...] = ()
    seed: str = ""


class RuleStore(Protocol):
    """Keeps the table."""

    def load(self) -> RuleTable:
        """The table as it was saved last; FailedPreconditionError if it cannot be read."""

    def save(self, table: RuleTable) -> None:
        """Replace the table: wholly or not at all, and durably.

        UnavailableError if it cannot be written.
        """


@dataclass(frozen=True, slots=True)
class RulePage:
    """Some rules in order of name. `next_token` is empty on the last page."""

    rules: list[CaptureRule]
    next_token: str
    total: int


class RuleBook:
    """The rules by name. `changed` is called after each change."""

    def __init__(
        self,
        store: RuleStore | None,
        cluster_name: Callable[[str], str],
        changed: Callable[[], None],
    ) -> None:
        """Without a store, every call says how to switch capture on. `cluster_name` gives the
        name of a cluster, of the default one for "", and raises NotFoundError."""
        self._store = store
        self._cluster_name = cluster_name
        self._changed = changed
        self._table = RuleTable()
        self._loaded = False
        self._problem: PodyardError | None = None
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read what was kept. FailedPreconditionError, which calls are told from then on."""
        try:
            self._table = await asyncio.to_thread(self._configured().load)
        except PodyardError as error:
            self._problem = error
            raise
        self._loaded = True
        self._changed()

    async def seed(self, rules: Sequence[CaptureRule], digest: str) -> None:
        """Make or change the rules of a settings file, unless just this file was applied before:
        what was changed since by calls stays."""
        async with self._lock:
            if digest == self._table.seed:
                return
            kept = {rule.name: rule for rule in self._table.rules}
            for rule in rules:
                check_rule(rule, prefix=f"{rule.name}.")
                old = kept.get(rule.name)
                now = time.time_ns()
                made = old.create_time if old is not None else now
                kept[rule.name] = msgspec.structs.replace(rule, create_time=made, update_time=now)
            await self._save(RuleTable(_sorted(kept.values()), self._table.requests, digest))

    @property
    def rules(self) -> tuple[CaptureRule, ...]:
        """All rules in order of name."""
        return self._table.rules

    def get(self, name: str) -> CaptureRule:
        """One rule; NotFoundError."""
        self._needed()
        for rule in self._table.rules:
            if rule.name == name:
                return rule
        raise NotFoundError("capture rule", name)

    def list(self, page_size: int, page_token: str) -> RulePage:
        """A page of rules."""
        self._needed()
        query = fingerprint("capture rules")
        after = decode_token(page_token, query, str) if page_token else ""
        size = page_size or DEFAULT_PAGE_SIZE
        rest = [rule for rule in self._table.rules if rule.name > after]
        token = encode_token(query, rest[size - 1].name) if len(rest) > size else ""
        return RulePage(rest[:size], token, len(self._table.rules))

    async def create(
        self, rule: CaptureRule, *, validate_only: bool, request_id: str
    ) -> CaptureRule:
        """A new rule; InvalidArgumentError, AlreadyExistsError."""
        self._needed()
        rule = self._checked(rule)
        async with self._lock:
            request = Request(request_id, "create", rule.name, rule.content.etag)
            existing = self._existing(rule.name)
            if existing is not None:
                if self._was_made(request):
                    return existing
                raise AlreadyExistsError("capture rule", rule.name)
            self._was_made(request)
            now = time.time_ns()
            made = msgspec.structs.replace(rule, create_time=now, update_time=now)
            if not validate_only:
                await self._put(made, request)
            return made

    async def update(
        self, rule: CaptureRule, *, etag: str, validate_only: bool, request_id: str
    ) -> CaptureRule:
        """The rule in place of the one of its name; NotFoundError, ConflictError by etag."""
        self._needed()
        rule = self._checked(rule)
        async with self._lock:
            request = Request(request_id, "update", rule.name, rule.content.etag)
            old = self.get(rule.name)
            if self._was_made(request):
                return old
            _check_etag(old, etag)
            new = msgspec.structs.replace(
                rule, create_time=old.create_time, update_time=time.time_ns()
            )
            if new.content == old.content:
                return old
            if not validate_only:
                await self._put(new, request)
            return new

    async def delete(self, name: str, *, etag: str, validate_only: bool, request_id: str) -> None:
        """Take a rule away; NotFoundError, ConflictError by etag."""
        self._needed()
        async with self._lock:
            request = Request(request_id, "delete", name, "")
            if self._was_made(request) and self._existing(name) is None:
                return
            _check_etag(self.get(name), etag)
            if not validate_only:
                rules = tuple(rule for rule in self._table.rules if rule.name != name)
                await self._save(RuleTable(rules, self._noted(request), self._table.seed))

    def _configured(self) -> RuleStore:
        if self._store is None:
            raise CaptureOffError
        return self._store

    def _needed(self) -> RuleStore:
        store = self._configured()
        if self._problem is not None:
            raise self._problem
        if not self._loaded:
            raise UnavailableError(
                "the capture rules are being read, or another process has their folder",
                retry_after=1.0,
                reason="CAPTURE_OPENING",
            )
        return store

    def _checked(self, rule: CaptureRule) -> CaptureRule:
        check_rule(rule)
        try:
            cluster = self._cluster_name(rule.cluster)
        except NotFoundError as error:
            raise InvalidArgumentError.field("rule.cluster", error.message) from error
        return msgspec.structs.replace(rule, cluster=cluster)

    def _existing(self, name: str) -> CaptureRule | None:
        return next((rule for rule in self._table.rules if rule.name == name), None)

    def _was_made(self, request: Request) -> bool:
        """Whether this very change was made before; AlreadyExistsError if the key was another's."""
        if not request.id:
            return False
        for made in self._table.requests:
            if made.id == request.id:
                if made != request:
                    raise AlreadyExistsError(
                        "request",
                        request.id,
                        f'request_id "{request.id}" was used for another change of a capture '
                        "rule; give each change its own",
                        reason="REQUEST_ID_REUSED",
                    )
                return True
        return False

    def _noted(self, request: Request) -> tuple[Request, ...]:
        if not request.id:
            return self._table.requests
        return (*self._table.requests, request)[-_REMEMBERED_REQUESTS:]

    async def _put(self, rule: CaptureRule, request: Request) -> None:
        others = [kept for kept in self._table.rules if kept.name != rule.name]
        table = RuleTable(_sorted([*others, rule]), self._noted(request), self._table.seed)
        await self._save(table)

    async def _save(self, table: RuleTable) -> None:
        await asyncio.to_thread(self._needed().save, table)
        self._table = table
        self._changed()


def digest_of(text: bytes) -> str:
    """Tells one rules file from another."""
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _sorted(rules: Iterable[CaptureRule]) -> tuple[CaptureRule, ...]:
    return tuple(sorted(rules, key=lambda rule: rule.name))


def _check_etag(rule: CaptureRule, etag: str) -> None:
    if etag and etag != rule.etag:
        raise ConflictError(
            f'capture rule "{rule.name}" has changed since it was read; read it again and repeat '
            "the change",
            reason="ETAG_MISMATCH",
        )
