"""Running a kubeconfig's exec plugin (`aws eks get-token` and the like)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from typing import Any

from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.exec_provider import ExecProvider


async def run_exec_plugin(plugin: ExecProvider) -> dict[str, Any]:
    """The `status` of the ExecCredential that a plugin prints.

    The official provider leaves a plugin running that is not waited for any more; this one
    kills it with all that it started. FileNotFoundError if it is not installed,
    ConfigException saying how it failed.
    """
    info = {
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    process = await asyncio.create_subprocess_exec(
        *plugin.args,
        env={**plugin.env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        why = " ".join(errors.decode(errors="replace").split())
        raise ConfigException(f"it ended with exit code {process.returncode}: {why}")
    try:
        credential = json.loads(output)
    except ValueError:
        # The output may hold a token: it is not quoted.
        raise ConfigException("it did not print JSON") from None
    status = credential.get("status") if isinstance(credential, dict) else None
    if not isinstance(status, dict):
        raise ConfigException("it did not print an ExecCredential with a status")
    if credential.get("apiVersion") != plugin.api_version:
        raise ConfigException(
            f"it printed apiVersion {credential.get('apiVersion')}, not {plugin.api_version}"
        )
    return status
