"""The control plane's programs: found, or built once from the Go module beside this file.

Standard library only: runs before `.venv` exists.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from tools.stack import layout
from tools.stack.console import run_step, say
from tools.stack.errors import StackError
from tools.stack.locks import held

MODULE = layout.STACK / "controlplane"

# Small ones first would please the eye, but the API server compiles what the others share.
PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwokctl": "sigs.k8s.io/kwok/cmd/kwokctl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "helm": "helm.sh/helm/v4/cmd/helm",
}
_MODULES = {
    "kube-apiserver": "k8s.io/kubernetes",
    "kubectl": "k8s.io/kubernetes",
    "kube-scheduler": "k8s.io/kubernetes",
    "kube-controller-manager": "k8s.io/kubernetes",
    "kwokctl": "sigs.k8s.io/kwok",
    "kwok": "sigs.k8s.io/kwok",
    "etcd": "go.etcd.io/etcd/server/v3",
    "helm": "helm.sh/helm/v4",
}
_VERSION_ARGUMENTS = {"kubectl": ("version", "--client"), "helm": ("version",)}


def version(program: str) -> str:
    """The version go.mod requires, such as `v1.37.2`."""
    text = (MODULE / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(_MODULES[program])} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise StackError(f"{MODULE / 'go.mod'} does not require {_MODULES[program]}.")
    return found[1]


def kubernetes_version() -> str:
    """The version of the control plane, such as `v1.37.2`."""
    return version("kube-apiserver")


def folder() -> Path:
    """The folder with all programs; StackError when `setup` has not provided it."""
    chosen = _chosen()
    if chosen is not None:
        return chosen
    built = _build_folder()
    missing = _missing(built)
    if missing:
        raise StackError(
            f"The control plane is not built yet ({', '.join(missing)} missing): "
            "run `make setup` first."
        )
    return built


def available() -> bool:
    """Whether all programs are there, so that no Go is needed."""
    return _chosen() is not None or not _missing(_build_folder())


def ensure() -> Path:
    """Make sure all programs are there, building what is missing; return their folder."""
    chosen = _chosen()
    if chosen is not None:
        say(f"  control plane: programs in {chosen}")
        return chosen
    built = _build_folder()
    if not _missing(built):
        say(f"  control plane: Kubernetes {kubernetes_version()} up to date")
        return built
    with held(built.with_name(built.name + ".lock"), "building the control plane"):
        missing = _missing(built)
        if missing:
            say(
                f"  control plane: building {len(missing)} programs from source, once "
                "(about 13 minutes on two cores; may be interrupted and continued)"
            )
        for number, program in enumerate(missing, 1):
            seconds = _build(program, built)
            say(f"  [{number}/{len(missing)}] {program} {version(program)}: {seconds:.0f} s")
    return built


def _build(program: str, into: Path) -> float:
    partial = into / f".{program}.partial"
    into.mkdir(parents=True, exist_ok=True)
    seconds = run_step(
        f"building {program}",
        [
            *("go", "build", "-trimpath", "-ldflags", _link_flags(program)),
            *("-o", str(partial), PACKAGES[program]),
        ],
        layout.cache_folder() / "logs" / f"build-{program}.log",
        cwd=MODULE,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"},
    )
    partial.replace(into / program)
    return seconds


def _link_flags(program: str) -> str:
    # Without it the API server reports an empty version, which clients cannot parse.
    flags = f"-s -w -X k8s.io/component-base/version.gitVersion={kubernetes_version()}"
    if program == "helm":
        flags += f" -X helm.sh/helm/v4/internal/version.version={version('helm')}"
    return flags


def _build_folder() -> Path:
    key = hashlib.sha256(b"podyard controlplane 1")
    for name in ("go.mod", "go.sum", "tools.go"):
        key.update((MODULE / name).read_bytes())
    for program in PACKAGES:
        key.update(_link_flags(program).encode())
    return layout.cache_folder() / "controlplane" / key.hexdigest()[:16]


def _missing(where: Path) -> list[str]:
    return [name for name in PACKAGES if not os.access(where / name, os.X_OK)]


def _chosen() -> Path | None:
    """The folder named by PODYARD_STACK_BIN, or the one on PATH with the right versions."""
    named = os.environ.get("PODYARD_STACK_BIN")
    if named:
        where = Path(named).expanduser().absolute()
        missing = _missing(where)
        if missing:
            raise StackError(f"PODYARD_STACK_BIN={named} lacks {', '.join(missing)}.")
        return where
    found = [shutil.which(name) for name in PACKAGES]
    folders = {str(Path(path).parent) for path in found if path}
    if None in found or len(folders) != 1:
        return None
    where = Path(folders.pop())
    return where if all(_is_right_version(where, name) for name in PACKAGES) else None


def _is_right_version(where: Path, program: str) -> bool:
    arguments = _VERSION_ARGUMENTS.get(program, ("--version",))
    try:
        shown = subprocess.run(
            [where / program, *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return re.search(rf"\bv?{re.escape(version(program)[1:])}\b", shown.stdout) is not None
