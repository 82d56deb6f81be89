"""ListObjects, GetObject, Apply and Delete on a real API server."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import orjson
import pytest
import yaml
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from tools.stack.testing import ControlPlane


class Live:
    """The service, with the call that most tests make."""

    def __init__(self, service: Any) -> None:
        self.service = service

    def stub(self) -> Any:
        return self.service.stub

    async def apply(self, manifest: str, **fields: Any) -> pb.ApplyResponse:
        response: pb.ApplyResponse = await self.service.stub.Apply(
            pb.ApplyRequest(manifest=manifest, **fields)
        )
        return response


@pytest.fixture
def live(service: Any) -> Live:
    return Live(service)


def manifest_of(api_version: str, kind: str, name: str, **rest: Any) -> str:
    metadata = {"name": name, **rest.pop("metadata", {})}
    text: str = yaml.safe_dump(
        {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
    )
    return text


def config_map(name: str, metadata: dict[str, Any] | None = None, **data: str) -> str:
    return manifest_of("v1", "ConfigMap", name, metadata=metadata or {}, data=data)


def documents(*parts: str) -> str:
    return "---\n".join(parts)


def actions(response: pb.ApplyResponse) -> list[str]:
    return [
        pb.ApplyAction.Name(result.action).removeprefix("APPLY_ACTION_")
        for result in response.results
    ]


def outcomes(response: pb.DeleteResponse) -> list[str]:
    return [
        pb.DeleteOutcome.Name(result.outcome).removeprefix("DELETE_OUTCOME_")
        for result in response.results
    ]


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, list[Any]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    call_: Any = caught.value
    status = rpc_status.from_call(call_)
    return caught.value.code(), str(caught.value.details()), list(status.details if status else ())


def reason_of(details: list[Any]) -> str:
    info = error_details_pb2.ErrorInfo()
    assert details[0].Unpack(info)
    return str(info.reason)


async def get(live: Live, kind: str, name: str, namespace: str, **fields: Any) -> Any:
    return await live.stub().GetObject(
        pb.GetObjectRequest(kind=kind, name=name, namespace=namespace, **fields)
    )


async def test_apply_creates_configures_and_leaves_alone(live: Live, namespace: str) -> None:
    text = documents(config_map("a", x="1"), config_map("b", x="1"))
    created = await live.apply(text, namespace=namespace)
    assert actions(created) == ["CREATED", "CREATED"]
    assert [(r.document, r.ref.name, r.ref.namespace) for r in created.results] == [
        (0, "a", namespace),
        (1, "b", namespace),
    ]
    assert all(r.ref.uid and r.ref.resource_version for r in created.results)
    changed = documents(config_map("a", x="1"), config_map("b", x="2"))
    assert actions(await live.apply(changed, namespace=namespace)) == ["UNCHANGED", "CONFIGURED"]
    found = orjson.loads((await get(live, "cm", "b", namespace)).object.json)
    assert found["data"] == {"x": "2"}


async def test_unchanged_is_told_beside_busy_controllers(live: Live, namespace: str) -> None:
    text = manifest_of(
        "apps/v1",
        "Deployment",
        "busy",
        spec={
            "replicas": 3,
            "selector": {"matchLabels": {"app": "busy"}},
            "template": {
                "metadata": {"labels": {"app": "busy"}},
                "spec": {"containers": [{"name": "main", "image": "none"}]},
            },
        },
    )
    assert actions(await live.apply(text, namespace=namespace)) == ["CREATED"]
    # Its controller writes the status, and with it the resourceVersion, while these run.
    for _ in range(10):
        assert actions(await live.apply(text, namespace=namespace)) == ["UNCHANGED"]


async def test_validate_only_changes_nothing_and_says_what_would_happen(
    live: Live, namespace: str
) -> None:
    await live.apply(config_map("kept", x="1"), namespace=namespace)
    text = documents(
        config_map("kept", x="1"),
        config_map("kept2", x="1"),
        manifest_of("v1", "Namespace", f"{namespace}-new"),
        config_map("inside", {"namespace": f"{namespace}-new"}),
    )
    response = await live.apply(text, namespace=namespace, validate_only=True)
    assert actions(response) == ["UNCHANGED", "CREATED", "CREATED", "CREATED"]
    assert "namespace is created by this manifest" in response.results[3].warnings[0]
    text = config_map("kept", x="2")
    response = await live.apply(text, namespace=namespace, validate_only=True)
    assert actions(response) == ["CONFIGURED"]
    found = orjson.loads((await get(live, "cm", "kept", namespace)).object.json)
    assert found["data"] == {"x": "1"}
    code, _, _ = await refusal(get(live, "cm", "kept2", namespace))
    assert code is grpc.StatusCode.NOT_FOUND
    code, _, _ = await refusal(get(live, "ns", f"{namespace}-new", ""))
    assert code is grpc.StatusCode.NOT_FOUND


WRONG_DOCUMENTS = [
    ("a: [1", "document 1, line 9: is not valid YAML"),
    ("kind: Pod\n", "document 1, line 8: has no apiVersion"),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "document 1, line 8: has no metadata.name"),
    ("a: 1\na: 2\n", 'document 1, line 9: has the key "a" twice'),
    ("a: &a [x, x]\nb: *c\n", 'alias "*c" is not defined'),
    (manifest_of("v1", "ConfigMap", "Bad_Name"), 'metadata.name "Bad_Name" must be'),
    (manifest_of("v1", "ConfigMap", "../../etc"), "must not be"),
    (config_map("first"), "is already in document 0, line 1"),
    (config_map("first", {"namespace": "NAMESPACE"}), "is already in document 0, line 1"),
    (manifest_of("v1", "Confgmap", "x"), 'serves no kind "Confgmap" in "v1"; did you mean'),
    (manifest_of("apps/v1beta9", "Deployment", "x"), "it serves apps/v1"),
]


@pytest.mark.parametrize(("text", "told"), WRONG_DOCUMENTS)
async def test_a_wrong_document_keeps_all_from_being_applied(
    live: Live, namespace: str, text: str, told: str
) -> None:
    whole = documents(config_map("first", x="1"), text.replace("NAMESPACE", namespace))
    code, message, details = await refusal(live.apply(whole, namespace=namespace))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert told in message
    bad = error_details_pb2.BadRequest()
    assert details[1].Unpack(bad)
    assert bad.field_violations[0].field == "manifest"
    code, _, _ = await refusal(get(live, "configmap", "first", namespace))
    assert code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("text", ["# nothing\n", "---\n---\n"])
async def test_a_manifest_without_objects(live: Live, text: str) -> None:
    code, message, _ = await refusal(live.apply(text))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "holds no object" in message


async def test_one_refused_object_does_not_keep_the_others_back(live: Live, namespace: str) -> None:
    bad = manifest_of("v1", "Service", "wrong", spec={"ports": [{"port": 99999}]})
    unknown_field = manifest_of("v1", "ConfigMap", "typo", dta={"a": "b"})
    response = await live.apply(
        documents(bad, config_map("right", x="1"), unknown_field), namespace=namespace
    )
    assert actions(response) == ["FAILED", "CREATED", "FAILED"]
    assert "99999" in response.results[0].error.message
    assert response.results[0].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "dta" in response.results[2].error.message


async def test_a_conflict_names_the_other_manager_and_force_takes_over(
    live: Live, namespace: str
) -> None:
    await live.apply(config_map("shared", x="1"), namespace=namespace, field_manager="team-a")
    refused = await live.apply(
        config_map("shared", x="2"), namespace=namespace, field_manager="team-b"
    )
    assert actions(refused) == ["FAILED"]
    error = refused.results[0].error
    assert error.code == grpc.StatusCode.ABORTED.value[0]
    assert "team-a" in error.message
    assert reason_of(list(error.details)) == "FIELD_MANAGER_CONFLICT"
    forced = await live.apply(
        config_map("shared", x="2"), namespace=namespace, field_manager="team-b", force=True
    )
    assert actions(forced) == ["CONFIGURED"]


async def test_values_of_secrets_do_not_come_back_in_errors(live: Live, namespace: str) -> None:
    text = manifest_of("v1", "Secret", "token", stringData={"key": {"deep": "hf_topsecretvalue"}})
    not_base64 = manifest_of("v1", "Secret", "token2", data={"key": "hf_topsecretvalue!"})
    response = await live.apply(documents(text, not_base64), namespace=namespace)
    assert actions(response) == ["FAILED", "FAILED"]
    assert b"topsecret" not in response.SerializeToString()


async def test_a_definition_and_its_objects_in_one_manifest_in_any_order(
    live: Live, namespace: str
) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = manifest_of(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"widgets.{group}",
        spec={
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    )
    widget = manifest_of(f"{group}/v1", "Widget", "one", spec={"size": 1})
    checked = await live.apply(
        documents(widget, definition), namespace=namespace, validate_only=True
    )
    assert actions(checked) == ["CREATED", "CREATED"]
    assert "its kind is defined by this manifest" in checked.results[0].warnings[0]
    response = await live.apply(documents(widget, definition), namespace=namespace)
    assert actions(response) == ["CREATED", "CREATED"], response
    listed = await live.stub().ListObjects(
        pb.ListObjectsRequest(kind=f"widgets.{group}", namespace=namespace)
    )
    assert [o.ref.name for o in listed.objects] == ["one"]
    gone = await live.stub().Delete(
        pb.DeleteRequest(manifest=documents(widget, definition), namespace=namespace)
    )
    assert outcomes(gone)[0] == "DELETED"


async def test_lists_and_api_server_warnings(live: Live, namespace: str) -> None:
    items = [yaml.safe_load(config_map(f"item-{i}", x=str(i))) for i in range(3)]
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    response = await live.apply(text, namespace=namespace)
    assert actions(response) == ["CREATED"] * 3
    assert {r.document for r in response.results} == {0}
    pod = manifest_of(
        "v1",
        "Pod",
        "warned",
        metadata={"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": ""}},
        spec={"containers": [{"name": "main", "image": "none"}]},
    )
    warned = await live.apply(pod, namespace=namespace)
    assert actions(warned) == ["CREATED"]
    assert "critical-pod" in warned.results[0].warnings[0]


@pytest.mark.parametrize(
    "kind", ["configmaps", "configmap", "cm", "ConfigMap", "v1/ConfigMap", "v1/configmaps", "CM"]
)
async def test_kinds_by_every_name_kubectl_takes(live: Live, namespace: str, kind: str) -> None:
    await live.apply(config_map("named", x="1"), namespace=namespace)
    found = await get(live, kind, "named", namespace)
    assert (found.object.ref.api_version, found.object.ref.kind) == ("v1", "ConfigMap")


@pytest.mark.parametrize(
    "kind", ["deploy", "deployments.apps", "Deployment.v1.apps", "apps/v1/Deployment"]
)
async def test_kinds_with_groups(live: Live, namespace: str, kind: str) -> None:
    listed = await live.stub().ListObjects(
        pb.ListObjectsRequest(kind=kind, namespace=namespace, page_size=1)
    )
    assert list(listed.objects) == []
    assert listed.freshness.live


async def test_an_unknown_kind_is_told_with_similar_ones(live: Live) -> None:
    code, message, details = await refusal(get(live, "deploymnt", "x", "default"))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "deployments.apps" in message
    assert reason_of(details) == "UNKNOWN_KIND"


async def test_get_as_json_and_yaml_with_and_without_managed_fields(
    live: Live, namespace: str
) -> None:
    await live.apply(config_map("shown", x="1\n2\n"), namespace=namespace)
    plain = await get(live, "cm", "shown", namespace)
    value = orjson.loads(plain.object.json)
    assert "managedFields" not in value["metadata"]
    assert plain.object.ref.uid == value["metadata"]["uid"]
    assert plain.freshness.live
    full = await get(live, "cm", "shown", namespace, include_managed_fields=True)
    assert orjson.loads(full.object.json)["metadata"]["managedFields"]
    written = await get(live, "cm", "shown", namespace, format=pb.OBJECT_FORMAT_YAML)
    assert written.object.json == ""
    assert yaml.safe_load(written.yaml) == value
    assert "x: |" in written.yaml
    code, message, _ = await refusal(get(live, "cm", "absent", namespace))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "absent" in message
    code, message, _ = await refusal(get(live, "cm", "../x", namespace))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message.startswith("name:")


async def test_pages_are_of_one_snapshot(live: Live, namespace: str) -> None:
    names = [f"p-{i:02}" for i in range(7)]
    await live.apply(
        documents(*(config_map(n, {"labels": {"k": "v"}}) for n in names)), namespace=namespace
    )
    request = pb.ListObjectsRequest(
        kind="cm", namespace=namespace, label_selector="k=v", page_size=3
    )
    first = await live.stub().ListObjects(request)
    assert first.remaining_item_count == 0 or first.next_page_token
    await live.apply(config_map("p-99", {"labels": {"k": "v"}}), namespace=namespace)
    seen = [o.ref.name for o in first.objects]
    token = first.next_page_token
    while token:
        request.page_token = token
        page = await live.stub().ListObjects(request)
        seen += [o.ref.name for o in page.objects]
        token = page.next_page_token
    assert seen == names
    request.page_token = first.next_page_token
    request.label_selector = "k=other"
    code, message, details = await refusal(live.stub().ListObjects(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(details) == "TOKEN_OF_ANOTHER_QUERY"
    request.page_token = "nonsense"
    code, message, details = await refusal(live.stub().ListObjects(request))
    assert message.startswith("page_token:")
    assert reason_of(details) == "BAD_TOKEN"
    code, message, _ = await refusal(
        live.stub().ListObjects(pb.ListObjectsRequest(kind="cm", label_selector="a in (("))
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_delete_by_reference_selector_and_manifest(live: Live, namespace: str) -> None:
    labels = {"labels": {"app": "gone"}}
    text = documents(config_map("a", labels), config_map("b", labels), config_map("c"))
    applied = await live.apply(text, namespace=namespace)

    async def delete(**fields: Any) -> list[str]:
        return outcomes(await live.stub().Delete(pb.DeleteRequest(**fields)))

    selector = pb.DeleteSelector(kind="configmaps", namespace=namespace, label_selector="app=gone")
    assert await delete(selector=selector, validate_only=True) == ["DELETED", "DELETED"]
    wrong_uid = pb.ObjectKey(
        kind="cm", namespace=namespace, name="c", uid=applied.results[0].ref.uid
    )
    assert await delete(objects=[wrong_uid]) == ["FAILED"]
    assert await delete(selector=selector) == ["DELETED", "DELETED"]
    assert await delete(manifest=text, namespace=namespace) == ["MISSING", "MISSING", "DELETED"]
    right = pb.ObjectKey(kind="cm", namespace=namespace, name="c")
    assert await delete(objects=[right, right]) == ["MISSING", "MISSING"]


async def test_delete_of_what_cannot_vanish_yet(live: Live, namespace: str) -> None:
    held = config_map("held", {"finalizers": ["example.com/hold"]})
    await live.apply(held, namespace=namespace)
    key = pb.ObjectKey(kind="cm", namespace=namespace, name="held")
    assert outcomes(await live.stub().Delete(pb.DeleteRequest(objects=[key]))) == ["TERMINATING"]
    await live.apply(config_map("held"), namespace=namespace)
    code, _, _ = await refusal(get(live, "cm", "held", namespace))
    assert code is grpc.StatusCode.NOT_FOUND
    space = pb.ObjectKey(kind="ns", name=namespace)
    assert outcomes(await live.stub().Delete(pb.DeleteRequest(objects=[space]))) == ["TERMINATING"]


async def test_delete_refuses_nonsense_and_deletes_nothing(live: Live, namespace: str) -> None:
    await live.apply(config_map("stays"), namespace=namespace)
    keys = [
        pb.ObjectKey(kind="cm", namespace=namespace, name="stays"),
        pb.ObjectKey(kind="cm", namespace=namespace, name="a/b"),
    ]
    code, message, _ = await refusal(live.stub().Delete(pb.DeleteRequest(objects=keys)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message.startswith("objects[1].name:")
    code, _, _ = await refusal(live.stub().Delete(pb.DeleteRequest()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    code, message, _ = await refusal(
        live.stub().Delete(pb.DeleteRequest(objects=[pb.ObjectKey(kind="nosuchkind", name="x")]))
    )
    assert code is grpc.StatusCode.NOT_FOUND
    assert (await get(live, "cm", "stays", namespace)).object.ref.name == "stays"


async def test_many_callers_ask_for_an_unknown_kind_at_once(live: Live) -> None:
    codes = await asyncio.gather(
        *(refusal(get(live, f"nosuchkind{i}", "x", "default")) for i in range(20))
    )
    assert {code for code, _, _ in codes} == {grpc.StatusCode.NOT_FOUND}


async def test_an_api_server_that_is_down_is_told_as_such(
    live: Live, namespace: str, control_plane: ControlPlane
) -> None:
    text = documents(config_map("a", x="1"), config_map("b", x="1"))
    await live.apply(text, namespace=namespace)
    key = pb.ObjectKey(kind="cm", namespace=namespace, name="a")
    await asyncio.to_thread(control_plane.kill_apiserver)
    try:
        calls = (
            live.apply(text, namespace=namespace),
            live.stub().Delete(pb.DeleteRequest(objects=[key])),
            live.stub().ListObjects(pb.ListObjectsRequest(kind="cm", namespace=namespace)),
            get(live, "cm", "a", namespace),
        )
        for code, message, details in await asyncio.gather(*map(refusal, calls)):
            assert code is grpc.StatusCode.UNAVAILABLE
            assert "cannot connect to the API server" in message
            assert reason_of(details) == "CLUSTER_UNREACHABLE"
    finally:
        await asyncio.to_thread(control_plane.start_apiserver)
    assert actions(await live.apply(text, namespace=namespace)) == ["UNCHANGED", "UNCHANGED"]
