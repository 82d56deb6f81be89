"""The clusters of a kubeconfig, read again when its files change; or the one we run in."""

from __future__ import annotations

import asyncio
import difflib
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
from services.k8s_resource.adapters.watched_files import WatchedFiles, signature
from services.k8s_resource.domain.ports import Connection

IN_CLUSTER = "in-cluster"
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_CHECK_SECONDS = 0.5
_LOOK_SECONDS = 1.0
_FILE_KEYS = ("certificate-authority", "client-certificate", "client-key")
_MALFORMED = (TypeError, KeyError, AttributeError)
"""What the official client's classes raise for YAML of another form than they expect."""


@dataclass(frozen=True, slots=True)
class _Context:
    """One context as written. `written` is everything that decides how to connect."""

    name: str
    server: str
    namespace: str
    written: object


class KubeconfigConnections:
    """`ports.Connections` on kubeconfig files, or in-cluster where there are none.

    Files are looked at when a cluster is asked for and, within `running()`, once a second. A
    file that another takes the place of (a rename, a symbolic link that is turned) is read at
    once; one that is written in place, or is gone, only when it has been left alone for a
    moment: half a file may well be good YAML.
    """

    def __init__(self, paths: Sequence[Path], service_account: Path = _SERVICE_ACCOUNT) -> None:
        """`paths` as in KUBECONFIG; missing ones are looked for again."""
        self._paths = list(paths)
        self._service_account = service_account
        self._watched = WatchedFiles(self._paths)
        self._checked = -_CHECK_SECONDS
        self._contexts: dict[str, _Context] = {}
        self._connections: dict[str, Connection] = {}
        self._apis: dict[str, AiohttpKubeApi] = {}
        self._dropped: list[AiohttpKubeApi] = []
        self._unusable: dict[str, str] = {}
        self._unreadable = ""
        self._log = get_logger("kubeconfig")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Changes are noticed, and connections to clusters that are gone closed, within."""
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await self.close()

    @property
    def problem(self) -> str:
        self._refresh()
        unusable = [f'context "{name}": {why}' for name, why in sorted(self._unusable.items())]
        return "; ".join([*([self._unreadable] if self._unreadable else []), *unusable])

    def get(self, cluster: str) -> Connection:
        self._refresh()
        for connection in self._connections.values():
            if connection.name == cluster or (not cluster and connection.default):
                return connection
        if cluster in self._unusable:
            raise FailedPreconditionError(
                f'cluster "{cluster}" cannot be used: {self._unusable[cluster]}; mend the '
                "kubeconfig",
                reason="CLUSTER_CONTEXT",
            )
        if not self._connections:
            raise self._missing()
        if not cluster:
            raise FailedPreconditionError(
                "no cluster is the default one: set current-context in the kubeconfig, or name "
                f"one of: {', '.join(sorted(self._connections))}",
                reason="NO_DEFAULT_CLUSTER",
            )
        raise self._unknown(cluster)

    def list(self) -> Sequence[Connection]:
        self._refresh()
        if not self._connections:
            raise self._missing()
        return sorted(self._connections.values(), key=lambda connection: connection.name)

    async def close(self) -> None:
        """Close all connections."""
        for api in self._apis.values():
            await api.close()
        await self._close_dropped()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._refresh()
            await self._close_dropped()

    async def _close_dropped(self) -> None:
        """What still uses them goes on to its end."""
        dropped, self._dropped = self._dropped, []
        for api in dropped:
            await api.close()

    def _missing(self) -> FailedPreconditionError:
        where = os.pathsep.join(str(path) for path in self._paths)
        return FailedPreconditionError(
            f"no cluster is configured: {self.problem or f'no kubeconfig at {where}'}; set "
            "PODYARD_K8S_RESOURCE_KUBECONFIG or KUBECONFIG to a kubeconfig file, or put one there",
            reason="NO_KUBECONFIG",
        )

    def _unknown(self, cluster: str) -> NotFoundError:
        known = sorted(self._connections)
        near = difflib.get_close_matches(cluster, known, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return NotFoundError(
            "cluster",
            cluster,
            f'cluster "{cluster}" is not known; known are: {", ".join(known)}{hint}',
        )

    def _refresh(self) -> None:
        if time.monotonic() - self._checked < _CHECK_SECONDS:
            return
        self._checked = time.monotonic()
        if not self._watched.have_changed(at_once=not self._connections):
            return
        referenced: Sequence[Path] = ()
        try:
            if any(path.exists() for path in self._paths):
                referenced = self._load_files()
            elif os.environ.get("KUBERNETES_SERVICE_HOST"):
                self._load_in_cluster()
            else:
                self._replace({}, "", {}, {})
        except (ConfigException, yaml.YAMLError, OSError, ValueError, *_MALFORMED) as error:
            # What was known stays in use until the file can be read.
            self._unreadable = f"the kubeconfig cannot be read: {' '.join(str(error).split())}"
            self._log.warning("kubeconfig unreadable", why=self._unreadable)
        else:
            self._unreadable = ""
            self._watched.also(referenced)

    def _load_files(self) -> Sequence[Path]:
        """Take in the files; those that they refer to."""
        merged = KubeConfigMerger(os.pathsep.join(str(path) for path in self._paths)).config
        if merged is None or not isinstance(merged.value, dict):
            raise ConfigException("it is empty")
        contexts = {}
        credentials = {}
        unusable = {}
        files: list[Path] = []
        for entry in merged["contexts"].value:
            name = entry.value.get("name") if isinstance(entry.value, dict) else None
            if not isinstance(name, str):
                raise ConfigException("a context has no name")
            try:
                context, referenced = _read_context(merged, name, entry)
            except ConfigException as error:
                unusable[name] = " ".join(str(error).split())
                continue
            except _MALFORMED:
                unusable[name] = "it, its cluster or its user is not of the form of a kubeconfig"
                continue
            contexts[name] = context
            credentials[name] = kubeconfig_credentials(merged, name)
            files += referenced
        current = merged.safe_get("current-context") or ""
        if not current and len(contexts) == 1:
            current = next(iter(contexts))
        self._replace(contexts, current, credentials, unusable)
        return files

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
            {},
        )

    def _replace(
        self,
        contexts: dict[str, _Context],
        current: str,
        credentials: Mapping[str, LoadedCredentials],
        unusable: dict[str, str],
    ) -> None:
        apis = {}
        renewals = {}
        for name, context in contexts.items():
            known = self._contexts.get(name)
            if known is None or known.server != context.server:
                apis[name] = AiohttpKubeApi(context.server, credentials[name])
                continue
            apis[name] = self._apis[name]
            renewals[name] = self._connections[name].renewals
            if known.written != context.written:
                apis[name].renew(credentials[name])
                renewals[name] += 1
        self._dropped += [api for name, api in self._apis.items() if apis.get(name) is not api]
        self._contexts, self._apis, self._unusable = contexts, apis, unusable
        self._connections = {
            name: Connection(
                name,
                context.server,
                context.namespace,
                name == current,
                apis[name],
                renewals.get(name, 0),
            )
            for name, context in contexts.items()
        }
        self._log.info("clusters", known=sorted(contexts), default=current, unusable=unusable)


def default_kubeconfig_paths() -> list[Path]:
    """KUBECONFIG, which may name several files, else ~/.kube/config."""
    value = os.environ.get("KUBECONFIG", "")
    paths = [Path(part).expanduser() for part in value.split(os.pathsep) if part]
    return paths or [Path("~/.kube/config").expanduser()]


def _read_context(merged: Any, name: str, entry: Any) -> tuple[_Context, list[Path]]:
    """A context and the files its cluster and user refer to; ConfigException if it is no good."""
    context = entry["context"]
    cluster = merged["clusters"].get_with_name(context["cluster"], safe=True)
    if cluster is None:
        raise ConfigException(f'its cluster "{context["cluster"]}" is not in the kubeconfig')
    user_name = context.safe_get("user")
    user = merged["users"].get_with_name(user_name, safe=True) if user_name else None
    if user_name and user is None:
        raise ConfigException(f'its user "{user_name}" is not in the kubeconfig')
    sections = [cluster["cluster"]]
    if user is not None and user.safe_get("user"):
        sections.append(user["user"])
    files = [
        Path(section.path).parent / section.value[key]
        for section in sections
        for key in _FILE_KEYS
        if isinstance(section.value, dict) and section.value.get(key)
    ]
    written = ([section.value for section in sections], signature(files))
    return (
        _Context(
            name=name,
            server=_address(cluster["cluster"]["server"]),
            namespace=context.safe_get("namespace") or "",
            written=written,
        ),
        files,
    )


def _address(server: object) -> str:
    """The address of an API server, by default with https; ConfigException for any other."""
    text = str(server).strip().rstrip("/")
    address = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigException(f'its server "{text}" is not an http or https address')
    return address
