"""docker-compose.yml and the Dockerfile, read by a real compose implementation."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.cli.scripted_services import Services

CHECKOUT = Path(__file__).resolve().parents[3]
DOCKERFILE = CHECKOUT / "deploy" / "docker" / "Dockerfile"
REQUIRED = {"PODYARD_KUBECONFIG": "/some/kubeconfig", "PODYARD_POSTGRES_PASSWORD": "abc123"}
PROCESSES = {"k8s-resource", "cluster-lifecycle", "training-history", "gateway"}


def compose_program() -> list[str] | None:
    """`docker compose` or Debian's `docker-compose`; neither needs an engine for `config`."""
    if shutil.which("docker"):
        probe = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if probe.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


def config(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    program = compose_program()
    if program is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is installed")
    return subprocess.run(
        [*program, "--profile", "emulator", "config"],
        cwd=CHECKOUT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def composed() -> dict[str, Any]:
    result = config(REQUIRED)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = yaml.safe_load(result.stdout)["services"]
    return found


def test_it_is_valid_and_has_the_processes_and_their_stores() -> None:
    assert set(composed()) == PROCESSES | {"postgres", "mlflow", "aws-emulator"}


@pytest.mark.parametrize("missing", REQUIRED)
def test_what_must_be_given_is_asked_for(missing: str) -> None:
    result = config({key: value for key, value in REQUIRED.items() if key != missing})
    assert result.returncode != 0
    assert missing in result.stderr


def test_every_target_exists_and_has_a_health_check() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)
    health_of = {
        match.group(1): "HEALTHCHECK" in stage
        for stage in stages
        if (match := re.match(r"\S+ AS (\S+)", stage))
    }
    for name, service in composed().items():
        if "build" in service:
            assert health_of[service["build"]["target"]], name
        else:
            assert service["healthcheck"]["test"], name


def test_no_process_has_rights_that_it_does_not_need() -> None:
    for name in PROCESSES:
        service = composed()[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert "no-new-privileges:true" in service["security_opt"]
    last_user = re.findall(r"^USER (\S+)", DOCKERFILE.read_text(), flags=re.MULTILINE)[-1]
    assert last_user == "10001:10001"


def test_copied_paths_exist() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    sources = [source for line in copies for source in line.split()[:-1]]
    assert sources
    assert [source for source in sources if not (CHECKOUT / source).exists()] == []


def load_health_check() -> Any:
    path = DOCKERFILE.parent / "healthcheck.py"
    spec = importlib.util.spec_from_file_location("healthcheck", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_health_check_fails_where_nothing_listens() -> None:
    health = load_health_check()
    assert health.check("gateway", "127.0.0.1:1")
    assert health.check("k8s_resource", "127.0.0.1:1")
    ended = subprocess.run(
        [sys.executable, str(DOCKERFILE.parent / "healthcheck.py"), "nonsense"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usage:")


async def test_the_health_check_asks_the_process(services: Services) -> None:
    health = load_health_check()
    address = services.address("training_history")
    assert await asyncio.to_thread(health.check, "training_history", address) == ""
    await services.stop("training_history")
    assert await asyncio.to_thread(health.check, "training_history", address) != ""
