"""The backing servers beside Kubernetes, as components: ministack, the fake SageMaker, MLflow."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.stack import environments, layout
from tools.stack.component import Component
from tools.stack.ports import LOOPBACK
from tools.stack.probes import http_ok

REGION = "us-east-1"

# The emulator takes any credentials; these are the ones its makers use in their examples.
AWS_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


def ministack(port: int, folder: Path, *, keep: bool = False) -> Component:
    """CloudFormation, S3, EKS, IAM, STS. With `keep`, its state survives a restart."""
    url = f"http://{LOOPBACK}:{port}"
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return Component(
        name="aws-emulator",
        argv=(str(environments.server_python("ministack")), "-m", "ministack"),
        environment={
            "BIND_HOST": LOOPBACK,  # otherwise every interface
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": REGION,
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "PERSIST_STATE": "1" if keep else "0",
            "S3_PERSIST": "1" if keep else "0",
            "TMPDIR": str(folder / "tmp"),
            # Listeners and containers that nothing here needs.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        },
        ready=http_ok(f"{url}/_ministack/health"),
        folder=folder,
        address=url,
    )


def fake_sagemaker(port: int, transition_seconds: float = 2.0) -> Component:
    """HyperPod clusters and tracking servers."""
    url = f"http://{LOOPBACK}:{port}"
    return Component(
        name="sagemaker",
        argv=(
            *(str(layout.CHECKOUT_PYTHON), "-m", "tools.stack.fake_sagemaker"),
            *("--port", str(port), "--transition-seconds", str(transition_seconds)),
        ),
        ready=http_ok(f"{url}/_fake/health"),
        folder=layout.CHECKOUT,
        address=url,
    )


def mlflow(port: int, folder: Path, after: tuple[str, ...] = ()) -> Component:
    """A tracking server on SQLite with one worker; `mlflow_database` makes its database."""
    url = f"http://{LOOPBACK}:{port}"
    database = folder / "mlflow.db"
    return Component(
        name="mlflow",
        argv=(
            *(str(environments.server_python("mlflow")), "-m", "mlflow", "server"),
            *("--host", LOOPBACK, "--port", str(port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{database}"),
            *("--artifacts-destination", str(folder / "artifacts")),
        ),
        environment={
            # Otherwise seven more processes for jobs that nothing here runs.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        },
        ready=http_ok(f"{url}/health"),
        after=after,
        folder=folder,
        address=url,
        ready_seconds=180.0,
    )


def mlflow_database(folder: Path) -> Path:
    """An up-to-date empty database in `folder`, unless one is there; the file."""
    database = folder / "mlflow.db"
    if not database.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(environments.ensure_mlflow_template(), database)
    return database
