"""Credentials and the sessions made with them, without an API server."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio.config.kube_config import KubeConfigMerger

from services.common.errors import FailedPreconditionError
from services.k8s_resource.adapters import credentials
from services.k8s_resource.adapters.credentials import SessionMaterial, kubeconfig_credentials
from services.k8s_resource.adapters.kube_api import AiohttpKubeApi
from services.k8s_resource.adapters.kube_session import KubeSession
from services.k8s_resource.adapters.secrecy import without_secrets


def with_plugin(folder: Path, code: str, **settings: Any) -> credentials.LoadedCredentials:
    """Credentials of a kubeconfig whose exec plugin runs some Python."""
    execute = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", code],
        **settings,
    }
    user = {"exec": execute}
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


COUNTING = """
import datetime, json, pathlib, sys
runs = pathlib.Path({file!r})
number = len(runs.read_text()) if runs.exists() else 0
runs.write_text("x" * (number + 1))
{more}
now = datetime.datetime.now(datetime.UTC)
until = now + datetime.timedelta(seconds={lifetime})
status = {{"token": f"t{{number}}", "expirationTimestamp": until.isoformat()}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "status": status}}))
"""


def counting(folder: Path, *, lifetime: float = 3600, more: str = "") -> str:
    """A plugin that counts its runs in the file `runs`."""
    return COUNTING.format(file=str(folder / "runs"), lifetime=lifetime, more=more)


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text())


async def test_those_who_need_credentials_at_the_same_time_share_one_run(tmp_path: Path) -> None:
    good = with_plugin(tmp_path, counting(tmp_path))
    given = await asyncio.gather(*(good.material() for _ in range(20)))
    assert {material.authorization for material in given} == {"Bearer t0"}
    # All of them being refused is one reason to renew, not twenty.
    for material in given:
        good.expire(material)
    again = await asyncio.gather(*(good.material() for _ in range(20)))
    for material in given:
        good.expire(material)
    assert {material.authorization for material in again} == {"Bearer t1"}
    assert (await good.material()).authorization == "Bearer t1"
    assert runs(tmp_path) == 2
    # A failure is shared too: nobody waits for a plugin that has just failed for all.
    (tmp_path / "runs").unlink()
    bad = with_plugin(tmp_path, counting(tmp_path, more="sys.exit('no')"))
    failures = await asyncio.gather(*(bad.material() for _ in range(20)), return_exceptions=True)
    assert all("no" in str(failure) for failure in failures)
    assert runs(tmp_path) == 1


async def test_a_token_is_renewed_before_it_expires_and_kept_while_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_RETRY_SECONDS", 0.0)
    flaky = with_plugin(
        tmp_path, counting(tmp_path, lifetime=3, more="number in (1, 2) and sys.exit('no')")
    )
    clock = time.monotonic()
    monkeypatch.setattr("services.k8s_resource.adapters.credentials.time.monotonic", lambda: clock)
    assert (await flaky.material()).authorization == "Bearer t0"
    assert (await flaky.material()).authorization == "Bearer t0"
    assert runs(tmp_path) == 1
    clock += 2  # Past half of its life: renewed early, in vain.
    assert (await flaky.material()).authorization == "Bearer t0"
    assert runs(tmp_path) == 2
    clock += 2  # Expired: the failure counts.
    with pytest.raises(FailedPreconditionError, match="exit code 1: no"):
        await flaky.material()
    assert (await flaky.material()).authorization == "Bearer t3"


async def test_a_process_that_a_plugin_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    leaving = (
        "import subprocess\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'left')!r}).write_text(str(left.pid))"
    )
    left = with_plugin(tmp_path, counting(tmp_path, more=leaving))
    assert (await left.material()).authorization == "Bearer t0"
    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY0",
    ],
)
@pytest.mark.parametrize(
    "form", ["{}", "token={}", "Authorization: Bearer {}", '{{"secretAccessKey": "{}"}}']
)
def test_credentials_in_what_a_plugin_complains_are_hidden(secret: str, form: str) -> None:
    shown = without_secrets(f"cannot log in as dev with {form.format(secret)} now")
    assert secret not in shown
    assert shown.startswith("cannot log in as dev with ")
    assert shown.endswith("now")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password: hunter2", "password: (hidden)"),
        ("--client-secret=abc rest", "--client-secret=(hidden) rest"),
        ("https://dev:pw@host/x", "https://(hidden)@host/x"),
        (
            "An error occurred (ExpiredTokenException) when calling the GetCallerIdentity "
            "operation: The security token included in the request is expired",
        )
        * 2,
        ("arn:aws:eks:us-east-1:123456789012:cluster/training-cluster-of-the-platform-team-2",) * 2,
        ("/home/dev/.aws/sso/cache/of-a-very-long-path/2026/credentials-of-the-team.json",) * 2,
    ],
)
def test_only_credentials_are_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


async def test_a_plugins_complaint_is_short_and_without_its_environment(tmp_path: Path) -> None:
    code = (
        "import os, sys; sys.stderr.write('x' * 10**7 + ' ' + os.environ['GIVEN']); "
        "sys.exit('the end')"
    )
    with pytest.raises(FailedPreconditionError) as caught:
        await with_plugin(
            tmp_path, code, env=[{"name": "GIVEN", "value": "from-the-kubeconfig"}]
        ).material()
    assert "the end" in caught.value.message
    assert "from-the-kubeconfig" not in caught.value.message
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"interactiveMode": "Always"}, "wants a terminal"),
        ({"command": "podyard-none", "installHint": "get it from\n x"}, "(get it from x)"),
        ({"command": "./plugin"}, "plugin is not installed"),
        ({"command": "/etc"}, "cannot be run: Permission denied"),
        ({"command": None}, "cannot be used"),
    ],
)
async def test_a_plugin_that_cannot_be_run_is_explained(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        await with_plugin(tmp_path, "", **settings).material()
    assert told in caught.value.message


async def test_a_plugin_beside_the_kubeconfig_is_found_there(tmp_path: Path) -> None:
    code = counting(tmp_path)
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!{sys.executable}\n{code}")
    plugin.chmod(0o755)
    found = with_plugin(tmp_path, "", command="./plugin", args=[])
    assert (await found.material()).authorization == "Bearer t0"


async def test_a_request_that_waits_for_a_plugin_says_so(tmp_path: Path) -> None:
    hanging = with_plugin(tmp_path, "import time; time.sleep(60)")
    api = AiohttpKubeApi("https://127.0.0.1:1", hanging)
    with pytest.raises(FailedPreconditionError, match=r"exec plugin .* has not given credentials"):
        await api.request("GET", "/version", timeout=0.5)
    assert not hanging.pending or await _eventually_idle(hanging)
    await api.close()


async def _eventually_idle(waiting: credentials.LoadedCredentials) -> bool:
    async with asyncio.timeout(10):
        while waiting.pending:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return True


async def test_a_token_file_may_end_with_a_newline_and_a_missing_one_is_named(
    tmp_path: Path,
) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    found = kubeconfig_credentials(KubeConfigMerger(str(tmp_path / "config")).config, "c")
    with pytest.raises(FailedPreconditionError, match="token"):
        await found.material()
    (tmp_path / "token").write_text("abc\n")
    assert (await found.material()).authorization == "Bearer abc"


class _Renewed:
    """Credentials whose certificate a test replaces."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._material = SessionMaterial(ssl.create_default_context(), "", None, None)

    pending = ""

    async def material(self) -> SessionMaterial:
        return self._material

    def expire(self, refused: SessionMaterial) -> None:
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
