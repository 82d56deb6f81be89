"""Training jobs with their pods and queues."""

from __future__ import annotations

import time

from google.protobuf.duration_pb2 import Duration
from podyard.k8s_resource.v1 import objects_pb2
from podyard.k8s_resource.v1 import training_jobs_pb2 as pb

from services.k8s_resource.convert.inventory import problem_to_pb
from services.k8s_resource.convert.lists import encoded_list, freshness_to_pb
from services.k8s_resource.convert.queues import admission_to_pb
from services.k8s_resource.convert.read_mask import Paths
from services.k8s_resource.convert.summaries import encoded_summary
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.job_pods import JobFigures
from services.k8s_resource.domain.jobs.ranks import Group
from services.k8s_resource.domain.jobs.training_jobs import (
    FaultyInstance,
    JobDetail,
    JobPod,
    JobQuery,
    JobRow,
)
from services.k8s_resource.domain.lists import Listed
from services.k8s_resource.domain.objects.metadata import parse_time
from services.k8s_resource.domain.objects.nodes import DEEP_HEALTH_LABEL, HEALTH_LABEL
from services.k8s_resource.domain.objects.training_jobs import TrainingJob, whole

_UNREADABLE_STATE = "Unknown"


def job_query_from_pb(request: pb.GetTrainingJobRequest) -> JobQuery:
    """A GetTrainingJob request."""
    return JobQuery(
        request.cluster, request.namespace, request.name, request.kind, request.consistent
    )


def encoded_jobs(listed: Listed[JobRow], paths: Paths) -> bytes:
    """A ListTrainingJobsResponse with these parts of each job."""
    now = time.time()
    jobs = (encoded_job(row, now) for row in listed.page.entries)
    return encoded_list(listed, jobs, paths, objects_pb2.TrainingJob)


def encoded_job(row: JobRow, now: float) -> bytes:
    """A training job as of `now`, in seconds since the epoch. What is appended to a message is
    merged into it."""
    job: TrainingJob = row.item.decoded
    more = objects_pb2.TrainingJob(
        active_pods=row.figures.running,
        gpu_request=row.figures.gpu_request,
        phase=f"JOB_PHASE_{row.phase.name}",
        admission=admission_to_pb(row.admission) if row.admission else None,
        age=_span(job.metadata.creation_timestamp, None, now),
        duration=_span(job.started(), job.ended(), now),
        pods=_counts_to_pb(row.figures),
        pod_restart_count=whole(row.figures.restarts),
        problem=row.item.problem,
    )
    if row.item.problem and job.newest_true_condition() is None:
        more.state = _UNREADABLE_STATE
        more.phase = objects_pb2.JOB_PHASE_UNSPECIFIED
    return encoded_summary(row.kind, row.item) + more.SerializeToString()


def job_detail_to_pb(detail: JobDetail) -> pb.GetTrainingJobResponse:
    """One job in whole."""
    job: TrainingJob = detail.row.item.decoded
    address, port = job.status.master_address or "", job.status.master_port
    return pb.GetTrainingJobResponse(
        training_job=objects_pb2.TrainingJob.FromString(encoded_job(detail.row, time.time())),
        pods=map(_pod_to_pb, detail.pods),
        groups=[_group_to_pb(group, figures) for group, figures in detail.groups],
        faulty_instances=map(_faulty_to_pb, detail.faulty),
        master_address=f"{address}:{port}" if address and port is not None else address,
        freshness=freshness_to_pb(detail.freshness),
        notes=detail.notes,
    )


def _pod_to_pb(pod: JobPod) -> pb.JobPod:
    return pb.JobPod(
        pod=objects_pb2.Pod.FromString(encoded_summary(kinds.POD, pod.item)),
        rank=pod.part.rank,
        role=pod.part.role,
        group=pod.part.group,
        faulty=pod.faulty,
        node_problems=map(problem_to_pb, pod.problems),
    )


def _group_to_pb(group: Group, figures: JobFigures) -> pb.ReplicaGroup:
    return pb.ReplicaGroup(
        name=group.name,
        replicas=group.replicas,
        min_replicas=group.min_replicas,
        max_replicas=group.max_replicas,
        spares=group.spares,
        pods=_counts_to_pb(figures),
    )


def _faulty_to_pb(faulty: FaultyInstance) -> pb.FaultyInstance:
    labels = (faulty.node.metadata.labels if faulty.node else None) or {}
    return pb.FaultyInstance(
        name=faulty.name,
        node=faulty.node.metadata.name if faulty.node else "",
        health_status=labels.get(HEALTH_LABEL, ""),
        deep_health_check_status=labels.get(DEEP_HEALTH_LABEL, ""),
        node_problems=map(problem_to_pb, faulty.problems),
    )


def _counts_to_pb(figures: JobFigures) -> objects_pb2.JobPodCounts:
    return objects_pb2.JobPodCounts(
        pending=figures.pending,
        running=figures.running,
        succeeded=figures.succeeded,
        failed=figures.failed,
    )


def _span(start: str | None, end: str | None, now: float) -> Duration | None:
    """From one time to another, or to now; None before it begins. Kubernetes' times are of whole
    seconds; a clock that is ahead of ours makes no negative time."""
    began = parse_time(start)
    if began is None:
        return None
    ended = parse_time(end)
    until = ended.timestamp() if ended else now
    nanoseconds = max(0, round((until - began.timestamp()) * 1e9))
    return Duration(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)
