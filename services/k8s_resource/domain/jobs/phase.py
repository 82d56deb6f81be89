"""What a training job does, in the same words for every kind."""

from __future__ import annotations

from enum import Enum

from services.k8s_resource.domain.job_pods import JobFigures
from services.k8s_resource.domain.kueue.admission import Admission
from services.k8s_resource.domain.objects.training_jobs import FAILED, TrainingJob
from services.k8s_resource.domain.resources import JOB, Resource

_RUNNING = frozenset({"Running", "PodsRunning", "HeadPodReady", "RayClusterProvisioned"})
_RESTARTING = frozenset({"Restarting"})


class JobPhase(Enum):
    """Names are those of the API."""

    UNSPECIFIED = 0
    PENDING = 1
    QUEUED = 2
    SUSPENDED = 3
    RUNNING = 4
    RESTARTING = 5
    SUCCEEDED = 6
    FAILED = 7


def phase_of(
    resource: Resource, job: TrainingJob, figures: JobFigures, admission: Admission | None
) -> JobPhase:
    """The phase. Kueue holds a job back by suspending it, so that its admission tells a job in
    the queue from one that somebody suspended.

    A batch Job counts pods that wait among the active ones: it runs when one of them does.
    """
    ending = job.ending()
    if ending is not None:
        return JobPhase.FAILED if ending.type in FAILED else JobPhase.SUCCEEDED
    if job.suspended() or job.is_suspended():
        if admission is not None and admission.waits:
            return JobPhase.QUEUED
        return JobPhase.SUSPENDED
    newest = job.newest_true_condition()
    if job.status.state == "failed":
        return JobPhase.FAILED
    if newest is not None and newest.type in _RESTARTING:
        return JobPhase.RESTARTING
    says_running = (newest is not None and newest.type in _RUNNING) or job.status.state == "ready"
    if figures.running or (says_running and resource is not JOB):
        return JobPhase.RUNNING
    return JobPhase.PENDING
