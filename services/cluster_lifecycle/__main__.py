"""The cluster-lifecycle service: `python -m services.cluster_lifecycle`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2_grpc as pb_grpc

from services.cluster_lifecycle.adapters.aws_clients import PROMPT, AwsClients
from services.cluster_lifecycle.adapters.cloudformation import CloudFormationStackProvider
from services.cluster_lifecycle.adapters.cluster_folders import ClusterFolders
from services.cluster_lifecycle.adapters.k8s_resource import K8sResourceReader
from services.cluster_lifecycle.adapters.log_folders import LogFolders
from services.cluster_lifecycle.adapters.own_steps import OwnStepHandler, StepOptions
from services.cluster_lifecycle.adapters.user_scripts import UserScriptHandler
from services.cluster_lifecycle.domain.logs import Logs
from services.cluster_lifecycle.domain.model import STEPS, ClusterConfig, StepName
from services.cluster_lifecycle.domain.registry import Registry
from services.cluster_lifecycle.domain.status import Status
from services.cluster_lifecycle.domain.step_requests import StepRequests
from services.cluster_lifecycle.domain.step_status import record_step_status
from services.cluster_lifecycle.domain.tag_locks import TagLocks
from services.cluster_lifecycle.servicer import FULL_NAME, ClusterLifecycleServicer
from services.cluster_lifecycle.settings import ClusterLifecycleSettings
from services.cluster_lifecycle.steps import configure, launch
from services.common.errors import PodyardError
from services.common.health import Dependency
from services.common.logs import get_logger
from services.common.operations.engine import operation_engine
from services.common.operations.ports import OperationHandler
from services.common.operations.settings import OperationSettings
from services.common.server import (
    Draining,
    GrpcServer,
    Registration,
    run_service,
    serve_until_signalled,
)
from services.common.settings import load_settings

_PHASES: dict[StepName, tuple[str, ...]] = {
    "launch": launch.PHASES,
    "configure": configure.PHASES,
}
# A service that comes back is found within moments; gRPC's own pauses grow to two minutes.
_CHANNEL_OPTIONS = [
    # Reached directly, also where the environment names a proxy for AWS.
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


@asynccontextmanager
async def running(settings: ClusterLifecycleSettings) -> AsyncIterator[GrpcServer]:
    """Everything wired and at work, and the server, not yet started."""
    folders = ClusterFolders(settings.state)
    folders.prepare()
    log_folders = LogFolders(folders)
    stacks = CloudFormationStackProvider(AwsClients(PROMPT))

    def connection_of(config: ClusterConfig) -> str:
        return settings.k8s_cluster or config.eks_cluster_name

    options = StepOptions(
        template=settings.template,
        stack_parameters=settings.stack_parameters,
        mlflow_role_arn=settings.mlflow_role_arn,
        stack_poll_seconds=settings.stack_poll_seconds,
        k8s_resource_address=settings.k8s_resource_address,
        connection_of=connection_of,
    )

    def handler(step: StepName) -> OperationHandler:
        if settings.scripts is not None:
            return UserScriptHandler(step, settings.scripts, folders, log_folders, stacks)
        return OwnStepHandler(step, _PHASES[step], folders, log_folders, options)

    engine = operation_engine(
        OperationSettings(
            database_url=settings.database_url or f"sqlite:///{settings.state / 'operations.db'}",
            runs_folder=settings.state / "runs",
            cancel_grace_seconds=settings.cancel_grace_seconds,
            poll_seconds=settings.operation_poll_seconds,
        ),
        {step: handler(step) for step in STEPS},
    )
    draining, locks = Draining(), TagLocks()
    registry = Registry(folders, engine, locks)
    async with grpc.aio.insecure_channel(
        settings.k8s_resource_address, options=_CHANNEL_OPTIONS
    ) as channel:
        kubernetes = K8sResourceReader(channel, settings.k8s_resource_address)
        status = Status(registry, engine, stacks, kubernetes, connection_of)
        servicer = ClusterLifecycleServicer(
            registry,
            StepRequests(registry, engine, status, log_folders, locks),
            status,
            Logs(log_folders, folders, engine),
            engine,
            draining,
        )

        async def check_registry() -> None:
            await asyncio.to_thread(folders.check)

        await engine.start()
        recorder = asyncio.create_task(record_step_status(engine, log_folders))
        recorder.add_done_callback(_tell_end)
        try:
            yield GrpcServer(
                settings.listen,
                [
                    Registration(
                        FULL_NAME, pb_grpc.add_ClusterLifecycleServiceServicer_to_server, servicer
                    )
                ],
                draining,
                dependencies=[
                    Dependency("registry", check_registry, required=True),
                    Dependency("operations", engine.check, required=True),
                    Dependency("cloudformation", stacks.check),
                    Dependency("k8s-resource", kubernetes.check),
                ],
                drain_seconds=settings.drain_seconds,
                streams=settings.stream_budget(),
            )
        finally:
            recorder.cancel()
            await asyncio.gather(recorder, return_exceptions=True)
            await engine.stop()
            stacks.close()


def _tell_end(recorder: asyncio.Task[None]) -> None:
    if not recorder.cancelled() and recorder.exception() is not None:
        get_logger("step_status").error("status files stopped", exc_info=recorder.exception())


async def main(settings: ClusterLifecycleSettings) -> None:
    """Serve until a signal; SystemExit with one line if the state folder cannot be used."""
    try:
        async with running(settings) as server:
            await serve_until_signalled(server, settings)
    except (OSError, PodyardError) as error:
        raise SystemExit(f"cannot start: {error}") from error


if __name__ == "__main__":
    # Below WARNING it writes whole requests, which hold signatures and tokens.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    loaded = load_settings(ClusterLifecycleSettings)
    run_service("cluster-lifecycle", loaded, lambda: main(loaded))
