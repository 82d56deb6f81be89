"""Looking at one part of a cluster, within a time limit; a failure is an answer too."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from services.common.errors import PodyardError, UnavailableError
from services.k8s_resource.domain.ports import KubeApi, KubeResponse
from services.k8s_resource.domain.preflight.model import AccessRule, ApiGroup, HealthCheck

T = TypeVar("T")

PROBE_SECONDS = 4.0
"""How long one part may take; those who ask wait little longer than that for all of them."""

PRODUCTS = {
    "sagemaker.amazonaws.com": "HyperPod training operator",
    "inference.sagemaker.aws.amazon.com": "HyperPod inference operator",
    "kueue.x-k8s.io": "Kueue",
    "kubeflow.org": "Kubeflow training operator",
    "trainer.kubeflow.org": "Kubeflow Trainer",
    "ray.io": "KubeRay",
    "cert-manager.io": "cert-manager",
    "elbv2.k8s.aws": "AWS Load Balancer Controller",
    "metrics.k8s.io": "metrics-server",
    "jobset.x-k8s.io": "JobSet",
    "leaderworkerset.x-k8s.io": "LeaderWorkerSet",
    "karpenter.sh": "Karpenter",
    "nvidia.com": "NVIDIA GPU operator",
    "resource.k8s.io": "Dynamic resource allocation",
}
"""What brings an API group."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a probe found, or why it found nothing."""

    value: T | None = None
    error: PodyardError | None = None


async def probed(awaitable: Awaitable[T], seconds: float = PROBE_SECONDS) -> Outcome[T]:
    """Never raises but for a cancellation."""
    try:
        async with asyncio.timeout(seconds):
            return Outcome(await awaitable)
    except TimeoutError:
        return Outcome(error=UnavailableError(f"there was no answer within {seconds:g} s"))
    except PodyardError as error:
        return Outcome(error=error)


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first answer: versions, how long it took, and the difference of the clocks, in
    seconds; the latter cut to whole ones, as the Date header is."""

    version: str
    platform: str
    latency: float
    clock_skew: int | None


async def greeting(api: KubeApi) -> Greeting:
    """GET /version."""
    started = time.monotonic()
    response = await get(api, "/version")
    latency = time.monotonic() - started
    try:
        found = msgspec.json.decode(response.body, type=_Version)
    except msgspec.DecodeError:
        found = _Version()
    return Greeting(found.git_version, found.platform, latency, _clock_skew(response))


async def identity(api: KubeApi) -> tuple[str, tuple[str, ...]]:
    """Who the API server takes Podyard for: user and groups (SelfSubjectReview)."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    response = await post(api, "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
    info = decoded(response, _SelfReview).status.user_info
    return info.username, tuple(info.groups)


async def rules(api: KubeApi, namespace: str) -> tuple[tuple[AccessRule, ...], bool]:
    """What may be done in a namespace, and whether that is not all of it."""
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    response = await post(api, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)
    status = decoded(response, _RulesReview).status
    return tuple(status.resource_rules), status.incomplete


async def api_groups(api: KubeApi) -> tuple[ApiGroup, ...]:
    """The API groups that the cluster serves, as it lists them."""
    found = decoded(await get(api, "/apis"), _Groups).groups
    groups = [ApiGroup("", ("v1",))]
    for each in found:
        versions = [v.version for v in each.versions]
        preferred = each.preferred_version.version if each.preferred_version else ""
        versions.sort(key=lambda version: version != preferred)
        groups.append(ApiGroup(each.name, tuple(versions), PRODUCTS.get(each.name, "")))
    return tuple(groups)


async def broken_apis(api: KubeApi) -> tuple[str, ...]:
    """The aggregated APIs that their servers do not serve, with the reason."""
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    found = decoded(await get(api, path), _ApiServices).items
    return tuple(
        f"{each.metadata.name}: {condition.message or condition.reason}"
        for each in found
        for condition in each.status.conditions or ()
        if condition.type == "Available" and condition.status != "True"
    )


async def health(api: KubeApi, endpoint: str) -> tuple[HealthCheck, ...]:
    """The API server's own checks (`/livez?verbose`): one a line, such as `[+]etcd ok`."""
    try:
        response = await api.request(
            "GET",
            f"/{endpoint}",
            params={"verbose": ""},
            accept="*/*",
            timeout=PROBE_SECONDS,
            retry=False,
        )
        text = response.body.decode("utf-8", "replace")
    except UnavailableError as error:
        if "[-]" not in error.message:
            raise
        text = error.message
    checks = []
    for line in text.splitlines():
        line = line[line.find("[-]") :] if "[-]" in line else line
        if line.startswith(("[+]", "[-]")):
            name, _, rest = line[3:].partition(" ")
            passed = line.startswith("[+]")
            checks.append(HealthCheck(endpoint, name, passed, "" if passed else rest))
    return tuple(checks) or (HealthCheck(endpoint, "", True),)


async def get(api: KubeApi, path: str, **params: str | int | bool) -> KubeResponse:
    """One attempt: the time limit is short, and a failure is what was asked for."""
    return await api.request("GET", path, params=params, timeout=PROBE_SECONDS, retry=False)


async def post(api: KubeApi, path: str, body: object) -> KubeResponse:
    """One attempt of a review, which changes nothing."""
    return await api.request(
        "POST", path, body=msgspec.json.encode(body), timeout=PROBE_SECONDS, retry=False
    )


def decoded(response: KubeResponse, type_: type[T]) -> T:
    """UnavailableError for what is not of the form."""
    try:
        return msgspec.json.decode(response.body, type=type_)
    except msgspec.DecodeError as error:
        raise UnavailableError(f"the API server's answer cannot be read: {error}") from None


def _clock_skew(response: KubeResponse) -> int | None:
    """Both clocks cut to whole seconds, as the Date header is."""
    try:
        theirs = email.utils.parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    ours = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return int((theirs - ours).total_seconds())


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""
    platform: str = ""


class _UserInfo(msgspec.Struct):
    username: str = ""
    groups: list[str] = []


class _SelfStatus(msgspec.Struct, rename="camel"):
    user_info: _UserInfo = msgspec.field(default_factory=_UserInfo)


class _SelfReview(msgspec.Struct):
    status: _SelfStatus


class _RulesStatus(msgspec.Struct, rename="camel"):
    resource_rules: list[AccessRule] = []
    incomplete: bool = False


class _RulesReview(msgspec.Struct):
    status: _RulesStatus


class _GroupVersion(msgspec.Struct):
    version: str


class _Group(msgspec.Struct, rename="camel"):
    name: str
    versions: list[_GroupVersion] = []
    preferred_version: _GroupVersion | None = None


class _Groups(msgspec.Struct):
    groups: list[_Group] = []


class _Name(msgspec.Struct):
    name: str = ""


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _ServiceStatus(msgspec.Struct):
    conditions: list[_Condition] | None = None


class _ApiService(msgspec.Struct):
    metadata: _Name
    status: _ServiceStatus = msgspec.field(default_factory=_ServiceStatus)


class _ApiServices(msgspec.Struct):
    items: list[_ApiService] = []
