"""How one cluster is reached: TLS, bearer token, proxy, by the official client's loaders."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from kubernetes.aio.client import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.dateutil import parse_rfc3339
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from kubernetes.aio.config.kube_config import KubeConfigLoader

from services.common.errors import FailedPreconditionError
from services.common.logs import get_logger
from services.common.shared_results import SharedResults
from services.k8s_resource.adapters.exec_plugin import ExecPlugin

_EXEC_SECONDS = 30.0
_RELOAD_SECONDS = 60.0
"""Tokens in files are renewed by others (projected service account tokens hourly)."""
_EXPIRY_MARGIN_SECONDS = 60.0
_RETRY_SECONDS = 5.0
"""Between attempts to renew what is still good."""
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class SessionMaterial:
    """What requests need. A new `ssl_context` object means that sessions must be new too."""

    ssl_context: ssl.SSLContext
    authorization: str
    proxy: str | None
    tls_server_name: str | None
    source: str = ""
    """Where the credentials come from, in words."""


class Credentials(Protocol):
    """Gives valid material, renewing what has expired."""

    @property
    def pending(self) -> str:
        """What material is being waited for, in words; empty if nothing is."""

    async def material(self) -> SessionMaterial:
        """The present material; FailedPreconditionError saying what to mend if there is none."""

    def expire(self, refused: SessionMaterial) -> None:
        """The API server refused this: renew before the next use, unless that happened already."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration of the official client, when to load it again, and until when it is good
    if that fails; both on the monotonic clock."""

    configuration: Any
    renew_at: float
    valid_until: float


class LoadedCredentials:
    """Material loaded by a function, and loaded again when it expires.

    All who need it at the same time share one load, its failure included.
    """

    def __init__(self, load: Callable[[], Awaitable[Loaded]], *, source: str) -> None:
        """`source` says in words where the credentials come from."""
        self._load = load
        self._source = source
        self._loads = SharedResults[SessionMaterial](0)
        self._loading_since: float | None = None
        self._material: SessionMaterial | None = None
        self._tls: tuple[object, ...] = ()
        self._renew_at = 0.0
        self._valid_until = 0.0
        self._log = get_logger("credentials")

    @property
    def pending(self) -> str:
        if self._loading_since is None:
            return ""
        seconds = time.monotonic() - self._loading_since
        return f"{self._source} has not given credentials for {seconds:.0f} s"

    async def material(self) -> SessionMaterial:
        if self._material is not None and time.monotonic() < self._renew_at:
            return self._material
        return await self._loads.get("", self._renew)

    def expire(self, refused: SessionMaterial) -> None:
        if refused is self._material:
            self._renew_at = self._valid_until = 0.0

    async def _renew(self) -> SessionMaterial:
        self._loading_since = time.monotonic()
        try:
            return await self._loaded()
        except FailedPreconditionError as error:
            now = time.monotonic()
            if self._material is None or now >= self._valid_until:
                raise
            # Renewed early, so that a failure which passes does no harm.
            self._renew_at = min(now + _RETRY_SECONDS, self._valid_until)
            self._log.warning("credentials not renewed yet", why=error.message)
            return self._material
        finally:
            self._loading_since = None

    async def _loaded(self) -> SessionMaterial:
        try:
            loaded = await self._load()
            configuration = loaded.configuration
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
        self._renew_at, self._valid_until = loaded.renew_at, loaded.valid_until
        self._material = SessionMaterial(
            ssl_context=context,
            # A file with a token often ends with a newline.
            authorization=configuration.api_key.get("BearerToken", "").strip(),
            proxy=configuration.proxy or _environment_proxy(configuration.host),
            tls_server_name=configuration.tls_server_name or None,
            source=self._source,
        )
        return self._material


def kubeconfig_credentials(config: Any, context: str) -> LoadedCredentials:
    """Of a context of a merged kubeconfig (the official client's ConfigNode)."""

    async def load() -> Loaded:
        loader = _KubeconfigLoader(
            config_dict=config, active_context=context, config_base_path=None
        )
        configuration = Configuration()
        await loader.load_and_set(configuration)
        return Loaded(configuration, *loader.times())

    return LoadedCredentials(load, source=_source(config, context))


def in_cluster_credentials(token_file: Path, ca_file: Path) -> LoadedCredentials:
    """Of the service account of the pod that this process runs in."""

    async def load() -> Loaded:
        configuration = Configuration()
        InClusterConfigLoader(
            token_filename=str(token_file), cert_filename=str(ca_file), try_refresh_token=False
        ).load_and_set(configuration)
        return Loaded(configuration, time.monotonic() + _RELOAD_SECONDS, _FOREVER)

    return LoadedCredentials(load, source=f"the service account token in {token_file}")


def _source(config: Any, context: str) -> str:
    """Where the credentials of a context stand, in words."""
    try:
        user = config["contexts"].get_with_name(context)["context"].safe_get("user")
        entry = config["users"].get_with_name(user, safe=True) if user else None
        section = entry.safe_get("user") if entry is not None else None
        command = section["exec"]["command"] if section and "exec" in section else ""
    except (ConfigException, KeyError, TypeError):
        return f'context "{context}" of the kubeconfig'
    if command:
        return f'the exec plugin {command} of user "{user}" in the kubeconfig'
    return f'user "{user}" of the kubeconfig' if user else f'context "{context}" without a user'


class _KubeconfigLoader(KubeConfigLoader):  # type: ignore[misc]
    """The official loader, except that a failing exec plugin is an error and not a log line."""

    exec_expires: dt.datetime | None = None

    async def load_from_exec_plugin(self) -> bool:
        plugin = ExecPlugin(self._user["exec"])
        try:
            async with asyncio.timeout(_EXEC_SECONDS):
                status = await plugin.run()
        except TimeoutError:
            raise _unusable(
                plugin,
                f"did not answer within {_EXEC_SECONDS:g} s and was ended; run it by hand to see why",
            ) from None
        except FileNotFoundError:
            hint = f" ({plugin.install_hint})" if plugin.install_hint else ""
            raise _unusable(
                plugin,
                f"is not installed; install it or put it on the PATH of this service{hint}",
            ) from None
        except OSError as error:
            raise _unusable(plugin, f"cannot be run: {error.strerror}") from None
        except ConfigException as error:
            raise _unusable(
                plugin,
                f"failed: {error}; run it by hand to see why, and check the cloud credentials "
                "of this service",
            ) from error
        if "expirationTimestamp" in status:
            self.exec_expires = parse_rfc3339(status["expirationTimestamp"])
        if "token" in status:
            self.token = f"Bearer {status['token']}"
        if "clientCertificateData" in status and "clientKeyData" in status:
            self.cert_file = _write(status["clientCertificateData"])
            self.key_file = _write(status["clientKeyData"])
        elif "token" not in status:
            raise _unusable(plugin, "gave neither a token nor a certificate")
        return True

    def times(self) -> tuple[float, float]:
        """When to load again, and until when this is good, on the monotonic clock."""
        now = time.monotonic()
        if self.exec_expires is not None:
            left = (self.exec_expires - dt.datetime.now(dt.UTC)).total_seconds()
            # A token that lives shorter than the margin is used for half of its life.
            return now + max(left - _EXPIRY_MARGIN_SECONDS, left / 2, 1.0), now + left
        if self._user and ("tokenFile" in self._user or "auth-provider" in self._user):
            return now + _RELOAD_SECONDS, _FOREVER
        return _FOREVER, _FOREVER


def _unusable(plugin: ExecPlugin, why: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"the kubeconfig's exec plugin {plugin.command} {why}", reason="CLUSTER_CREDENTIALS"
    )


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
