"""`podyard doctor`: what is up, what is wrong, and the remedy."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.integration.cli.command_line import CommandLine
from tests.integration.cli.scripted_services import Script, Services


class Gateway:
    """Answers every request as the gateway's /readyz does."""

    def __init__(self, status: str = "200 OK", document: object = None) -> None:
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._answer = head.encode() + body

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answer)
        await writer.drain()
        writer.close()


async def checks_of(
    podyard: CommandLine, gateway: Gateway | None = None
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and checks by name; unless said otherwise, with a gateway that is ready."""
    server = await asyncio.start_server(gateway or Gateway(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        podyard.environment["PODYARD_GATEWAY"] = f"127.0.0.1:{port}"
        result = await podyard("doctor", "--json")
    document = json.loads(result.stdout)
    assert document["ok"] is (result.code == 0)
    return result.code, {check["name"]: check for check in document["checks"]}


async def test_a_proxy_of_the_environment_is_not_asked(podyard: CommandLine) -> None:
    podyard.environment["http_proxy"] = podyard.environment["grpc_proxy"] = "http://127.0.0.1:1"
    code, _ = await checks_of(podyard)
    assert code == 0


async def test_all_is_well(podyard: CommandLine) -> None:
    code, checks = await checks_of(podyard)
    assert code == 0
    assert {name: check["state"] for name, check in checks.items()} == {
        "local stack": "skipped",
        "k8s-resource": "ok",
        "k8s-resource → upstream": "ok",
        "cluster-lifecycle": "ok",
        "cluster-lifecycle → upstream": "ok",
        "training-history": "ok",
        "training-history → upstream": "ok",
        "gateway": "ok",
        "lab (default)": "ok",
        "tracking server": "ok",
    }
    assert checks["lab (default)"]["detail"] == "v1.37.2"
    assert "latency_ms" in checks["k8s-resource"]


async def test_a_service_that_is_down_has_a_remedy_and_the_rest_is_still_checked(
    podyard: CommandLine, services: Services
) -> None:
    await services.stop("k8s_resource")
    code, checks = await checks_of(podyard)
    assert code == 1
    assert checks["k8s-resource"]["state"] == "problem"
    assert checks["k8s-resource"]["detail"] == "cannot be reached: connection refused"
    assert "make run" in checks["k8s-resource"]["remedy"]
    assert checks["clusters"]["state"] == "skipped"
    assert checks["tracking server"]["state"] == "ok"


async def test_a_dependency_that_is_down_is_told_with_the_reason(
    podyard: CommandLine, services: Services, script: Script
) -> None:
    script.reachable = False
    await services.restart("k8s_resource")  # its first probe is made at the start
    code, checks = await checks_of(podyard)
    assert code == 1
    assert checks["k8s-resource → upstream"]["state"] == "problem"
    assert checks["lab (default)"]["detail"] == "connection refused; start the API server"


async def test_a_dead_process_of_the_local_stack_is_told(
    podyard: CommandLine, tmp_path: Path
) -> None:
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    components = [
        {"name": "mlflow", "address": "http://m", "pid": ended.pid, "log": "/logs/mlflow.log"},
        {"name": "etcd", "address": "", "pid": os.getpid(), "log": "/logs/etcd.log"},
    ]
    (tmp_path / "endpoints.json").write_text(json.dumps({"components": components}))
    code, checks = await checks_of(podyard)
    assert code == 1
    assert checks["mlflow"]["state"] == "problem"
    assert "/logs/mlflow.log" in checks["mlflow"]["remedy"]
    assert checks["etcd"]["state"] == "ok"


async def test_text_for_people(podyard: CommandLine) -> None:
    podyard.environment["PODYARD_GATEWAY"] = "127.0.0.1:1"
    result = await podyard("doctor")
    assert result.code == 1
    assert "✗ gateway" in result.stdout
    assert "cannot be reached: connection refused" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 problem found"


async def test_addresses_come_from_the_local_stack(
    podyard: CommandLine, services: Services, tmp_path: Path
) -> None:
    for name in services.ports:
        del podyard.environment[f"PODYARD_{name.upper()}_ADDRESS"]
    endpoints = {name: services.address(name) for name in services.ports}
    (tmp_path / "endpoints.json").write_text(json.dumps(endpoints))
    assert (await podyard("pods")).code == 0
    (tmp_path / "endpoints.json").write_text("{")
    broken = await podyard("pods")
    assert broken.code == 1
    assert "endpoints.json cannot be read" in broken.stderr


async def test_a_bad_address_names_its_variable(podyard: CommandLine) -> None:
    podyard.environment["PODYARD_K8S_RESOURCE_ADDRESS"] = "nonsense"
    result = await podyard("pods")
    assert result.code == 1
    assert 'PODYARD_K8S_RESOURCE_ADDRESS: "nonsense" is not "host:port"' in result.stderr


async def test_a_gateway_that_is_not_ready_names_what_it_waits_for(podyard: CommandLine) -> None:
    services = {
        "k8s-resource": {"status": "serving", "address": "127.0.0.1:1"},
        "training-history": {"status": "unreachable", "message": "refused"},
    }
    unready = Gateway("503 Service Unavailable", {"status": "unavailable", "services": services})
    code, checks = await checks_of(podyard, unready)
    assert code == 1
    assert checks["gateway"]["detail"] == "answers 503: training-history unreachable (refused)"
    code, checks = await checks_of(podyard, Gateway("502 Bad Gateway", "another program"))
    assert checks["gateway"]["detail"] == 'answers 502: "another program"'
