"""The control plane fixture: real Kubernetes, on loopback only, that can be cut and fed."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
import yaml

from tools.stack import processes, testing
from tools.stack.errors import StackError
from tools.stack.processes import ProcessIdentity
from tools.stack.testing import ControlPlane


def _pod(name: str, **annotations: str) -> str:
    marks = {f"stack.podyard.local/{key.replace('_', '-')}": v for key, v in annotations.items()}
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": marks},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    return yaml.safe_dump(manifest)


def _phase(plane: ControlPlane, name: str, phase: str) -> None:
    plane.kubectl("wait", f"--for=jsonpath={{.status.phase}}={phase}", f"pod/{name}", "-v0")


def _listening(identities: dict[str, ProcessIdentity]) -> list[tuple[str, str]]:
    """(part, local address) of every listening TCP socket of these processes, from /proc."""
    found = []
    for part, identity in identities.items():
        sockets = set()
        for link in Path(f"/proc/{identity.pid}/fd").iterdir():
            try:
                sockets.add(str(link.readlink()))
            except FileNotFoundError:  # closed meanwhile
                continue
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{identity.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:  # 0A is LISTEN
                    found.append((part, fields[1].rpartition(":")[0]))
    return found


def test_every_socket_listens_on_loopback(control_plane: ControlPlane) -> None:
    listening = _listening(control_plane.identities())
    assert {part for part, _ in listening} == {
        *("etcd", "kube-apiserver", "kwok-controller"),
        *("kube-controller-manager", "kube-scheduler"),
    }
    # 127.0.0.1 in the kernel's byte order (little-endian machines).
    assert {address for _, address in listening} == {"0100007F"}


def test_a_slow_api_server_ends_no_other_part(control_plane: ControlPlane) -> None:
    """The holder of a lease ends when it cannot renew it for 10 s: none may hold one."""
    leases = control_plane.kubectl("get", "leases", "--all-namespaces", "--output=name")
    assert not {"kube-controller-manager", "kube-scheduler"} & {
        name.rpartition("/")[2] for name in leases.split()
    }


def test_versions_are_those_of_the_module(control_plane: ControlPlane) -> None:
    shown = yaml.safe_load(control_plane.kubectl("version", "-o", "yaml"))
    assert shown["serverVersion"]["gitVersion"] == "v1.37.2"
    assert shown["clientVersion"]["gitVersion"] == "v1.37.2"


def test_log_follow_sees_new_lines_and_rotation(control_plane: ControlPlane) -> None:
    control_plane.apply(_pod("talker"))
    _phase(control_plane, "talker", "Running")
    control_plane.write_logs("talker", "first")
    follow = subprocess.Popen(
        [str(control_plane.kubectl_path), "logs", "-f", "talker"],
        env={**os.environ, "KUBECONFIG": str(control_plane.kubeconfig)},
        stdout=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(60, follow.kill)
    guard.start()
    try:
        assert follow.stdout is not None
        assert follow.stdout.readline() == "first\n"
        control_plane.write_logs("talker", "second")
        assert follow.stdout.readline() == "second\n"
        control_plane.pod_logs("talker").rotate()
        control_plane.write_logs("talker", "third")
        assert follow.stdout.readline() == "third\n"
    finally:
        guard.cancel()
        follow.kill()
        follow.communicate()


def test_pods_obey_their_annotations(control_plane: ControlPlane) -> None:
    control_plane.apply(_pod("ends", complete_after="100ms"))
    control_plane.apply(_pod("fails", fail_after="100ms", exit_code="137", reason="OOMKilled"))
    control_plane.apply(_pod("crashes", crash_after="100ms"))
    control_plane.apply(_pod("no-image", image_error="true"))
    _phase(control_plane, "ends", "Succeeded")
    _phase(control_plane, "fails", "Failed")
    state = "{.status.containerStatuses[0].state.terminated.exitCode}"
    assert control_plane.kubectl("get", "pod", "fails", "-o", f"jsonpath={state}") == "137"
    crashed = "{.status.containerStatuses[0].lastState.terminated.exitCode}"
    control_plane.kubectl("wait", f"--for=jsonpath={crashed}=1", "pod/crashes")
    reason = "{.status.containerStatuses[0].state.waiting.reason}"
    control_plane.kubectl("wait", f"--for=jsonpath={reason}=ImagePullBackOff", "pod/no-image")


def test_kubectl_failure_is_told(control_plane: ControlPlane) -> None:
    with pytest.raises(StackError, match="not found"):
        control_plane.kubectl("get", "pod", "absent")


def test_two_side_by_side_and_api_server_killed(control_plane: ControlPlane) -> None:
    with testing.control_plane("other") as other:
        assert other.server_url != control_plane.server_url
        other.apply(_config_map("kept"))
        before = other.identities()
        other.kill_apiserver()
        assert not processes.is_alive(before["kube-apiserver"])
        with pytest.raises(StackError, match="refused"):
            other.kubectl("get", "configmap", "kept")
        assert "node/node-000000" in control_plane.kubectl("get", "nodes", "-o", "name")
        other.start_apiserver()
        assert other.kubectl("get", "configmap", "kept", "-o", "name") == "configmap/kept\n"
        running = other.identities()
        assert running["etcd"] == before["etcd"]
        assert running["kube-apiserver"] != before["kube-apiserver"]
    assert not any(processes.is_alive(identity) for identity in running.values())
    assert not other.folder.exists()


def _config_map(name: str) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
