"""Tokens that the real API server does not accept: expired, forged, revoked; and their recovery."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.service_accounts import (
    ServiceAccount,
    kubeconfig_with,
    reading,
    service_account,
)
from tests.integration.k8s_resource.watching import RECONNECTED, watching
from tools.stack.testing import ControlPlane

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
def account(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> ServiceAccount:
    """One that may read the pods of its namespace."""
    made = service_account(control_plane, namespace, tmp_path)
    made.grant(namespace, reading("pods"))
    return made


def expired(account: ServiceAccount) -> str:
    """A token as the API server would have issued it an hour ago, for half an hour."""
    head, claims, _ = account.token().split(".")
    now = int(time.time())
    old = {**_decoded(claims), "iat": now - 3600, "nbf": now - 3600, "exp": now - 1800}
    key = (account.plane.work_folder / "pki" / "admin.key").read_bytes()
    return _signed(head, old, key)


def forged(account: ServiceAccount) -> str:
    """A good token of somebody else's making."""
    head, claims, _ = account.token().split(".")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return _signed(head, _decoded(claims), key)


def _decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _signed(head: str, claims: dict[str, Any], key: bytes) -> str:
    private = serialization.load_pem_private_key(key, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    body = f"{head}.{_encoded(json.dumps(claims).encode())}"
    signature = private.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{body}.{_encoded(signature)}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def use(account: ServiceAccount, user: dict[str, Any]) -> None:
    """Replace the credentials in the kubeconfig, as a rename does."""
    beside = account.kubeconfig.with_suffix(".new")
    beside.write_text(yaml.safe_dump(kubeconfig_with(account.plane, user)))
    beside.replace(account.kubeconfig)


async def refusal(service: Service, account: ServiceAccount) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.ListPods(pb.ListPodsRequest(namespace=account.namespace))
    return caught.value


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (expired, "the token expired at "),
        (forged, "the token is not, or not any more, one of this cluster's"),
    ],
)
async def test_a_token_that_is_not_accepted_is_the_services_and_works_as_soon_as_it_is_mended(
    account: ServiceAccount, make: Any, why: str
) -> None:
    bad = await asyncio.to_thread(make, account)
    use(account, {"token": bad})
    async with running_service(account.kubeconfig) as service:
        error = await refusal(service, account)
        # The caller's own credentials are fine: not UNAUTHENTICATED, which asks to log in again.
        assert error.code() is PRECONDITION
        told = str(error.details())
        assert why in told
        assert "and not the caller's" in told
        assert 'user "kwok-test" of the kubeconfig' in told
        assert bad.rpartition(".")[2] not in told
        use(account, {"token": await asyncio.to_thread(account.token)})
        async with asyncio.timeout(30):
            while not await works(service, account):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def works(service: Service, account: ServiceAccount) -> bool:
    try:
        await service.stub.ListPods(pb.ListPodsRequest(namespace=account.namespace))
    except grpc.aio.AioRpcError as error:
        assert error.code() is PRECONDITION, error  # noqa: PT017
        return False
    return True


async def test_a_watch_outlives_the_time_between_an_expired_token_and_a_new_one(
    control_plane: ControlPlane, account: ServiceAccount
) -> None:
    """The token is in a file, as that of a pod's service account is."""
    token = account.kubeconfig.with_name("token")
    token.write_text(await asyncio.to_thread(account.token))
    use(account, {"tokenFile": str(token)})
    async with (
        running_service(account.kubeconfig) as service,
        watching(service.stub, kinds=["pods"], namespace=account.namespace) as watcher,
    ):
        await watcher.synced()
        token.write_text(await asyncio.to_thread(expired, account))
        # The first token ends with its account; a watch that is open goes on all the same, its
        # next connection may not.
        for verb in ("delete", "create"):
            await asyncio.to_thread(
                control_plane.kubectl, verb, "serviceaccount", account.name, "-n", account.namespace
            )
        await asyncio.to_thread(control_plane.kill_apiserver)
        await asyncio.to_thread(control_plane.start_apiserver)
        assert "the token expired at " in await stale_reason(service, account, "expired")
        pod = {"containers": [{"name": "main", "image": "busybox"}]}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "meanwhile", "namespace": account.namespace},
            "spec": pod,
        }
        await asyncio.to_thread(control_plane.apply, json.dumps(manifest))
        token.write_text(await asyncio.to_thread(account.token) + "\n")
        await watcher.until(lambda: "meanwhile" in watcher.names())
        assert watcher.has(RECONNECTED)


async def stale_reason(service: Service, account: ServiceAccount, awaited: str) -> str:
    """Why what is cached is not up to date, once that is a certain reason."""
    async with asyncio.timeout(60):
        while True:
            listed = await service.stub.ListPods(pb.ListPodsRequest(namespace=account.namespace))
            if awaited in listed.freshness.stale_reason:
                assert listed.freshness.stale
                assert listed.freshness.HasField("confirmed_time")
                return str(listed.freshness.stale_reason)
            await asyncio.sleep(0.05)
