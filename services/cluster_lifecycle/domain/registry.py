"""The registry of clusters: who is in it, with which configuration."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from services.cluster_lifecycle.domain.config_file import edited_file, new_file, read_config
from services.cluster_lifecycle.domain.config_rules import (
    check_tag,
    config_violations,
    tag_problem,
)
from services.cluster_lifecycle.domain.model import Cluster, ClusterConfig
from services.cluster_lifecycle.domain.ports import ClusterStore, Request, StoredCluster
from services.cluster_lifecycle.domain.tag_locks import TagLocks
from services.common.errors import (
    AlreadyExistsError,
    ConflictError,
    FailedPreconditionError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
)
from services.common.operations.model import OperationState
from services.common.operations.ports import OperationEngine
from services.common.paging import decode_token, encode_token, fingerprint

DEFAULT_PAGE_SIZE = 100
_NO_TIME = datetime.fromtimestamp(0, UTC)
UNFINISHED = (OperationState.QUEUED, OperationState.RUNNING, OperationState.CANCELLING)


@dataclass(frozen=True, slots=True)
class ClusterPage:
    """One page of clusters in order of tag. `next_page_token` is empty on the last."""

    clusters: tuple[Cluster, ...]
    next_page_token: str
    total_size: int


class Registry:
    """Clusters by tag. Changes of one cluster follow one another; `locks` is shared with launches."""

    def __init__(self, store: ClusterStore, engine: OperationEngine, locks: TagLocks) -> None:
        self._store = store
        self._engine = engine
        self._locks = locks

    async def get(self, tag: str) -> Cluster:
        """One cluster; InvalidArgumentError, NotFoundError."""
        check_tag(tag)
        return _cluster(await asyncio.to_thread(self._store.read, tag))

    async def list(self, page_size: int, page_token: str) -> ClusterPage:
        """A page of clusters after the token's, in order of tag."""
        query = fingerprint("clusters")
        after = decode_token(page_token, query, str) if page_token else ""
        return await asyncio.to_thread(self._page, after, page_size or DEFAULT_PAGE_SIZE, query)

    async def create(
        self, tag: str, config: ClusterConfig, *, validate_only: bool, request_id: str
    ) -> Cluster:
        """Register a cluster; InvalidArgumentError with every bad field, AlreadyExistsError."""
        full = _checked(tag, config)
        request = Request(request_id, "create", _digest(full))
        async with self._locks.hold(tag):
            try:
                existing = await asyncio.to_thread(self._store.read, tag)
            except NotFoundError:
                pass
            else:
                if _repeated(existing, request) is not None:
                    return _cluster(existing)
                raise AlreadyExistsError(
                    "cluster",
                    tag,
                    f'cluster "{tag}" already exists; update it, or choose another tag',
                )
            text = new_file(tag, full)
            if validate_only:
                return _preview(tag, text)
            return _cluster(await asyncio.to_thread(self._store.create, tag, text, request))

    async def update(
        self, tag: str, config: ClusterConfig, *, etag: str, validate_only: bool, request_id: str
    ) -> tuple[Cluster, str]:
        """Replace the configuration: the cluster, and the backup's name if anything changed.

        An empty `etag` overwrites whatever is there; ConflictError if it is not
        the present one.
        """
        full = _checked(tag, config)
        request = Request(request_id, "update", _digest(full))
        async with self._locks.hold(tag):
            stored = await asyncio.to_thread(self._store.read, tag)
            repeated = _repeated(stored, request)
            if repeated is not None:
                return _cluster(stored), repeated.result
            _check_etag(stored, etag)
            text = edited_file(stored.text, tag, full)
            if text == stored.text or validate_only:
                preview = _preview(tag, text, stored)
                return preview, ""
            backup = await asyncio.to_thread(self._store.replace, tag, text, stored.text, request)
            return _cluster(await asyncio.to_thread(self._store.read, tag)), backup

    async def delete(self, tag: str, *, etag: str, validate_only: bool, request_id: str) -> str:
        """Take a cluster out of the registry; the folder that holds it now.

        FailedPreconditionError while an operation of it is unfinished.
        """
        check_tag(tag)
        async with self._locks.hold(tag):
            try:
                stored = await asyncio.to_thread(self._store.read, tag)
            except NotFoundError:
                done = request_id and await asyncio.to_thread(
                    self._store.archived_by, tag, request_id
                )
                if done:
                    return done
                raise
            _check_etag(stored, etag)
            unfinished = await self._engine.list(target=tag, states=UNFINISHED, page_size=1)
            if unfinished.operations:
                operation = unfinished.operations[0]
                raise FailedPreconditionError(
                    f'cluster "{tag}" has an unfinished operation, {operation.kind} '
                    f"{operation.id}; cancel it or let it end first",
                    reason="OPERATION_RUNNING",
                    metadata={"operation_id": operation.id},
                )
            if validate_only:
                return ""
            request = Request(request_id, "delete", "")
            return await asyncio.to_thread(self._store.archive, tag, request)

    def _page(self, after: str, size: int, query: bytes) -> ClusterPage:
        tags = self._store.tags()
        clusters: list[Cluster] = []
        rest = [tag for tag in tags if tag > after]
        for tag in rest[:size]:
            try:
                clusters.append(_cluster(self._store.read(tag)))
            except NotFoundError:  # archived since
                continue
        token = encode_token(query, rest[size - 1]) if len(rest) > size else ""
        return ClusterPage(tuple(clusters), token, len(tags))


