"""python -m services.training_history: the training-history service."""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import Any, NoReturn

from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from services.common.health import Dependency
from services.common.server import (
    Draining,
    GrpcServer,
    Registration,
    run_service,
    serve_until_signalled,
)
from services.common.settings import load_settings
from services.training_history.adapters.authorization import (
    Authorization,
    SigV4Authorization,
    StaticAuthorization,
)
from services.training_history.adapters.columns_file import ColumnsFileError, read_columns_file
from services.training_history.adapters.http_client import TrackingHttpClient
from services.training_history.adapters.mlflow_tracking_server import MlflowTrackingServer
from services.training_history.adapters.sqlite_run_store import SqliteRunStore
from services.training_history.adapters.tracking_uri import (
    HttpServer,
    SageMakerServer,
    TrackingUriError,
    parse_tracking_uri,
)
from services.training_history.application import assemble
from services.training_history.domain.columns import ColumnConfig
from services.training_history.domain.compaction import Compactor
from services.training_history.servicer import (
    UNCONFIGURED,
    TrainingHistoryServicer,
    UnconfiguredServicer,
)
from services.training_history.settings import MlflowAccess, TrainingHistorySettings

SERVICE = "podyard.training_history.v1.TrainingHistoryService"


def main() -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    settings = load_settings(TrainingHistorySettings)
    access = load_settings(MlflowAccess)
    columns = _columns(settings)
    uri = settings.tracking_uri.get_secret_value().strip()
    if not uri:
        run_service("training-history", settings, lambda: _serve_unconfigured(settings))
        return
    try:
        target = parse_tracking_uri(uri, access.sagemaker_endpoint)
        tls = _tls(access)
    except TrackingUriError as error:
        _stop(f"PODYARD_TRAINING_HISTORY_TRACKING_URI: {error}")
    except OSError as error:
        _stop(f"MLFLOW_TRACKING_SERVER_CERT_PATH or MLFLOW_TRACKING_CLIENT_CERT_PATH: {error}")
    client = TrackingHttpClient(
        target.base_url,
        _authorization(target, access),
        request_seconds=settings.request_seconds,
        tls=tls,
    )
    run_service("training-history", settings, lambda: _serve(settings, columns, target, client))


async def _serve(
    settings: TrainingHistorySettings,
    columns: ColumnConfig,
    target: HttpServer | SageMakerServer,
    client: TrackingHttpClient,
) -> None:
    compactor = Compactor()
    store = SqliteRunStore(settings.state.expanduser(), target.display_uri)
    application = assemble(
        MlflowTrackingServer(target.display_uri, client, compactor),
        store,
        columns,
        sync_seconds=settings.sync_seconds,
        full_sync_seconds=settings.full_sync_seconds,
    )
    try:
        await application.persistence.load(compactor)
    except OSError as error:
        raise SystemExit(str(error)) from error
    server = _server(
        settings,
        TrainingHistoryServicer(application),
        Dependency("mlflow", application.server.probe),
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            sync = tasks.create_task(application.synchroniser.run())
            await serve_until_signalled(server, settings)
            sync.cancel()
    finally:
        await client.close()
        store.close()


async def _serve_unconfigured(settings: TrainingHistorySettings) -> None:
    async def probe() -> None:
        raise LookupError(UNCONFIGURED)

    server = _server(settings, UnconfiguredServicer(), Dependency("mlflow", probe))
    await serve_until_signalled(server, settings)


def _server(settings: TrainingHistorySettings, servicer: Any, mlflow: Dependency) -> GrpcServer:
    return GrpcServer(
        settings.listen,
        [Registration(SERVICE, pb_grpc.add_TrainingHistoryServiceServicer_to_server, servicer)],
        Draining(),
        # Not required: reads go on from the cache while MLflow is down.
        dependencies=[mlflow],
        drain_seconds=settings.drain_seconds,
        streams=settings.stream_budget(),
    )


def _authorization(target: HttpServer | SageMakerServer, access: MlflowAccess) -> Authorization:
    if isinstance(target, SageMakerServer):
        return SigV4Authorization(target.arn, target.region, target.signing_name)
    username = target.username or access.username
    password = target.password or access.password.get_secret_value()
    if username or password:
        return StaticAuthorization.basic(username, password)
    token = access.token.get_secret_value()
    return StaticAuthorization.bearer(token) if token else StaticAuthorization()


def _tls(access: MlflowAccess) -> ssl.SSLContext | bool:
    if access.insecure_tls:
        return False
    if access.server_cert_path is None and access.client_cert_path is None:
        return True
    context = ssl.create_default_context(cafile=access.server_cert_path)
    if access.client_cert_path is not None:
        context.load_cert_chain(access.client_cert_path)
    return context


def _columns(settings: TrainingHistorySettings) -> ColumnConfig:
    if settings.columns is None:
        return ColumnConfig()
    try:
        return read_columns_file(settings.columns.expanduser())
    except ColumnsFileError as error:
        _stop(f"PODYARD_TRAINING_HISTORY_COLUMNS: {error}")


def _stop(problem: str) -> NoReturn:
    sys.stderr.write(f"bad settings: {problem}\n")
    raise SystemExit(2)


if __name__ == "__main__":
    main()
