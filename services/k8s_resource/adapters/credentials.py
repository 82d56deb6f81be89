"""How one cluster is reached: TLS, bearer token, proxy, by the official client's loaders."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from kubernetes.aio.client import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.dateutil import parse_rfc3339
from kubernetes.aio.config.exec_provider import ExecProvider
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from kubernetes.aio.config.kube_config import KubeConfigLoader

from services.common.errors import FailedPreconditionError
from services.k8s_resource.adapters.exec_plugin import run_exec_plugin

_EXEC_SECONDS = 30.0
_RELOAD_SECONDS = 60.0
"""Tokens in files are renewed by others (projected service account tokens hourly)."""
_EXPIRY_MARGIN_SECONDS = 60.0
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class SessionMaterial:
    """What requests need. A new `ssl_context` object means that sessions must be new too."""

    ssl_context: ssl.SSLContext
    authorization: str
    proxy: str | None
    tls_server_name: str | None


class Credentials(Protocol):
    """Gives valid material, renewing what has expired."""

    async def material(self) -> SessionMaterial:
        """The present material; FailedPreconditionError saying what to mend if there is none."""

    def expire(self) -> None:
        """The API server refused the token: renew before the next use."""


class LoadedCredentials:
    """Material loaded by a function, and loaded again when it expires; one load at a time."""

    def __init__(self, load: Callable[[], Any]) -> None:
        """`load` is a coroutine function giving (Configuration, monotonic expiry)."""
        self._load = load
        self._material: SessionMaterial | None = None
        self._tls: tuple[object, ...] = ()
        self._expiry = 0.0
        self._lock = asyncio.Lock()

    async def material(self) -> SessionMaterial:
        if self._material is not None and time.monotonic() < self._expiry:
            return self._material
        async with self._lock:
            if self._material is None or time.monotonic() >= self._expiry:
                await self._renew()
            assert self._material is not None  # noqa: S101 - for the type checker
            return self._material

    def expire(self) -> None:
        self._expiry = 0.0

    async def _renew(self) -> None:
        try:
            configuration, expiry = await self._load()
            tls = _tls_inputs(configuration)
            context = self._material.ssl_context if self._material else None
            if context is None or tls != self._tls:
                context = _ssl_context(configuration)
        except FailedPreconditionError:
            raise
        except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            raise FailedPreconditionError(
                f"the kubeconfig's credentials cannot be used: {error}; mend the kubeconfig",
                reason="CLUSTER_CREDENTIALS",
            ) from error
        self._tls = tls
        self._expiry = expiry
        self._material = SessionMaterial(
            ssl_context=context,
            authorization=configuration.api_key.get("BearerToken", ""),
            proxy=configuration.proxy or _environment_proxy(configuration.host),
            tls_server_name=configuration.tls_server_name or None,
        )


def kubeconfig_credentials(config: Any, context: str) -> LoadedCredentials:
    """Of a context of a merged kubeconfig (the official client's ConfigNode)."""

    async def load() -> tuple[Configuration, float]:
        loader = _KubeconfigLoader(
            config_dict=config, active_context=context, config_base_path=None
        )
        configuration = Configuration()
        await loader.load_and_set(configuration)
        return configuration, loader.expiry()

    return LoadedCredentials(load)


def in_cluster_credentials(token_file: Path, ca_file: Path) -> LoadedCredentials:
    """Of the service account of the pod that this process runs in."""

    async def load() -> tuple[Configuration, float]:
        configuration = Configuration()
        InClusterConfigLoader(
            token_filename=str(token_file), cert_filename=str(ca_file), try_refresh_token=False
        ).load_and_set(configuration)
        return configuration, time.monotonic() + _RELOAD_SECONDS

    return LoadedCredentials(load)


class _KubeconfigLoader(KubeConfigLoader):  # type: ignore[misc]
    """The official loader, except that a failing exec plugin is an error and not a log line."""

    exec_expires: dt.datetime | None = None

    async def load_from_exec_plugin(self) -> bool:
        plugin = ExecProvider(self._user["exec"])
        command = " ".join(plugin.args[:1])
        try:
            async with asyncio.timeout(_EXEC_SECONDS):
                status = await run_exec_plugin(plugin)
        except TimeoutError:
            raise FailedPreconditionError(
                f"the kubeconfig's exec plugin {command} did not answer within "
                f"{_EXEC_SECONDS:g} s; run it by hand to see why",
                reason="CLUSTER_CREDENTIALS",
            ) from None
        except FileNotFoundError:
            raise FailedPreconditionError(
                f"the kubeconfig's exec plugin {command} is not installed; install it or "
                "put it on the PATH of this service",
                reason="CLUSTER_CREDENTIALS",
            ) from None
        except ConfigException as error:
            raise FailedPreconditionError(
                f"the kubeconfig's exec plugin {command} failed: {error}; run it by hand to see "
                "why, and check the cloud credentials of this service",
                reason="CLUSTER_CREDENTIALS",
            ) from error
        if "expirationTimestamp" in status:
            self.exec_expires = parse_rfc3339(status["expirationTimestamp"])
        if "token" in status:
            self.token = f"Bearer {status['token']}"
        if "clientCertificateData" in status and "clientKeyData" in status:
            self.cert_file = _write(status["clientCertificateData"])
            self.key_file = _write(status["clientKeyData"])
        elif "token" not in status:
            raise FailedPreconditionError(
                f"the kubeconfig's exec plugin {command} gave neither a token nor a certificate",
                reason="CLUSTER_CREDENTIALS",
            )
        return True

    def expiry(self) -> float:
        """When to load again, on the monotonic clock."""
        if self.exec_expires is not None:
            left = (self.exec_expires - dt.datetime.now(dt.UTC)).total_seconds()
            # A token that lives shorter than the margin is used for half of its life.
            return time.monotonic() + max(left - _EXPIRY_MARGIN_SECONDS, left / 2, 1.0)
        if self._user and ("tokenFile" in self._user or "auth-provider" in self._user):
            return time.monotonic() + _RELOAD_SECONDS
        return _FOREVER


def _write(content: str) -> str:
    from kubernetes.aio.config.kube_config import _create_temp_file_with_content

    name: str = _create_temp_file_with_content(content)
    return name


def _tls_inputs(configuration: Any) -> tuple[object, ...]:
    files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    return (
        configuration.verify_ssl,
        *files,
        *((os.stat(file).st_mtime_ns, os.stat(file).st_size) for file in files if file),  # noqa: PTH116
    )


def _ssl_context(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    # Certificates of clusters are often without the extensions that strict checks ask for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _environment_proxy(server: str) -> str | None:
    """HTTPS_PROXY and NO_PROXY, as kubectl heeds them."""
    parts = urlsplit(server)
    proxies = getproxies_environment()
    if not parts.hostname or proxy_bypass_environment(parts.netloc, proxies):
        return None
    return proxies.get(parts.scheme)
