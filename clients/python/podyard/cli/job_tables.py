"""Columns of training jobs, their pods and Kueue's queues."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from podyard.cli.colors import state_color
from podyard.cli.tables import Column
from podyard.cli.times import MISSING, age, human_duration
from podyard.cli.words import enum_word

# Messages are typed Any here: this module must not load the generated code.


class QuotaRow(NamedTuple):
    """One resource of a queue; None for a queue without any."""

    queue: Any
    resource: Any


def training_job_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Training jobs."""
    return [
        Column("NAME", lambda j: j.name),
        Column("KIND", lambda j: j.kind, 4),
        Column("STATE", job_state, color=state_color),
        Column("PODS", lambda j: f"{j.active_pods}/{j.replicas}"),
        Column("PER NODE", lambda j: j.processes_per_node or MISSING, 7, right=True),
        Column("GPUS", lambda j: str(j.gpu_request or MISSING), 2, right=True),
        Column("RESTARTS", lambda j: str(j.restart_count + j.pod_restart_count), 6, right=True),
        Column("FAULTY", lambda j: str(len(j.faulty_instances) or MISSING), 8, right=True),
        Column("QUEUE", lambda j: j.queue or MISSING, 3),
        Column("BY", lambda j: j.created_by or MISSING, 9),
        Column("DURATION", lambda j: lasted(j, "duration"), 2),
        Column("AGE", lambda j: age(j, "create_time", now), 1),
        Column("WHY", _why, 5),
    ]


def job_state(job: Any) -> str:
    """The state in the operator's word; "Queued" for a job that Kueue holds back."""
    return "Queued" if enum_word(job, "phase") == "QUEUED" else job.state or MISSING


def lasted(message: Any, field: str) -> str:
    """A Duration field as people read it; "-" if it is unset."""
    if not message.HasField(field):
        return MISSING
    return human_duration(getattr(message, field).ToTimedelta().total_seconds())


def job_pod_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Pods of one job."""
    return [
        Column("RANK", lambda p: str(p.rank) if p.HasField("rank") else MISSING, right=True),
        Column("POD", lambda p: p.pod.name),
        Column("ROLE", lambda p: p.role or MISSING, 3),
        Column("STATUS", lambda p: p.pod.display_status or MISSING, color=state_color),
        Column("RESTARTS", lambda p: str(p.pod.restart_count), 2, right=True),
        Column("GPUS", lambda p: str(p.pod.gpu_request or MISSING), 4, right=True),
        Column("NODE", lambda p: p.pod.node_name or MISSING, 1),
        Column("AGE", lambda p: age(p.pod, "create_time", now), 5),
        Column("TROUBLE", _trouble, 2, color=lambda text, _: "" if text == MISSING else "red"),
    ]


def quota_rows(queues: list[Any]) -> list[QuotaRow]:
    """A row for each resource of each queue."""
    return [
        QuotaRow(queue, resource) for queue in queues for resource in queue.resources or (None,)
    ]


def queue_columns(*, namespaces: bool) -> list[Column[QuotaRow]]:
    """Queues with quota and use."""
    where: Column[QuotaRow] = Column("NAMESPACE", lambda r: r.queue.namespace or MISSING)
    return [
        *([where] if namespaces else []),
        Column("QUEUE", lambda r: r.queue.name),
        Column("TYPE", lambda r: _type(r.queue), 4),
        Column("CLUSTER QUEUE", lambda r: r.queue.cluster_queue or MISSING, 5),
        Column("COHORT", lambda r: r.queue.cohort or MISSING, 6),
        Column("STATE", lambda r: _active(r.queue), color=state_color),
        Column("PENDING", lambda r: str(r.queue.pending_workloads), right=True),
        Column("ADMITTED", lambda r: str(r.queue.admitted_workloads), 1, right=True),
        Column("WEIGHT", _weight, 8, right=True),
        Column("FLAVOR", lambda r: r.resource.flavor if r.resource else MISSING, 2),
        Column("RESOURCE", lambda r: r.resource.resource if r.resource else MISSING),
        Column("QUOTA", lambda r: _amount(r, "nominal_quota"), right=True, color=_error),
        Column("RESERVED", lambda r: _amount(r, "reserved"), 7, right=True, color=_error),
        Column("USED", lambda r: _amount(r, "used"), right=True, color=_error),
        Column("BORROWED", lambda r: _amount(r, "borrowed"), 3, right=True, color=_error),
    ]


def admission_text(admission: Any) -> str:
    """How a job stands in its queue, in one line."""
    state = enum_word(admission, "state")
    text = "" if state == "UNSPECIFIED" else state.lower().replace("_", " ")
    if admission.HasField("position"):
        text += f", {admission.position} before it"
    why = ": ".join(part for part in (admission.reason, admission.message) if part)
    return f"{text} ({why})" if text and why else text or why


def _why(job: Any) -> str:
    if job.problem:
        return f"cannot be read in whole: {job.problem}"
    if job.HasField("admission") and enum_word(job, "phase") == "QUEUED":
        return job.admission.message or job.admission.reason or MISSING
    return job.message or MISSING


def _trouble(pod: Any) -> str:
    found = ["found faulty"] if pod.faulty else []
    found += [problem.message for problem in pod.node_problems]
    return "; ".join(found) or MISSING


def _type(queue: Any) -> str:
    return "cluster" if enum_word(queue, "type") == "CLUSTER_QUEUE" else "local"


def _active(queue: Any) -> str:
    return "Active" if queue.active else queue.reason or "Inactive"


def _weight(row: QuotaRow) -> str:
    has = row.queue.HasField("fair_sharing_weight")
    return f"{row.queue.fair_sharing_weight:g}" if has else MISSING


def _amount(row: QuotaRow, field: str) -> str:
    """Bytes in the largest binary unit that leaves a whole number."""
    if row.resource is None:
        return MISSING
    if row.resource.error:
        return "error"
    value = getattr(row.resource, field)
    if "memory" in row.resource.resource or "storage" in row.resource.resource:
        for unit, size in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
            if value and value % size == 0:
                return f"{int(value // size)}{unit}"
    return f"{value:.15g}"


def _error(text: str, _: Any) -> str:
    return "red" if text == "error" else "dim" if text in ("0", MISSING) else ""
