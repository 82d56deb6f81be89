"""Selectors choose and refuse what the real API server chooses and refuses.

The same objects, many selectors, among them nonsense: generated from a seed, so that a
failure can be repeated.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.common.errors import InvalidArgumentError
from services.k8s_resource.adapters.kubeconfig import KubeconfigConnections
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.ports import KubeApi
from services.k8s_resource.domain.selection import Selection, parse_selection
from tests.integration.k8s_resource.manifests import deployment, node, pod
from tools.stack.testing import ControlPlane

SELECTORS = 600
AT_ONCE = 16

KEYS = ("app", "env", "size", "example.com/team", "in", "notin", "Under_score.x", "absent")
VALUES = ("web", "db", "dev", "3", "30", "007", "-1", "in", "", "A.b_c", "9223372036854775807")
LABELS: Sequence[dict[str, str]] = (
    {},
    {"app": "web"},
    {"app": "web", "env": "dev", "size": "3"},
    {"app": "db", "env": "", "size": "30"},
    {"app": "", "in": "in", "notin": "web"},
    {"example.com/team": "A.b_c", "size": "007"},
    {"Under_score.x": "db", "size": "9223372036854775807"},
    {"size": "not-a-number", "env": "dev"},
)
LABEL_CORPUS = (
    "", " ", ",", "app", "!app", " ! app ", "app=", "app==", "app!=", "app in ()", "app notin ()",
    "app in (,)", "app in (web,,db)", "app in (web,)", "app in (,web)", "in in (in)", "notin in (web)",
    "notin", "in", "!in", "app in (in,notin)", "app in", "app in web", "app=in", "size>3", "size>+3",
    "size>-3", "size>03", "size > 3 , size < 31", "size>9223372036854775806", "size<9223372036854775808",
    "size>00000000000000000000003", "size>3.0", "size>", "app=web,", ",app=web", "app=web,,env=dev",
    "app = = web", "app=!web", "app!web", "!app=web", "!!app", "app=web env=dev", "app==web==db",
    "app=a=b", "(app)", "app=(web)", "app\tin\n(web)\r", "app\u00a0=web", "app=web\x0b", "app\x0c",
    "app=w\u00e9b", "/app", "example.com/", "example.com/team", "a/b/c", "EXAMPLE.com/team",
    "example..com/team", "-app", "app-", "app=-web", "app=web-", f"{'k' * 63}=x", f"{'k' * 64}=x",
    f"app={'v' * 63}", f"app={'v' * 64}", f"{'p' * 253}/x", f"{'p' * 254}/x", "app=web,app=db",
    "app=web,app!=web", "app in (web),env notin (dev),!absent", "size>3,size>29", "app<web", "app>1",
    "x y", "app;web", "app=we b", "app in (we b)", "app in (web", "app in web)", "app notin ()x",
    "app=,env=dev", "app!=,env", "Under_score.x=db", "in=in,notin=web", "notin notin (in)",
)  # fmt: skip
FIELD_CORPUS = (
    "", ",", ",,metadata.name=p1,,", "metadata.name=p1", "metadata.name==p1", "metadata.name!=p1",
    "metadata.name", "=p1", "metadata.name =p1", "metadata.name= p1", " metadata.name=p1",
    "metadata.name=p1 ", "metadata.name=p1,metadata.name=p2", "metadata.name=p1,metadata.name!=p1",
    "metadata.name=a=b", "metadata.name=a\\=b", "metadata.name=a\\,b", "metadata.name=a\\b",
    "metadata.name=\\", "metadata.name=\\\\", "metadata.name!==p1", "metadata.name===p1", "spec.color=red",
    "spec.nodeName=", "spec.nodeName!=", "spec.nodeName=not-there", "spec.host=not-there",
    "spec.hostNetwork=true", "spec.hostNetwork=false", "spec.hostNetwork=TRUE", "status.podIPs=",
    "status.podIPs!=", "status.podIP=", "status.phase=Pending,spec.nodeName!=not-there",
    "status.phase=pending", "spec.restartPolicy=Never", "spec.schedulerName!=default-scheduler",
    "spec.serviceAccountName=default", "status.nominatedNodeName=", "metadata.namespace!=default",
    "metadata.uid=x", "metadata.labels.app=web", "spec.unschedulable=true", "spec.unschedulable=",
    "status.phase=Active", "spec.type=ClusterIP", "spec.clusterIP=None", "spec.clusterIP!=None",
    "involvedObject.kind=Pod", "involvedObject.name=p1", "involvedObject.name!=p1", "type=Warning",
    "reason=Started,type!=Warning", "source=kubelet", "source=", "reportingComponent=",
    "reportingComponent!=", "involvedObject.fieldPath=spec.containers{main}",
    "involvedObject.apiVersion=v1", "involvedObject.uid=", "involvedObject.resourceVersion=",
    "involvedObject.namespace=default", "status.successful=1", "name=p1", "status.phase!=Bound",
)  # fmt: skip


def generated_label_selector(seed: random.Random) -> str:
    """Mostly right, sometimes broken."""

    def value() -> str:
        return seed.choice(VALUES)

    def requirement() -> str:
        key = seed.choice(KEYS)
        form = seed.randrange(8)
        space = seed.choice(("", "", " "))
        if form == 0:
            return f"{key}"
        if form == 1:
            return f"!{space}{key}"
        if form in (2, 3):
            operator = seed.choice(("=", "==", "!="))
            return f"{key}{space}{operator}{space}{value()}"
        if form in (4, 5):
            values = ",".join(value() for _ in range(seed.randrange(4)))
            return f"{key} {seed.choice(('in', 'notin'))} ({values})"
        if form == 6:
            return f"{key}{space}{seed.choice('><')}{space}{seed.choice(('3', '29', '-1', 'x'))}"
        return f"{key}={value()}"

    text = ",".join(requirement() for _ in range(seed.randrange(1, 4)))
    return _broken(seed, text, "=!<>(), \tix.-/") if seed.random() < 0.3 else text


def generated_field_selector(
    seed: random.Random, names: Sequence[str], values: Sequence[str]
) -> str:
    """Over the fields that the kind has; mostly right, sometimes broken."""
    terms = (
        f"{seed.choice(names)}{seed.choice(('=', '==', '!='))}{seed.choice(values)}"
        for _ in range(seed.randrange(1, 4))
    )
    text = ",".join(terms)
    return _broken(seed, text, "=!,\\ .a") if seed.random() < 0.3 else text


def _broken(seed: random.Random, text: str, characters: str) -> str:
    at = seed.randrange(len(text) + 1)
    return text[:at] + seed.choice(characters) + text[at + seed.randrange(2) :]


@asynccontextmanager
async def api_of(plane: ControlPlane) -> AsyncIterator[KubeApi]:
    connections = KubeconfigConnections([plane.kubeconfig])
    try:
        yield connections.get("").api
    finally:
        await connections.close()


async def listed(api: KubeApi, kind: Kind, namespace: str, **params: str) -> list[Item]:
    """Objects as the cache decodes them. Those of namespaces not of this test come and go."""
    path = kind.resource.path(namespace)
    response = await api.request("GET", path, params=params, timeout=60)
    return KindDecoder(kind, keep_raw=False).page(response.body).items


async def assert_equal(
    api: KubeApi, kind: Kind, namespace: str, parameter: str, field: str, texts: Sequence[str]
) -> None:
    """The API server's answers and ours, over the objects that nobody changed meanwhile."""
    items = await listed(api, kind, namespace)
    answers: list[set[tuple[str, str]] | None]
    refusals: list[InvalidArgumentError] = []
    slots = asyncio.Semaphore(AT_ONCE)

    async def theirs(text: str) -> set[tuple[str, str]] | None:
        async with slots:
            try:
                found = await listed(api, kind, namespace, **{parameter: text})
            except InvalidArgumentError:
                return None
            return {item.key for item in found}

    def parsed(text: str) -> Selection:
        labels, fields = (text, "") if field == "label_selector" else ("", text)
        return parse_selection(kind, namespace, labels, fields)

    def ours(text: str) -> set[tuple[str, str]] | None:
        try:
            selection = parsed(text)
        except InvalidArgumentError as error:
            refusals.append(error)
            return None
        # The canonical text means the same.
        canonical = str(selection.labels if field == "label_selector" else selection.fields)
        again = parsed(canonical)
        chosen = {item.key for item in items if selection.matches(item)}
        assert chosen == {item.key for item in items if again.matches(item)}, (text, canonical)
        return chosen

    answers = await asyncio.gather(*(theirs(text) for text in texts))
    # Namespaces of tests before this one are still vanishing.
    after = {item.key: item.version for item in await listed(api, kind, namespace)}
    items = [item for item in items if after.get(item.key) == item.version]
    assert items
    lasting = {item.key for item in items}
    answers = [None if answer is None else answer & lasting for answer in answers]
    different = [
        (text, "ours", mine, "the API server's", answer)
        for text, answer in zip(texts, answers, strict=True)
        if (mine := ours(text)) != answer
    ]
    assert not different
    for refusal in refusals:
        assert [violation.field for violation in refusal.violations] == [field]
        assert "at character " in refusal.message
    # Otherwise the comparison would prove nothing.
    assert refusals
    assert len({frozenset(answer) for answer in answers if answer is not None}) > 1


