"""Kubeconfig files that change under a running service, without an API server."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.common.errors import FailedPreconditionError, NotFoundError
from services.k8s_resource.adapters import kubeconfig, watched_files
from services.k8s_resource.adapters.kubeconfig import KubeconfigConnections
from services.k8s_resource.domain.ports import Connection


class Clock:
    """What the files' watcher takes for the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watched_files, "time", made)
    monkeypatch.setattr(kubeconfig, "_CHECK_SECONDS", -1.0)
    return made


def config(*names: str) -> Any:
    """A kubeconfig with a context, a cluster and a user of each name."""
    return {
        "apiVersion": "v1",
        "clusters": [
            {"name": name, "cluster": {"server": f"https://{name}.example"}} for name in names
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
        "current-context": names[0],
        "kind": "Config",
        "users": [{"name": name, "user": {"token": "t"}} for name in names],
    }


def replace(path: Path, content: Any) -> None:
    """As kubectl and editors do."""
    beside = path.with_suffix(".new")
    beside.write_text(yaml.safe_dump(content))
    beside.replace(path)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    made = tmp_path / "config"
    replace(made, config("a", "b"))
    return made


def names(connections: KubeconfigConnections) -> list[str]:
    return [connection.name for connection in connections.list()]


def by_name(connections: KubeconfigConnections) -> dict[str, Connection]:
    return {connection.name: connection for connection in connections.list()}


async def test_a_file_written_in_place_is_taken_when_its_writer_has_finished(
    path: Path, clock: Clock
) -> None:
    connections = KubeconfigConnections([path])
    before = by_name(connections)
    whole = yaml.safe_dump(config("a", "b", "c"))
    for size in range(0, len(whole), 40):
        # Many of these are good YAML, without some clusters, contexts or users.
        path.write_text(whole[:size])
        os.utime(path, ns=(size, size))
        clock.now += 0.4
        assert by_name(connections) == before
    path.write_text(whole)
    assert names(connections) == ["a", "b"]
    clock.now += watched_files.QUIET_SECONDS
    after = by_name(connections)
    assert [*after] == ["a", "b", "c"]
    assert all(after[name].api is before[name].api for name in before)
    await connections.close()


async def test_a_file_that_takes_anothers_place_is_taken_at_once(path: Path) -> None:
    connections = KubeconfigConnections([path])
    before = by_name(connections)
    changed = config("a", "c")
    changed["users"][0]["user"]["token"] = "rotated"
    replace(path, changed)
    after = by_name(connections)
    assert [*after] == ["a", "c"]
    # New credentials keep the connection, with the streams on it.
    assert after["a"].api is before["a"].api
    assert (before["a"].renewals, after["a"].renewals) == (0, 1)
    changed["clusters"][0]["cluster"]["server"] = "https://elsewhere.example"
    replace(path, changed)
    again = by_name(connections)
    assert again["a"].api is not after["a"].api
    assert again["c"].api is after["c"].api
    with pytest.raises(NotFoundError, match=r'"b" is not known; known are: a, c'):
        connections.get("b")
    await connections.close()


async def test_a_mounted_secret_is_taken_when_its_link_is_turned(tmp_path: Path) -> None:
    for version, content in (("..1", config("a")), ("..2", config("a", "b"))):
        (tmp_path / version).mkdir()
        (tmp_path / version / "config").write_text(yaml.safe_dump(content))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "config").symlink_to("..data/config")
    connections = KubeconfigConnections([tmp_path / "config"])
    assert names(connections) == ["a"]
    # As the kubelet does it: a new link is renamed over the old one.
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert names(connections) == ["a", "b"]
    await connections.close()


