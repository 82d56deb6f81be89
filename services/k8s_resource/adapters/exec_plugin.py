"""Running a kubeconfig's exec plugin (`aws eks get-token` and the like).

The protocol is client.authentication.k8s.io, as client-go speaks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.exec_provider import ExecProvider

from services.k8s_resource.adapters.secrecy import without_secrets

_OUTPUT_BYTES = 1024 * 1024
_ERRORS_BYTES = 8 * 1024
_ERRORS_SHOWN = 600
_STDOUT = 1
_FAREWELL_SECONDS = 1.0
"""A plugin may leave behind a process that holds its output open; what came is taken then."""


class ExecPlugin:
    """One plugin as a kubeconfig names it."""

    def __init__(self, config: Any) -> None:
        """`config` is the user's `exec` section (a ConfigNode); ConfigException if it is no good."""
        provider = ExecProvider(config)
        self._api_version: str = provider.api_version
        self._environment: dict[str, str] = provider.env
        self._arguments = [str(argument) for argument in provider.args]
        self._secrets = [str(item["value"]) for item in config.safe_get("env") or ()]
        if config.safe_get("interactiveMode") == "Always":
            raise ConfigException(
                f"the exec plugin {self.command} wants a terminal (interactiveMode Always), "
                "which a service has not"
            )
        if "/" in self.command and not Path(self.command).is_absolute() and config.path:
            # As client-go does: relative to the kubeconfig, and never to where this runs.
            self._arguments[0] = str(Path(config.path).absolute().parent / self.command)
        self._hint = str(config.safe_get("installHint") or "")

    @property
    def command(self) -> str:
        """The program."""
        return self._arguments[0]

    @property
    def install_hint(self) -> str:
        """What the kubeconfig says about installing it."""
        return " ".join(self._hint.split())[:_ERRORS_SHOWN]

    async def run(self) -> dict[str, Any]:
        """The `status` of the ExecCredential that it prints.

        A plugin that is not waited for any more is killed with all that it started.
        FileNotFoundError if it is not installed, ConfigException saying how it failed.
        """
        info = {
            "apiVersion": self._api_version,
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        transport, plugin = await asyncio.get_running_loop().subprocess_exec(
            _Conversation,
            *self._arguments,
            env={**self._environment, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        ended = False
        try:
            await plugin.exited.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await plugin.silent.wait()
            ended = True
        finally:
            if not ended:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(transport.get_pid(), signal.SIGKILL)
                await plugin.exited.wait()
            transport.close()
        return self._status(transport.get_returncode(), bytes(plugin.output), bytes(plugin.errors))

    def _status(self, code: int | None, output: bytes, errors: bytes) -> dict[str, Any]:
        if code:
            if len(errors) == _ERRORS_BYTES:
                # Half a secret is not recognised as one.
                errors = errors.partition(b" ")[2]
            text = without_secrets(errors.decode(errors="replace"), self._secrets)
            said = " ".join(text.split())
            if len(said) > _ERRORS_SHOWN:
                # What went wrong stands at the end.
                said = f"… {said[-_ERRORS_SHOWN:]}"
            ending = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise ConfigException(f"it ended with {ending}: {said or 'without a word'}")
        try:
            credential = json.loads(output)
        except ValueError:
            # The output may hold a token: it is not quoted.
            raise ConfigException("it did not print JSON") from None
        status = credential.get("status") if isinstance(credential, dict) else None
        if not isinstance(status, dict):
            raise ConfigException("it did not print an ExecCredential with a status")
        if credential.get("apiVersion") != self._api_version:
            raise ConfigException(
                f"it printed apiVersion {credential.get('apiVersion')}, not {self._api_version}"
            )
        return status


class _Conversation(asyncio.SubprocessProtocol):
    """Keeps the last of what a plugin writes, so that it never waits for a reader.

    The streams of `asyncio.subprocess` tell a process's end only when its pipes are closed,
    which what it leaves behind may hold open.
    """

    def __init__(self) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        into, most = (self.output, _OUTPUT_BYTES) if fd == _STDOUT else (self.errors, _ERRORS_BYTES)
        into += data
        if len(into) > most:
            del into[: len(into) - most]

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, _error: Exception | None) -> None:
        self.silent.set()