async def test_label_selectors_are_those_of_the_api_server(
    control_plane: ControlPlane, namespace: str
) -> None:
    pods = [
        pod(f"p{number}", namespace, labels=labels, node="not-there")
        for number, labels in enumerate(LABELS)
    ]
    control_plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
    seed = random.Random(1)  # noqa: S311
    texts = [*LABEL_CORPUS, *(generated_label_selector(seed) for _ in range(SELECTORS))]
    async with api_of(control_plane) as api:
        await assert_equal(api, kinds.POD, namespace, "labelSelector", "label_selector", texts)


VALUES_OF_FIELDS = (
    "p1", "p2", "", "default", "not-there", "true", "false", "Pending", "Running", "Never", "Always",
    "Active", "ClusterIP", "None", "Pod", "v1", "kubelet", "Warning", "Normal", "Started", "x\\,y",
)  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [kinds.POD, kinds.NODE, kinds.SERVICE, kinds.DEPLOYMENT, kinds.PERSISTENT_VOLUME,
     kinds.NAMESPACE, kinds.EVENT],
    ids=lambda kind: kind.resource.plural,
)  # fmt: skip
async def test_field_selectors_are_those_of_the_api_server(
    control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None], kind: Kind
) -> None:
    objects = _objects(kind, namespace)
    for each in objects:
        if "namespace" not in each["metadata"]:
            passing(kind.resource.plural, each["metadata"]["name"])
    if objects:
        control_plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    names = [*kind.fields, "metadata.name", "spec.nothing"]
    seed = random.Random(2)  # noqa: S311
    texts = [
        *FIELD_CORPUS,
        *(generated_field_selector(seed, names, VALUES_OF_FIELDS) for _ in range(SELECTORS // 4)),
    ]
    where = namespace if kind.resource.namespaced else ""
    async with api_of(control_plane) as api:
        await assert_equal(api, kind, where, "fieldSelector", "field_selector", texts)


def _objects(kind: Kind, namespace: str) -> list[dict[str, Any]]:
    if kind is kinds.POD:
        host = pod("p2", namespace, node="not-there")
        host["spec"]["hostNetwork"] = True
        host["spec"]["restartPolicy"] = "Never"
        gated = pod("p3", namespace)
        gated["spec"]["schedulingGates"] = [{"name": "podyard.test/wait"}]
        return [pod("p1", namespace, node="not-there"), host, gated]
    if kind is kinds.NODE:
        free = node(f"free-{namespace}", gpus=0)
        del free["spec"]
        return [node(f"cordoned-{namespace}", gpus=8), free]
    if kind is kinds.SERVICE:
        ports = [{"port": 80}]
        return [
            _object("v1", "Service", "p1", namespace, spec={"ports": ports}),
            _object("v1", "Service", "p2", namespace, spec={"ports": ports, "clusterIP": "None"}),
            _object("v1", "Service", "p3", namespace, spec={"ports": ports, "type": "NodePort"}),
        ]
    if kind is kinds.DEPLOYMENT:
        return [deployment(name, namespace, replicas=0) for name in ("p1", "p2")]
    if kind is kinds.PERSISTENT_VOLUME:
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "csi": {"driver": "s3.csi.aws.com", "volumeHandle": "v"},
        }
        names = ("p1", f"pv-{namespace}")
        return [_object("v1", "PersistentVolume", name, "", spec=spec) for name in names]
    if kind is kinds.EVENT:
        return _events(namespace)
    return []


def _events(namespace: str) -> list[dict[str, Any]]:
    about = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": "p1", "uid": "u"}
    other = {
        "kind": "Job",
        "namespace": namespace,
        "name": "p2",
        "fieldPath": "spec.containers{main}",
    }
    new = {
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "reportingController": "kubelet",
        "reportingInstance": "n",
        "action": "Run",
        "type": "Warning",
        "reason": "Started",
    }
    return [
        _object(
            "v1", "Event", "p1", namespace, involvedObject=about, type="Normal", reason="Started",
            source={"component": "kubelet"},
        ),
        _object("v1", "Event", "p2", namespace, involvedObject=other, type="Warning"),
        _object("events.k8s.io/v1", "Event", "p3", namespace, regarding=about, **new),
    ]  # fmt: skip


def _object(api_version: str, kind: str, name: str, namespace: str, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
