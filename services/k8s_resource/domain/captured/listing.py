"""Finding, listing and deleting captured logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from services.common.errors import FieldViolation, InvalidArgumentError, UnavailableError
from services.common.paging import decode_token, encode_token, fingerprint
from services.k8s_resource.domain.captured.catalogue import CapturedPod, CapturedRun, Catalogue
from services.k8s_resource.domain.captured.records import StoreUnwritableError
from services.k8s_resource.domain.captured.store import CaptureStore
from services.k8s_resource.domain.manifests import name_problem, namespace_problem
from services.k8s_resource.domain.selectors.labels import parse_label_selector

DEFAULT_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which captured logs; empty fields mean all, `before` in nanoseconds since 1970 UTC."""

    cluster: str
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    label_selector: str = ""
    training_job: str = ""
    before: int | None = None

    @property
    def chooses(self) -> bool:
        """Whether anything but the cluster is asked for."""
        return self.before is not None or any(
            (self.namespace, self.pod, self.pod_uid, self.label_selector, self.training_job)
        )


@dataclass(frozen=True, slots=True)
class ListedLog:
    """A run with its pod."""

    pod: CapturedPod
    run: CapturedRun


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some captured logs. `next_token` is empty on the last page, totals are of all pages."""

    logs: list[ListedLog]
    next_token: str
    total: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted, or would be."""

    deleted: int
    deleted_bytes: int
    skipped_active: int
    skipped_read: int


def check_query(query: LogQuery) -> None:
    """InvalidArgumentError naming every bad field."""
    violations = []
    if problem := namespace_problem(query.namespace):
        violations.append(FieldViolation("query.namespace", problem))
    violations += [
        FieldViolation(f"query.{field}", problem)
        for field, name in (("pod", query.pod), ("training_job", query.training_job))
        if name and (problem := name_problem(name))
    ]
    try:
        parse_label_selector(query.label_selector, field="query.label_selector")
    except InvalidArgumentError as error:
        violations += error.violations
    if violations:
        raise InvalidArgumentError.fields(violations)


def pods_of(catalogue: Catalogue, query: LogQuery) -> Iterator[CapturedPod]:
    """The pods that a query asks for."""
    if query.pod and query.namespace:
        pods = catalogue.named(query.cluster, query.namespace, query.pod)
    else:
        pods = list(catalogue.pods.values())
    selector = parse_label_selector(query.label_selector, field="query.label_selector")
    for pod in pods:
        record = pod.record
        if (
            record.cluster == query.cluster
            and query.namespace in ("", record.namespace)
            and query.pod in ("", record.pod)
            and query.pod_uid in ("", record.uid)
            and query.training_job in ("", record.training_job.partition("/")[2])
            and selector.matches(record.labels)
        ):
            yield pod


def listed(catalogue: Catalogue, query: LogQuery) -> list[ListedLog]:
    """The runs that a query asks for, in order."""
    found = [
        ListedLog(pod, run)
        for pod in pods_of(catalogue, query)
        for run in pod.runs.values()
        if query.before is None or run.last_time < query.before
    ]
    found.sort(key=_identity)
    return found


def page_of(catalogue: Catalogue, query: LogQuery, size: int, token: str) -> LogPage:
    """One page; InvalidArgumentError."""
    check_query(query)
    print_ = fingerprint("captured logs", repr(query))
    after: tuple[object, ...] | None = None
    if token:
        after = msgspec.structs.astuple(decode_token(token, print_, _Position))
    found = listed(catalogue, query)
    rest = [log for log in found if after is None or _identity(log) > after]
    page = rest[: size or DEFAULT_PAGE_SIZE]
    more = encode_token(print_, _Position(*_identity(page[-1]))) if len(rest) > len(page) else ""
    return LogPage(page, more, len(found), sum(log.run.size for log in found))


async def delete(store: CaptureStore, query: LogQuery, *, validate_only: bool) -> Deletion:
    """Delete what a query asks for; InvalidArgumentError if it asks for everything,
    UnavailableError if the disk refuses."""
    check_query(query)
    if not query.chooses:
        raise InvalidArgumentError.field(
            "query", "name at least a namespace, pod, label, training job or time"
        )
    found = listed(store.needed(), query)
    idle = [log.run for log in found if not log.run.active]
    free = [run for run in idle if not any(segment.readers for segment in run.segments)]
    deletion = Deletion(
        len(free), sum(run.size for run in free), len(found) - len(idle), len(idle) - len(free)
    )
    if not validate_only:
        try:
            await store.delete([segment for run in free for segment in run.segments])
        except StoreUnwritableError as error:
            raise UnavailableError(f"captured logs cannot be deleted: {error}") from error
    return deletion


class _Position(msgspec.Struct, frozen=True, array_like=True):
    namespace: str
    pod: str
    first_seen: int
    uid: str
    container: str
    run: int


def _identity(log: ListedLog) -> tuple[str, str, int, str, str, int]:
    record, key = log.pod.record, log.run.key
    return (
        record.namespace,
        record.pod,
        record.first_seen,
        record.uid,
        key.container,
        key.run,
    )
