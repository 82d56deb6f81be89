"""An MLflow tracking server through its REST API.

REST by aiohttp and msgspec, and not mlflow-skinny's client: that one is synchronous and takes
30% longer for the same rows, and sagemaker-mlflow keeps which server it talks to in process-global
state. The API used is five methods that have been stable since MLflow 1.
"""

from __future__ import annotations

import sys

import msgspec

from services.training_history.adapters.http_client import Resource, TrackingHttpClient
from services.training_history.domain.compaction import Compactor
from services.training_history.domain.model import Experiment, Run, RunStatus
from services.training_history.domain.ports import (
    FoundRun,
    RunNotFoundError,
    RunPage,
    RunSearch,
)

_EXPERIMENTS_PAGE = 1000
_OLDEST_FIRST = ["attributes.start_time ASC"]
_NEWEST_FIRST = ["attributes.start_time DESC"]


class _Metric(msgspec.Struct):
    key: str
    value: float | str = 0.0  # "NaN" as protobuf's JSON has it


class _Pair(msgspec.Struct):
    key: str
    value: str = ""


class _Info(msgspec.Struct):
    run_id: str
    experiment_id: str
    status: RunStatus
    run_name: str = ""
    user_id: str = ""
    start_time: int | None = None
    end_time: int | None = None
    artifact_uri: str = ""
    lifecycle_stage: str = "active"


class _Data(msgspec.Struct):
    metrics: list[_Metric] = []
    params: list[_Pair] = []
    tags: list[_Pair] = []


class _Run(msgspec.Struct):
    info: _Info
    data: _Data = msgspec.field(default_factory=_Data)


class _SearchRuns(msgspec.Struct):
    runs: list[_Run] = []
    next_page_token: str = ""


class _GetRun(msgspec.Struct):
    run: _Run


class _Experiment(msgspec.Struct):
    experiment_id: str
    name: str = ""
    lifecycle_stage: str = "active"


class _SearchExperiments(msgspec.Struct):
    experiments: list[_Experiment] = []
    next_page_token: str = ""


class _GetExperiment(msgspec.Struct):
    experiment: _Experiment


class _Empty(msgspec.Struct):
    pass


class MlflowTrackingServer:
    """Implements the port TrackingServer."""

    def __init__(self, display_uri: str, client: TrackingHttpClient, compactor: Compactor) -> None:
        self._display_uri = display_uri
        self._client = client
        self._compactor = compactor

    @property
    def display_uri(self) -> str:
        return self._display_uri

    async def probe(self) -> None:
        # Not /health: that needs no credentials, and SageMaker does not have it.
        await self._client.get(
            "experiments/search", {"max_results": "1"}, _SearchExperiments, attempts=1
        )

    async def experiments(self) -> list[Experiment]:
        found: list[Experiment] = []
        token = ""
        while True:
            page = await self._client.post(
                "experiments/search",
                {
                    "max_results": _EXPERIMENTS_PAGE,
                    "view_type": "ACTIVE_ONLY",
                    # New ones then come behind the pages already read.
                    "order_by": ["creation_time ASC"],
                    "page_token": token,
                },
                _SearchExperiments,
            )
            if isinstance(page, Resource):
                return found
            found += [_experiment(experiment) for experiment in page.experiments]
            token = page.next_page_token
            if not token:
                return found

    async def experiment(self, experiment_id: str) -> Experiment | None:
        answer = await self._client.get(
            "experiments/get", {"experiment_id": experiment_id}, _GetExperiment
        )
        if isinstance(answer, Resource) or answer.experiment.lifecycle_stage != "active":
            return None
        return _experiment(answer.experiment)

    async def search_runs(self, search: RunSearch, page_token: str = "") -> RunPage:
        page = await self._client.post(
            "runs/search",
            {
                "experiment_ids": list(search.experiment_ids),
                "filter": search.filter,
                "run_view_type": search.lifecycle.value,
                "max_results": search.page_size,
                "order_by": _NEWEST_FIRST if search.newest_first else _OLDEST_FIRST,
                "page_token": page_token,
            },
            _SearchRuns,
        )
        if isinstance(page, Resource):
            return RunPage([], "")
        return RunPage([self._run(run) for run in page.runs], page.next_page_token)

    async def get_run(self, run_id: str) -> FoundRun:
        answer = await self._client.get("runs/get", {"run_id": run_id}, _GetRun)
        if isinstance(answer, Resource):
            raise RunNotFoundError(run_id)
        return FoundRun(self._run(answer.run), answer.run.info.lifecycle_stage != "active")

    async def delete_run(self, run_id: str) -> None:
        answer = await self._client.post("runs/delete", {"run_id": run_id}, _Empty)
        if isinstance(answer, Resource):
            raise RunNotFoundError(run_id)

    def _run(self, run: _Run) -> Run:
        info, data = run.info, run.data
        return self._compactor.run(
            run_id=info.run_id,
            experiment_id=info.experiment_id,
            run_name=info.run_name,
            status=info.status,
            start_ms=info.start_time,
            end_ms=info.end_time,
            user=info.user_id,
            artifact_uri=info.artifact_uri,
            metrics=((metric.key, _number(metric.value)) for metric in data.metrics),
            params=((pair.key, pair.value) for pair in data.params),
            tags=((pair.key, pair.value) for pair in data.tags),
        )


def _experiment(experiment: _Experiment) -> Experiment:
    return Experiment(sys.intern(experiment.experiment_id), experiment.name)


def _number(value: float | str) -> float:
    """A metric's value. MLflow's SQL store keeps infinities as the largest double: undone here."""
    number = float(value)
    if abs(number) == sys.float_info.max:
        return float("inf") if number > 0 else float("-inf")
    return number
