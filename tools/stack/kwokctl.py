"""kwokctl's command line for a control plane that listens on loopback only."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.stack import layout, ports, programs

_BINARIES = {
    "etcd-binary": "etcd",
    "kube-apiserver-binary": "kube-apiserver",
    "kube-controller-manager-binary": "kube-controller-manager",
    "kube-scheduler-binary": "kube-scheduler",
    "kwok-controller-binary": "kwok",
}


@dataclass(frozen=True)
class Addresses:
    """The ports of the parts."""

    etcd: int
    etcd_peer: int
    api_server: int
    controller_manager: int
    scheduler: int
    kwok: int


def create_command(
    binaries: Path, name: str, folder: Path, kubeconfig: Path, at: Addresses
) -> list[str]:
    """The arguments that make the cluster; writes their configuration file into `folder`."""
    patches = folder / "kwokctl.yaml"
    patches.write_text(json.dumps(_component_patches(at)))  # JSON is YAML
    return [
        str(binaries / "kwokctl"),
        *("create", "cluster", "--name", name, "--runtime", "binary"),
        *("--config", str(layout.STACK / "stages.yaml"), "--config", str(patches)),
        *("--kubeconfig", str(kubeconfig)),
        *(f"--{flag}={binaries / program}" for flag, program in _BINARIES.items()),
        *("--etcd-port", str(at.etcd), "--kube-apiserver-port", str(at.api_server)),
        *("--kube-controller-manager-port", str(at.controller_manager)),
        *("--kube-scheduler-port", str(at.scheduler), "--controller-port", str(at.kwok)),
        # With its limits the controller manager takes minutes for some thousand pods.
        *("--disable-qps-limits", "--enable-crds", "ClusterLogs,Logs"),
    ]


def environment(binaries: Path, folder: Path, kubeconfig: Path) -> dict[str, str]:
    """For kwokctl and kubectl: this cluster's files, never the user's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KWOK_")}
    return kept | {
        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "KUBECONFIG": str(kubeconfig),
        "KWOK_WORKDIR": str(folder / "kwok"),
        "KWOK_KUBE_VERSION": programs.kubernetes_version(),
    }


def _component_patches(at: Addresses) -> dict[str, Any]:
    """Arguments beside kwokctl's own; its option --extra-args panics with several a component."""
    here = ports.LOOPBACK
    # kwokctl binds all of these to every interface unless told otherwise.
    extra = {
        "etcd": {
            "listen-client-urls": f"http://{here}:{at.etcd}",
            "advertise-client-urls": f"http://{here}:{at.etcd}",
            "listen-peer-urls": f"http://{here}:{at.etcd_peer}",
            "initial-advertise-peer-urls": f"http://{here}:{at.etcd_peer}",
            "initial-cluster": f"node0=http://{here}:{at.etcd_peer}",
            # Lost with the folder anyway, and an fsync per write is most of a slow start.
            "unsafe-no-fsync": "true",
        },
        "kube-apiserver": {
            "bind-address": here,
            # All kubelets are kwok on loopback; a node with a name and address of its own
            # says so by an ExternalIP of 127.0.0.1 (without addresses, kwok sees to it).
            "kubelet-preferred-address-types": "ExternalIP,Hostname,InternalIP",
        },
        # Each is the only one; a leader ends when the API server is slow for 10 s.
        "kube-controller-manager": {"bind-address": here, "leader-elect": "false"},
        "kube-scheduler": {"bind-address": here, "leader-elect": "false"},
        "kwok-controller": {"server-address": f"{here}:{at.kwok}"},
    }
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "componentsPatches": [
            {
                "name": part,
                "extraArgs": [{"key": key, "value": value} for key, value in options.items()],
            }
            for part, options in extra.items()
        ],
    }
