"""RPCs about training jobs and the queues they wait in."""

from __future__ import annotations

from typing import Any

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import objects_pb2, queues_pb2, training_jobs_pb2

from services.k8s_resource.convert.jobs import (
    encoded_jobs,
    job_detail_to_pb,
    job_query_from_pb,
)
from services.k8s_resource.convert.lists import query_from_pb
from services.k8s_resource.convert.queues import queue_page_to_pb, queue_query_from_pb
from services.k8s_resource.convert.read_mask import parse_read_mask
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.jobs.training_jobs import TrainingJobs
from services.k8s_resource.domain.kueue.queues import Queues


class JobsServicer:
    """The list is an encoded message, see `convert.wire`."""

    def __init__(self, jobs: TrainingJobs, queues: Queues) -> None:
        self._jobs = jobs
        self._queues = queues

    async def ListTrainingJobs(self, request: pb.ListTrainingJobsRequest, _context: Any) -> bytes:
        paths = parse_read_mask(request.read_mask, objects_pb2.TrainingJob)
        query = query_from_pb(request, kinds.TRAINING_JOBS[0], "kinds")
        return encoded_jobs(await self._jobs.page(query), paths)

    async def GetTrainingJob(
        self, request: training_jobs_pb2.GetTrainingJobRequest, _context: Any
    ) -> training_jobs_pb2.GetTrainingJobResponse:
        return job_detail_to_pb(await self._jobs.get(job_query_from_pb(request)))

    async def ListQueues(
        self, request: queues_pb2.ListQueuesRequest, _context: Any
    ) -> queues_pb2.ListQueuesResponse:
        return queue_page_to_pb(await self._queues.page(queue_query_from_pb(request)))
