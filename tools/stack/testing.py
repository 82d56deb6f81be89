"""Real servers for tests: each starts its own copy, on free ports, in a folder of its own.

Context managers, so that a test may also start a second one beside the session's. Pytest's
fixtures in `tests/conftest.py` wrap them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.stack import mlflow_store, processes, servers
from tools.stack import postgres as postgres_server
from tools.stack.component import RunningComponent
from tools.stack.control_plane import ControlPlane
from tools.stack.ports import free_ports
from tools.stack.records import SUPERVISOR, Records
from tools.stack.sample_runs import Sample, sample_runs

_PREFIX = "podyard-test-"
_CLUSTER = "cluster"

__all__ = [
    "AwsEmulator",
    "ControlPlane",
    "FakeSageMaker",
    "MlflowServer",
    "Postgres",
    "control_plane",
    "fake_sagemaker",
    "ministack",
    "mlflow_server",
    "postgres",
]


@contextlib.contextmanager
def control_plane(name: str = "test", nodes: int = 0) -> Iterator[ControlPlane]:
    """A Kubernetes control plane with so many plain nodes (about 4 s)."""
    with _folder(f"kube-{name}") as folder:
        plane = ControlPlane(name, folder / _CLUSTER, nodes)
        plane.start()
        try:
            yield plane
        finally:
            plane.kill()


@dataclass(frozen=True)
class AwsEmulator:
    """ministack: `url` for AWS_ENDPOINT_URL, and stop/kill/start."""

    url: str
    server: RunningComponent

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 needs to find it."""
        return {"AWS_ENDPOINT_URL": self.url, **servers.AWS_CREDENTIALS}


@contextlib.contextmanager
def ministack() -> Iterator[AwsEmulator]:
    """CloudFormation, S3, EKS, IAM, STS; state kept over a restart of the server."""
    with _folder("aws") as folder:
        component = servers.ministack(free_ports(1)[0], folder, keep=True)
        with _running(
            RunningComponent(component, folder / "ministack.log", Records(folder))
        ) as server:
            yield AwsEmulator(component.address, server)


@dataclass(frozen=True)
class FakeSageMaker:
    """The fake SageMaker: `url` for AWS_ENDPOINT_URL_SAGEMAKER; see its module for controls."""

    url: str
    server: RunningComponent

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 needs to find it."""
        return {"AWS_ENDPOINT_URL_SAGEMAKER": self.url, **servers.AWS_CREDENTIALS}


@contextlib.contextmanager
def fake_sagemaker(transition_seconds: float = 0.2) -> Iterator[FakeSageMaker]:
    """HyperPod and tracking servers; states move on after so many seconds."""
    with _folder("sagemaker") as folder:
        component = servers.fake_sagemaker(free_ports(1)[0], transition_seconds)
        with _running(
            RunningComponent(component, folder / "sagemaker.log", Records(folder))
        ) as server:
            yield FakeSageMaker(component.address, server)


@dataclass(frozen=True)
class MlflowServer:
    """A tracking server: `url`, `stop()`, `start()`, `insert_runs()`."""

    url: str
    server: RunningComponent
    database: Path
    _seeds: list[int] = field(default_factory=lambda: [1])

    def stop(self) -> None:
        """End the server; the data stay."""
        self.server.stop()

    def start(self) -> None:
        """Start it again on the same port and data."""
        self.server.start()

    def insert_runs(self, runs: int | Iterable[Sample]) -> list[str]:
        """Insert samples, or so many new ones, by SQL (about 1,500 a second); their ids."""
        if isinstance(runs, int):
            self._seeds[0] += 1
            runs = sample_runs(runs, int(time.time() * 1000), seed=self._seeds[0])
        return mlflow_store.insert_runs(self.database, "mlflow-artifacts:", runs)


@contextlib.contextmanager
def mlflow_server() -> Iterator[MlflowServer]:
    """A real MLflow server without runs (about 5 s)."""
    with _folder("mlflow") as folder:
        database = servers.mlflow_database(folder)
        component = servers.mlflow(free_ports(1)[0], folder)
        with _running(
            RunningComponent(component, folder / "mlflow.log", Records(folder))
        ) as server:
            yield MlflowServer(component.address, server, database)


@dataclass(frozen=True)
class Postgres:
    """`url` is a libpq URL of the database `postgres`, whose user may make more databases."""

    url: str
    server: RunningComponent


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; raises postgres.PostgresMissingError where it is not installed."""
    postgres_server.find_programs()
    with _folder("postgres") as folder:
        component, url = postgres_server.make(folder)
        with _running(
            RunningComponent(component, folder / "postgres.log", Records(folder))
        ) as server:
            yield Postgres(url, server)


@contextlib.contextmanager
def _running(server: RunningComponent) -> Iterator[RunningComponent]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def _folder(label: str) -> Iterator[Path]:
    """A folder of its own; kept with PODYARD_KEEP_TEST_FOLDERS, to look at the logs."""
    _sweep_abandoned()
    # Short: a Unix socket's path may have 107 characters.
    made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{label}-"))
    made.chmod(0o755)
    own = processes.identify(os.getpid())
    if own is not None:
        Records(made).remember(SUPERVISOR, own, [])
    try:
        yield made
    finally:
        if os.environ.get("PODYARD_KEEP_TEST_FOLDERS"):
            shutil.rmtree(made / "run", ignore_errors=True)
        else:
            shutil.rmtree(made, ignore_errors=True)


def _sweep_abandoned() -> None:
    """End what test sessions left running that were killed (their folders name them)."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        records = Records(folder)
        try:
            abandoned = records.was_supervised() and records.supervisor() is None
            if abandoned and folder.stat().st_uid == os.geteuid():
                processes.kill(list(records.recorded().values()))
                for cluster in folder.glob(f"{_CLUSTER}/kwok/clusters/*"):
                    ControlPlane(cluster.name, folder / _CLUSTER).kill()
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # another session sweeps it at this moment
            continue
