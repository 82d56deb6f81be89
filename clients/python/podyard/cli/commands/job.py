"""One training job, and the queues that jobs wait in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from podyard.cli import job_tables, options, output
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect
from podyard.cli.times import local_time
from podyard.cli.words import enum_number

app = typer.Typer(help="One training job.", no_args_is_help=True)


class QueueType(StrEnum):
    """Which queues."""

    CLUSTER = "cluster"
    LOCAL = "local"


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The job's name.")],
    kind: Annotated[
        str, typer.Option("--kind", help="Its kind, where jobs of several kinds have the name.")
    ] = "",
    namespace: options.Namespace = "default",
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Show one training job with its pods by rank, its queue, and what was found faulty."""
    with connect(context) as client:
        answer = client.k8s.get_training_job(
            name, namespace=namespace, kind=kind, cluster=cluster, consistent=consistent
        )
    output.note_answer(answer)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    output.print_fields(_fields(answer))
    if answer.pods:
        print()
        output.print_table(job_tables.job_pod_columns(output.now()), list(answer.pods))


def queues(
    context: typer.Context,
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    type_: Annotated[
        QueueType | None, typer.Option("--type", help="Only ClusterQueues or LocalQueues.")
    ] = None,
    selector: options.Selector = "",
    sort_by: options.SortBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List Kueue's queues with quota and use, where the cluster has Kueue."""
    with connect(context) as client:
        from podyard.k8s_resource.v1 import queues_pb2

        request = queues_pb2.ListQueuesRequest()
        chosen = enum_number(request, "type", f"{type_}_queue") if type_ else 0
        answer = client.k8s.list_queues(
            cluster=cluster,
            namespace="" if all_namespaces else namespace,
            type=queues_pb2.QueueType.Name(chosen),
            label_selector=selector,
            order_by=sort_by,
            consistent=consistent,
            page_size=min(limit, 1000) or 1000,
        ).answer(limit)
    output.note_answer(answer)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    rows = job_tables.quota_rows(list(answer.queues))
    output.print_table(job_tables.queue_columns(namespaces=all_namespaces), rows, "no queues found")
    if answer.total_size > len(answer.queues):
        output.note(f"{len(answer.queues)} of {answer.total_size} shown")


def _fields(answer: Any) -> list[tuple[str, str]]:
    job = answer.training_job
    admission = job.admission if job.HasField("admission") else None
    queue = job.queue
    if admission is not None and admission.cluster_queue:
        queue = f"{admission.queue} ({admission.cluster_queue})"
    priority = ""
    if admission is not None:
        number = str(admission.priority) if admission.HasField("priority") else ""
        priority = " ".join(part for part in (admission.priority_class, number) if part)
    owner = f"{job.owner.kind}/{job.owner.name}" if job.HasField("owner") else ""
    return [
        ("Job", f"{job.namespace}/{job.name}"),
        ("Kind", f"{job.kind} ({job.api_version})"),
        ("State", job_tables.job_state(job)),
        ("Why", job.message),
        ("Problem", job.problem),
        ("Pods", _pods(job)),
        ("Groups", "\n".join(map(_group, answer.groups))),
        ("Per node", job.processes_per_node),
        ("GPUs", str(job.gpu_request or "")),
        ("Restarts", f"{job.restart_count} of the job, {job.pod_restart_count} of containers"),
        ("Queue", queue),
        ("Priority", priority),
        ("Admission", job_tables.admission_text(admission) if admission is not None else ""),
        ("Faulty", "\n".join(map(_faulty, answer.faulty_instances))),
        ("Master", answer.master_address),
        ("Owner", owner),
        ("Created by", job.created_by),
        ("Created", local_time(job, "create_time")),
        ("Began", local_time(job, "start_time") if job.HasField("start_time") else ""),
        ("Ended", local_time(job, "end_time") if job.HasField("end_time") else ""),
        ("Duration", job_tables.lasted(job, "duration") if job.HasField("duration") else ""),
        ("Age", job_tables.lasted(job, "age")),
    ]


def _pods(job: Any) -> str:
    counts = job.pods
    words = [
        f"{getattr(counts, word)} {word}"
        for word in ("pending", "running", "succeeded", "failed")
        if getattr(counts, word)
    ]
    return f"{', '.join(words) or 'none'} of {job.replicas}"


def _group(group: Any) -> str:
    text = f"{group.name or 'pods'}: {group.pods.running} of {group.replicas} running"
    if group.HasField("min_replicas") or group.HasField("max_replicas"):
        least = group.min_replicas if group.HasField("min_replicas") else "any"
        most = group.max_replicas if group.HasField("max_replicas") else "any"
        text += f", elastic from {least} to {most}"
    return f"{text}, {group.spares} spare" if group.spares else text


def _faulty(faulty: Any) -> str:
    if not faulty.node:
        return f"{faulty.name} (no such pod or node any more)"
    where = "" if faulty.node == faulty.name else f" on {faulty.node}"
    problems = "; ".join(problem.message for problem in faulty.node_problems)
    return f"{faulty.name}{where}{': ' if problems else ''}{problems}"