def etag_of(text: str) -> str:
    """Changes with every change of init_envs, by whomever."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _cluster(stored: StoredCluster) -> Cluster:
    read = read_config(stored.text, stored.tag)
    return Cluster(
        tag=stored.tag,
        config=read.config,
        etag=etag_of(stored.text),
        create_time=stored.create_time,
        update_time=stored.update_time,
        problems=tuple(f"{problem.field} {problem.description}" for problem in read.problems),
    )


def _preview(tag: str, text: str, stored: StoredCluster | None = None) -> Cluster:
    """What the cluster would be with `text`; without one, times are those of no cluster."""
    if stored is None:
        return Cluster(tag, read_config(text, tag).config, etag_of(text), _NO_TIME, _NO_TIME)
    return _cluster(
        StoredCluster(tag, text, stored.create_time, stored.update_time, stored.requests)
    )


def _checked(tag: str, config: ClusterConfig) -> ClusterConfig:
    full = config.with_defaults(tag)
    problem = tag_problem(tag)
    violations = [FieldViolation("cluster.tag", problem)] if problem else []
    # Names derived from a bad tag are bad because of the tag alone.
    checked = config.with_defaults("x") if problem else full
    violations += config_violations(checked, "cluster.config.")
    if violations:
        raise InvalidArgumentError.fields(violations)
    return full


def _check_etag(stored: StoredCluster, etag: str) -> None:
    if etag and etag != etag_of(stored.text):
        raise ConflictError(
            f'the configuration of cluster "{stored.tag}" has changed since it was read; '
            "read it again and repeat the change",
            reason="ETAG_MISMATCH",
        )


def _repeated(stored: StoredCluster, request: Request) -> Request | None:
    """The request made before under the same id; AlreadyExistsError if it was another."""
    if not request.id:
        return None
    for made in stored.requests:
        if made.id == request.id:
            if (made.action, made.digest) != (request.action, request.digest):
                raise AlreadyExistsError(
                    "request",
                    request.id,
                    f'request_id "{request.id}" was used for another change of cluster '
                    f'"{stored.tag}"; give each change its own',
                    reason="REQUEST_ID_REUSED",
                )
            return made
    return None


def _digest(config: ClusterConfig) -> str:
    return hashlib.sha256(repr(astuple(config)).encode()).hexdigest()[:32]
