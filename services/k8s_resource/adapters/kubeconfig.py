"""The clusters of a kubeconfig, read again when its files change; or the one we run in."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import KubeConfigMerger

from services.common.errors import FailedPreconditionError, NotFoundError
from services.common.logs import get_logger
from services.k8s_resource.adapters.credentials import (
    LoadedCredentials,
    in_cluster_credentials,
    kubeconfig_credentials,
)
from services.k8s_resource.adapters.kube_api import AiohttpKubeApi
from services.k8s_resource.domain.ports import Connection

IN_CLUSTER = "in-cluster"
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_CHECK_SECONDS = 0.5
_FILE_KEYS = ("certificate-authority", "client-certificate", "client-key")


@dataclass(frozen=True, slots=True)
class _Context:
    """One context as written. `written` is everything that decides how to connect."""

    name: str
    server: str
    namespace: str
    written: object


class KubeconfigConnections:
    """`ports.Connections` on kubeconfig files, or in-cluster where there are none."""

    def __init__(self, paths: Sequence[Path], service_account: Path = _SERVICE_ACCOUNT) -> None:
        """`paths` as in KUBECONFIG; missing ones are looked for again."""
        self._paths = list(paths)
        self._service_account = service_account
        self._watched: list[Path] = self._paths
        self._signature: object = None
        self._checked = -_CHECK_SECONDS
        self._contexts: dict[str, _Context] = {}
        self._connections: dict[str, Connection] = {}
        self._apis: dict[str, AiohttpKubeApi] = {}
        self._dropped: list[AiohttpKubeApi] = []
        self._problem = ""
        self._log = get_logger("kubeconfig")

    def get(self, cluster: str) -> Connection:
        self._refresh()
        for connection in self._connections.values():
            if connection.name == cluster or (not cluster and connection.default):
                return connection
        if not self._connections:
            raise self._missing()
        known = ", ".join(sorted(self._connections))
        if not cluster:
            raise FailedPreconditionError(
                f"no cluster is the default one: set current-context in the kubeconfig, or name "
                f"one of: {known}",
                reason="NO_DEFAULT_CLUSTER",
            )
        raise NotFoundError(
            "cluster", cluster, f'cluster "{cluster}" is not known; known are: {known}'
        )

    def list(self) -> Sequence[Connection]:
        self._refresh()
        if not self._connections:
            raise self._missing()
        return sorted(self._connections.values(), key=lambda connection: connection.name)

    async def close(self) -> None:
        """Close all connections."""
        for api in (*self._apis.values(), *self._dropped):
            await api.close()

    def _missing(self) -> FailedPreconditionError:
        where = os.pathsep.join(str(path) for path in self._paths)
        return FailedPreconditionError(
            f"no cluster is configured: {self._problem or f'no kubeconfig at {where}'}; set "
            "PODYARD_K8S_RESOURCE_KUBECONFIG or KUBECONFIG to a kubeconfig file, or put one there",
            reason="NO_KUBECONFIG",
        )

    def _refresh(self) -> None:
        if time.monotonic() - self._checked < _CHECK_SECONDS:
            return
        self._checked = time.monotonic()
        signature = _signature(self._watched)
        if signature == self._signature:
            return
        try:
            if any(path.exists() for path in self._paths):
                self._load_files()
            elif os.environ.get("KUBERNETES_SERVICE_HOST"):
                self._load_in_cluster()
            else:
                self._replace({}, "", {})
                self._watched = self._paths
        except (ConfigException, yaml.YAMLError, OSError, TypeError, KeyError, AttributeError) as e:
            # A file may be half written; what was known stays in use until it can be read.
            self._problem = f"the kubeconfig cannot be read: {' '.join(str(e).split())}"
            self._log.warning("kubeconfig unreadable", why=self._problem)
        else:
            self._problem = ""
        self._signature = _signature(self._watched)

    def _load_files(self) -> None:
        merged = KubeConfigMerger(os.pathsep.join(str(path) for path in self._paths)).config
        if merged is None or not isinstance(merged.value, dict):
            raise ConfigException("it is empty")
        contexts = {}
        credentials = {}
        files: list[Path] = []
        for entry in merged["contexts"]:
            context, referenced = _read_context(merged, entry)
            if context is not None:
                contexts[context.name] = context
                credentials[context.name] = kubeconfig_credentials(merged, context.name)
                files += referenced
        current = merged.safe_get("current-context") or ""
        if not current and len(contexts) == 1:
            current = next(iter(contexts))
        self._replace(contexts, current, credentials)
        self._watched = [*self._paths, *files]

    def _load_in_cluster(self) -> None:
        host, port = (os.environ[f"KUBERNETES_SERVICE_{part}"] for part in ("HOST", "PORT"))
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        namespace_file = self._service_account / "namespace"
        namespace = namespace_file.read_text().strip() if namespace_file.exists() else ""
        credentials = in_cluster_credentials(
            self._service_account / "token", self._service_account / "ca.crt"
        )
        self._replace(
            {IN_CLUSTER: _Context(IN_CLUSTER, server, namespace, server)},
            IN_CLUSTER,
            {IN_CLUSTER: credentials},
        )
        self._watched = self._paths

    def _replace(
        self,
        contexts: dict[str, _Context],
        current: str,
        credentials: Mapping[str, LoadedCredentials],
    ) -> None:
        apis = {}
        for name, context in contexts.items():
            known = self._contexts.get(name)
            if known is None or known.server != context.server:
                apis[name] = AiohttpKubeApi(context.server, credentials[name])
                continue
            apis[name] = self._apis[name]
            if known.written != context.written:
                apis[name].renew(credentials[name])
        self._dropped += [api for name, api in self._apis.items() if apis.get(name) is not api]
        self._contexts, self._apis = contexts, apis
        self._connections = {
            name: Connection(name, context.server, context.namespace, name == current, apis[name])
            for name, context in contexts.items()
        }
        self._log.info("clusters", known=sorted(contexts), default=current)


def default_kubeconfig_paths() -> list[Path]:
    """KUBECONFIG, which may name several files, else ~/.kube/config."""
    value = os.environ.get("KUBECONFIG", "")
    paths = [Path(part).expanduser() for part in value.split(os.pathsep) if part]
    return paths or [Path("~/.kube/config").expanduser()]


def _read_context(merged: Any, entry: Any) -> tuple[_Context | None, list[Path]]:
    """A context and the files its cluster and user refer to; None if its cluster is not there."""
    context = entry["context"]
    cluster = merged["clusters"].get_with_name(context["cluster"], safe=True)
    if cluster is None or "server" not in cluster["cluster"]:
        return None, []
    user_name = context.safe_get("user")
    user = merged["users"].get_with_name(user_name, safe=True) if user_name else None
    sections = [cluster["cluster"]]
    if user is not None and user.safe_get("user"):
        sections.append(user["user"])
    files = [
        Path(section.path).parent / section.value[key]
        for section in sections
        for key in _FILE_KEYS
        if isinstance(section.value, dict) and section.value.get(key)
    ]
    written = ([section.value for section in sections], _signature(files))
    return (
        _Context(
            name=entry["name"],
            server=cluster["cluster"]["server"].rstrip("/"),
            namespace=context.safe_get("namespace") or "",
            written=written,
        ),
        files,
    )


def _signature(paths: Sequence[Path]) -> tuple[object, ...]:
    """Changes whenever one of the files does."""
    found: list[object] = []
    for path in paths:
        try:
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)
