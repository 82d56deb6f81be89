"""MLflow's REST API, as training scripts and MLflow's own pages use it."""

from __future__ import annotations

import time
import uuid
from typing import Any

import aiohttp


class MlflowApi:
    """Makes and changes experiments and runs, and fails the test when MLflow refuses."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/2.0/mlflow/"

    async def __aenter__(self) -> MlflowApi:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, path: str, **body: Any) -> Any:
        async with self._session.post(self._url + path, json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def experiment(self) -> str:
        """A new experiment's id."""
        answer = await self.post("experiments/create", name=f"experiment-{uuid.uuid4().hex[:8]}")
        return str(answer["experiment_id"])

    async def run(self, experiment_id: str, name: str = "run", **fields: Any) -> str:
        """A new running run's id; it starts now unless `start_time` says otherwise."""
        body = {
            "experiment_id": experiment_id,
            "run_name": name,
            "start_time": now_ms(),
            "tags": [],
            **fields,
        }
        return str((await self.post("runs/create", **body))["run"]["info"]["run_id"])

    async def update(self, run_id: str, status: str, end_time: int | None = None) -> None:
        fields = {} if end_time is None else {"end_time": end_time}
        await self.post("runs/update", run_id=run_id, status=status, **fields)

    async def finish(self, run_id: str, end_time: int | None = None) -> None:
        await self.update(run_id, "FINISHED", now_ms() if end_time is None else end_time)

    async def log_metric(self, run_id: str, key: str, value: float | str) -> None:
        await self.post(
            "runs/log-metric", run_id=run_id, key=key, value=value, timestamp=now_ms(), step=0
        )

    async def log_param(self, run_id: str, key: str, value: str) -> None:
        await self.post("runs/log-parameter", run_id=run_id, key=key, value=value)

    async def set_tag(self, run_id: str, key: str, value: str) -> None:
        await self.post("runs/set-tag", run_id=run_id, key=key, value=value)

    async def delete(self, run_id: str) -> None:
        await self.post("runs/delete", run_id=run_id)

    async def restore(self, run_id: str) -> None:
        await self.post("runs/restore", run_id=run_id)

    async def lifecycle(self, run_id: str) -> str:
        async with self._session.get(self._url + "runs/get", params={"run_id": run_id}) as response:
            return str((await response.json())["run"]["info"]["lifecycle_stage"])


def now_ms() -> int:
    return time.time_ns() // 1_000_000


DAY_MS = 86_400_000
