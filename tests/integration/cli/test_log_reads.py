"""Downloads and searches of logs by the command line and the SDK, on a real control plane."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from podyard.client import NotFoundError, Podyard

from tests.integration.cli.command_line import CommandLine
from tests.integration.cli.test_real_services import POD
from tests.service_process import ServiceProcess, running_service
from tools.stack.testing import ControlPlane

SPACE = "cli-log-reads"


@pytest.fixture
async def service(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    environment = {"PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig)}
    async with running_service("k8s_resource", environment, tmp_path) as running:
        yield running


@pytest.fixture
def podyard(service: ServiceProcess, tmp_path: Path) -> CommandLine:
    environment = {
        "PODYARD_K8S_RESOURCE_ADDRESS": service.address,
        "PODYARD_NAMESPACE": SPACE,
    }
    return CommandLine(environment, tmp_path)


@pytest.fixture(scope="module")
def pods(control_plane: ControlPlane) -> Iterator[None]:
    """Two pods with logs."""
    plane = control_plane
    plane.kubectl("create", "namespace", SPACE)
    plane.kubectl("wait", "-n", SPACE, "--for=create", "serviceaccount/default")
    for name in ("one", "two"):
        manifest = POD.format(name=name, namespace=SPACE).replace(f"app: {name}", "app: talk")
        plane.kubectl("apply", "-f", "-", stdin=manifest)
    plane.kubectl("wait", "-n", SPACE, "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    plane.write_logs("one", "start", "ERROR 1", "end", namespace=SPACE)
    plane.write_logs("two", "start", "error 2", "middle", "end", namespace=SPACE)
    yield
    plane.kubectl("delete", "namespace", SPACE, "--wait=false")


async def test_saving_logs(podyard: CommandLine, pods: None, tmp_path: Path) -> None:
    saved = await podyard("logs", "one", "--download", str(tmp_path))
    assert saved.code == 0, saved.stderr
    assert (tmp_path / "one_main.log").read_bytes() == b"start\nERROR 1\nend\n"
    assert "saved " in saved.stderr
    again = await podyard("logs", "one", "--download", str(tmp_path), "--gzip")
    assert gzip.decompress((tmp_path / "one_main.log.gz").read_bytes()).startswith(b"start\n")
    assert again.code == 0
    await podyard("logs", "one", "--download", str(tmp_path))
    assert (tmp_path / "one_main-1.log").exists()
    out = await podyard("logs", "-l", "app=talk", "--download", "-", "--merged")
    assert out.stdout.splitlines()[0] == "[pod/one/main] start"
    await podyard("logs", "-l", "app=talk", "--download", str(tmp_path / "all.zip"))
    assert (tmp_path / "all.zip").read_bytes()[:2] == b"PK"
    before = sorted(tmp_path.iterdir())
    absent = await podyard("logs", "absent", "--download", str(tmp_path))
    assert (absent.code, sorted(tmp_path.iterdir())) == (3, before)
    for options in (("--follow",), ("--include", "x")):
        assert (await podyard("logs", "one", "--download", "x", *options)).code == 2
    assert (await podyard("logs", "one", "--gzip")).code == 2
    nowhere = await podyard("logs", "one", "--download", str(tmp_path / "no" / "x"))
    assert (nowhere.code, "cannot be written" in nowhere.stderr) == (1, True)


async def test_searching_logs(podyard: CommandLine, pods: None) -> None:
    found = await podyard(
        "search-logs", "-l", "app=talk", "-i", "error", "-B", "1", "--order", "oldest"
    )
    assert found.stdout.splitlines() == [
        "one/main-start",
        "one/main:ERROR 1",
        "--",
        "two/main-start",
        "two/main:error 2",
    ]
    assert (found.code, "2 matches in 2 of 2 logs" in found.stderr) == (0, True)
    one = await podyard("search-logs", "ERROR", "one", "--line-number")
    assert one.stdout == "one/main:2:ERROR 1\n"
    nothing = await podyard("search-logs", "-l", "app=talk", "nothing like this")
    assert (nothing.code, nothing.stdout) == (1, "")
    names = await podyard("search-logs", "-l", "app=talk", "middle", "--logs-with-matches")
    assert names.stdout == "two/main\n"
    counts = await podyard("search-logs", "-l", "app=talk", "e", "--count")
    assert sorted(counts.stdout.splitlines()) == ["one/main:1", "two/main:3"]
    document = await podyard("search-logs", "-l", "app=talk", "-F", "error 2", "-o", "json")
    events = [json.loads(line) for line in document.stdout.splitlines()]
    assert [event["group"]["lines"]["text"] for event in events if "group" in event] == [
        ["error 2"]
    ]
    assert events[-1]["summary"]["matches"] == "1"
    bad = await podyard("search-logs", "-l", "app=talk", "a(b")
    assert (bad.code, "at character 2" in bad.stderr) == (1, True)
    assert (await podyard("search-logs", "x")).code == 2


async def test_the_sdk(service: ServiceProcess, pods: None, tmp_path: Path) -> None:
    def read() -> None:
        with Podyard(k8s_resource=service.address) as client:
            page = client.k8s.get_logs(namespace=SPACE, label_selector="app=talk", page_size=2)
            assert len([text for lines in page.lines for text in lines.text]) == 2
            older = client.k8s.get_logs(
                namespace=SPACE,
                label_selector="app=talk",
                page_size=100,
                page_token=page.older_page_token,
            )
            assert len([text for lines in older.lines for text in lines.text]) == 5
            with client.k8s.download_logs(namespace=SPACE, pod="one") as download:
                assert download.save(tmp_path).read_bytes() == b"start\nERROR 1\nend\n"
            with client.k8s.search_logs("end", namespace=SPACE, pod="two") as search:
                groups = [event.group for event in search if event.HasField("group")]
            assert [list(group.lines.text) for group in groups] == [["end"]]
            assert search.summary is not None
            assert search.summary.matches == 1
            with pytest.raises(NotFoundError):
                client.k8s.download_logs(namespace=SPACE, pod="absent")

    await asyncio.to_thread(read)
