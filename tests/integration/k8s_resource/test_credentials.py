"""Credentials and the sessions made with them, without an API server."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path

import pytest
import yaml
from kubernetes.aio.config.kube_config import KubeConfigMerger

from services.common.errors import FailedPreconditionError
from services.k8s_resource.adapters import credentials
from services.k8s_resource.adapters.credentials import SessionMaterial, kubeconfig_credentials
from services.k8s_resource.adapters.kube_api import AiohttpKubeApi
from services.k8s_resource.adapters.kube_session import KubeSession


def with_plugin(folder: Path, code: str) -> credentials.LoadedCredentials:
    """Credentials of a kubeconfig whose exec plugin runs some Python."""
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", code],
        }
    }
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return kubeconfig_credentials(KubeConfigMerger(str(path)).config, "c")


HANGING = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
made = pathlib.Path({file!r})
made.with_suffix(".new").write_text(f"{{os.getpid()}} {{child.pid}}")
made.with_suffix(".new").rename(made)
time.sleep(60)
"""


async def started(file: Path) -> list[int]:
    """The process ids that a hanging plugin wrote."""
    async with asyncio.timeout(30):
        while not file.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # another process writes it
    return [int(number) for number in file.read_text().split()]


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(10):
        while any(_runs(pid) for pid in pids):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # their parent is another process


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes in /proc")  # noqa: PTH112
async def test_a_plugin_that_is_not_waited_for_any_more_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = with_plugin(tmp_path, HANGING.format(file=str(tmp_path / "first")))
    waiting = asyncio.create_task(cancelled.material())
    first = await started(tmp_path / "first")
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    await until_gone(first)
    monkeypatch.setattr(credentials, "_EXEC_SECONDS", 2.0)
    late = with_plugin(tmp_path, HANGING.format(file=str(tmp_path / "second")))
    with pytest.raises(FailedPreconditionError, match="did not answer within 2 s"):
        await late.material()
    await until_gone(await started(tmp_path / "second"))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('tok' + 'en-s3cret')", "did not print JSON"),
        ("print('[]')", "did not print an ExecCredential"),
        ("""print('{"apiVersion": "v0", "status": {"token": "s3cret"}}')""", "apiVersion v0"),
        ("import sys; sys.exit('expired login')", "exit code 1: expired login"),
    ],
)
async def test_a_plugin_that_fails_is_explained_without_what_it_printed(
    tmp_path: Path, code: str, told: str
) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        await with_plugin(tmp_path, code).material()
    assert told in caught.value.message
    assert "s3cret" not in caught.value.message


class _Renewed:
    """Credentials whose certificate a test replaces."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._material = SessionMaterial(ssl.create_default_context(), "", None, None)

    async def material(self) -> SessionMaterial:
        return self._material

    def expire(self) -> None:
        pass


async def test_requests_at_a_change_of_certificate_share_one_new_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[KubeSession] = []

    class Noted(KubeSession):
        def __init__(self, material: SessionMaterial) -> None:
            super().__init__(material)
            made.append(self)

        async def close_if_unused(self) -> None:
            await asyncio.sleep(0)  # As when connections are open.
            await super().close_if_unused()

    monkeypatch.setattr("services.k8s_resource.adapters.kube_api.KubeSession", Noted)
    renewed = _Renewed()
    api = AiohttpKubeApi("https://127.0.0.1:1", renewed)

    async def use() -> None:
        async with await api._current_session() as session:
            assert not session.http.closed
            await asyncio.sleep(0)

    await use()
    renewed.renew()
    await asyncio.gather(*(use() for _ in range(5)))
    assert len(made) == 2
    await api.close()
    assert all(session.http.closed for session in made)