async def test_a_file_that_is_gone_for_a_moment_changes_nothing(path: Path, clock: Clock) -> None:
    connections = KubeconfigConnections([path])
    before = by_name(connections)
    kept = path.read_text()
    path.unlink()
    assert by_name(connections) == before
    path.write_text(kept)
    clock.now += watched_files.QUIET_SECONDS / 2
    assert by_name(connections) == before
    clock.now += watched_files.QUIET_SECONDS
    after = by_name(connections)
    assert all(after[name].api is before[name].api for name in before)
    path.unlink()
    assert names(connections) == ["a", "b"]
    clock.now += watched_files.QUIET_SECONDS
    with pytest.raises(FailedPreconditionError, match="no kubeconfig at"):
        connections.list()
    await connections.close()


@pytest.mark.parametrize("broken", ["clusters: [", "[]", "", "contexts: 5\nclusters: []\n"])
async def test_what_cannot_be_read_is_told_and_changes_nothing(
    path: Path, clock: Clock, broken: str
) -> None:
    connections = KubeconfigConnections([path])
    before = by_name(connections)
    path.write_text(broken)
    assert connections.problem == ""
    clock.now += watched_files.QUIET_SECONDS
    assert by_name(connections) == before
    assert "cannot be read" in connections.problem
    replace(path, config("a", "b"))
    assert connections.problem == ""
    await connections.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: c["contexts"][1]["context"].update(cluster="x"), 'its cluster "x" is not in'),
        (lambda c: c["contexts"][1]["context"].update(user="x"), 'its user "x" is not in'),
        (lambda c: c["contexts"][1].pop("context"), "Expected key context"),
        (lambda c: c["contexts"][1].update(context=3), "is not of the form"),
        (lambda c: c["clusters"][1]["cluster"].pop("server"), "Expected key server"),
        (lambda c: c["clusters"][1].update(cluster=None), "Expected key cluster"),
        (
            lambda c: c["clusters"][1]["cluster"].update(server="file:///etc"),
            'its server "file:///etc" is not an http or https address',
        ),
        (lambda c: c["clusters"][1]["cluster"].update(server="https://h:x"), "is not an http"),
    ],
)
async def test_one_bad_context_does_not_hide_the_others(path: Path, change: Any, why: str) -> None:
    bad = config("a", "b")
    change(bad)
    replace(path, bad)
    connections = KubeconfigConnections([path])
    assert names(connections) == ["a"]
    assert 'context "b": ' in connections.problem
    assert why in connections.problem
    with pytest.raises(FailedPreconditionError, match='cluster "b" cannot be used'):
        connections.get("b")
    await connections.close()


async def test_an_address_without_a_scheme_is_one_with_https(path: Path) -> None:
    plain = config("a")
    plain["clusters"][0]["cluster"]["server"] = "10.0.0.1:6443/"
    replace(path, plain)
    connections = KubeconfigConnections([path])
    assert connections.get("").server == "https://10.0.0.1:6443"
    await connections.close()


async def test_a_certificate_that_is_replaced_renews_the_credentials(
    path: Path, tmp_path: Path
) -> None:
    files = config("a")
    files["users"][0]["user"] = {"client-certificate": "a.crt", "client-key": "a.key"}
    for name in ("a.crt", "a.key"):
        (tmp_path / name).write_text("first")
    replace(path, files)
    connections = KubeconfigConnections([path])
    before = connections.get("a")
    beside = tmp_path / "a.new"
    beside.write_text("second")
    beside.replace(tmp_path / "a.crt")
    after = connections.get("a")
    assert after.api is before.api
    assert after.renewals == before.renewals + 1
    assert connections.get("a").renewals == after.renewals
    await connections.close()


async def test_connections_to_clusters_that_are_gone_are_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeconfig, "_LOOK_SECONDS", 0.01)
    closed: asyncio.Queue[str] = asyncio.Queue()
    connections = KubeconfigConnections([path])
    async with connections.running():
        for connection in connections.list():

            async def close(name: str = connection.name) -> None:
                closed.put_nowait(name)

            monkeypatch.setattr(connection.api, "close", close)
        replace(path, config("b"))
        # Nobody asks for a cluster: the files are looked at all the same.
        async with asyncio.timeout(10):
            assert await closed.get() == "a"
        assert closed.empty()
    assert closed.get_nowait() == "b"
