"""Settings, ports, prerequisites and records: what goes wrong is said clearly."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tools.stack import commands, ports, prerequisites, programs
from tools.stack.component import Component
from tools.stack.errors import StackError
from tools.stack.records import Records, read_json, write_json
from tools.stack.settings import RunOptions, listen


def test_ports_are_fixed_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    stems = ("gateway", "k8s_resource", "cluster_lifecycle", "training_history")
    for stem in stems:
        monkeypatch.delenv(f"PODYARD_{stem.upper()}_LISTEN", raising=False)
    assert [listen(stem).address for stem in stems] == [
        f"127.0.0.1:{port}" for port in (7400, 7401, 7402, 7403)
    ]


@pytest.mark.parametrize("text", ["7400", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:http", ":7400"])
def test_bad_address_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PODYARD_GATEWAY_LISTEN", text)
    with pytest.raises(StackError, match="PODYARD_GATEWAY_LISTEN"):
        listen("gateway")


def test_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PODYARD_GATEWAY_LISTEN", f"127.0.0.1:{port}")
        with pytest.raises(StackError, match=rf"Port {port} \(gateway\) is in use"):
            listen("gateway").check_free("gateway")
    listen("gateway").check_free("gateway")


def test_free_ports_differ_and_stay_out_of_the_ephemeral_range() -> None:
    chosen = ports.free_ports(20)
    assert len(set(chosen)) == 20
    assert all(7403 < port < 32768 for port in chosen)


def test_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no kubeconfig at"):
        RunOptions(tmp_path, kubeconfig=tmp_path / "absent").check()


def test_every_missing_tool_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PODYARD_WITHOUT_NODE", raising=False)
    with pytest.raises(StackError) as caught:
        prerequisites.check(go_needed=True)
    assert "make:" in str(caught.value)
    assert "go 1.21 or later" in str(caught.value)
    assert "node 20.0 or later" in str(caught.value)


def test_old_tool_is_named_with_its_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.19.4 linux/amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(StackError, match=r"go 1\.21 or later \(found: go version go1\.19\.4"):
        prerequisites.check(go_needed=True)


def test_chosen_folder_must_hold_all_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PODYARD_STACK_BIN", str(tmp_path))
    with pytest.raises(StackError, match=r"lacks kube-apiserver, kwokctl, .*helm"):
        programs.folder()


def test_versions_come_from_the_go_module() -> None:
    assert programs.version("kubectl") == "v1.37.2"
    assert programs.version("kwok") == "v0.8.0"
    assert programs.version("helm") == "v4.3.1"


def test_programs_say_their_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    where = programs.folder()
    shown = subprocess.run([where / "helm", "version", "--short"], capture_output=True, text=True)
    assert shown.stdout.startswith("v4.3.1")
    # On PATH with the right versions they are taken as they are.
    monkeypatch.delenv("PODYARD_STACK_BIN", raising=False)
    monkeypatch.setenv("PATH", str(where))
    monkeypatch.setenv("PODYARD_CACHE", str(where / "nothing-here"))
    assert programs.folder() == where


def test_records_survive_nonsense(tmp_path: Path) -> None:
    records = Records(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "half.json").write_text('{"pid": 1')
    write_json(tmp_path / "run" / "other.json", {"pid": "x", "start_time": 1})
    write_json(tmp_path / "run" / "gone.json", {"pid": 2**22 + 1, "start_time": 1})
    assert records.recorded() == {}
    assert read_json(tmp_path / "absent.json") == {}


def test_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=20 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StackError, match=r"nearly full: 20 MB free.*PODYARD_STATE"):
        commands.run(RunOptions(tmp_path, backing_only=True))
    assert Records(tmp_path).recorded() == {}


def test_other_systems_settings_reach_only_what_is_meant_to_use_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("KUBECONFIG", "/home/me/production")
    monkeypatch.setenv("PODYARD_GATEWAY_DRAIN_SECONDS", "3")
    own = {"AWS_REGION": "us-east-1"}
    kept = Component("c", ("true",), lambda: True, own).full_environment()
    assert "AWS_PROFILE" not in kept
    assert "KUBECONFIG" not in kept
    assert kept["AWS_REGION"] == "us-east-1"
    assert kept["PODYARD_GATEWAY_DRAIN_SECONDS"] == "3"
    meant = Component("c", ("true",), lambda: True, user_settings=True).full_environment()
    assert meant["AWS_PROFILE"] == "production"
