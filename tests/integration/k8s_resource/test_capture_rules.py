"""Capture rules: made, read, changed and deleted through the API, and kept."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from podyard.k8s_resource.v1 import captured_logs_pb2 as pb
from pydantic import ValidationError

from services.k8s_resource.settings import K8sResourceSettings
from tests.integration.k8s_resource.conftest import Service, running_service
from tools.stack.testing import ControlPlane


async def create(service: Service, request_id: str = "", **fields: Any) -> pb.CaptureRule:
    request = pb.CreateCaptureRuleRequest(rule=pb.CaptureRule(**fields), request_id=request_id)
    answer = await service.stub.CreateCaptureRule(request)
    rule: pb.CaptureRule = answer.rule
    return rule


async def names(service: Service) -> list[str]:
    answer = await service.stub.ListCaptureRules(pb.ListCaptureRulesRequest())
    return [rule.name for rule in answer.rules]


async def refused(call: Any, *words: str) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    for word in words:
        assert word in str(caught.value.details())
    code: grpc.StatusCode = caught.value.code()
    return code


async def test_rules_live_as_long_as_the_folder(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    async with running_service(control_plane.kubeconfig, state=tmp_path) as service:
        assert await names(service) == []
        kept = pb.CaptureRetention(max_age=Duration(seconds=86400), max_bytes=1 << 30, max_pods=7)
        made = await create(
            service,
            name="training",
            namespaces=["a", "b"],
            label_selector="team in (x,y)",
            training_jobs=True,
            retention=kept,
        )
        assert made.cluster == control_plane.context
        assert made.etag
        assert made.create_time.seconds
    async with running_service(control_plane.kubeconfig, state=tmp_path) as service:
        answer = await service.stub.GetCaptureRule(pb.GetCaptureRuleRequest(name="training"))
        assert answer.rule == made
        await service.stub.DeleteCaptureRule(pb.DeleteCaptureRuleRequest(name="training"))
        assert await names(service) == []
        get = service.stub.GetCaptureRule(pb.GetCaptureRuleRequest(name="training"))
        assert await refused(get, "training") is grpc.StatusCode.NOT_FOUND


async def test_changes_by_etag_and_request_id(control_plane: ControlPlane, tmp_path: Path) -> None:
    async with running_service(control_plane.kubeconfig, state=tmp_path) as service:
        stub = service.stub
        made = await create(service, "once", name="one", description="first")
        assert await create(service, "once", name="one", description="first") == made
        again = create(service, "once", name="one", description="other")
        assert await refused(again, "once") is grpc.StatusCode.ALREADY_EXISTS
        assert await refused(create(service, name="one")) is grpc.StatusCode.ALREADY_EXISTS
        changed = pb.CaptureRule()
        changed.CopyFrom(made)
        changed.description = "second"
        preview = await stub.UpdateCaptureRule(
            pb.UpdateCaptureRuleRequest(rule=changed, validate_only=True)
        )
        assert preview.rule.description == "second"
        answer = await stub.UpdateCaptureRule(pb.UpdateCaptureRuleRequest(rule=changed))
        assert answer.rule.etag != made.etag
        assert answer.rule.create_time == made.create_time
        changed.description = "third"  # with the etag of the first
        late = stub.UpdateCaptureRule(pb.UpdateCaptureRuleRequest(rule=changed))
        assert await refused(late, "has changed") is grpc.StatusCode.ABORTED
        late = stub.DeleteCaptureRule(pb.DeleteCaptureRuleRequest(name="one", etag=made.etag))
        assert await refused(late, "has changed") is grpc.StatusCode.ABORTED
        for _ in range(2):
            await stub.DeleteCaptureRule(
                pb.DeleteCaptureRuleRequest(name="one", request_id="delete it")
            )
        assert await names(service) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, ("rule.name",)),
        ({"name": "Not A Label"}, ("rule.name",)),
        ({"name": "a.b"}, ("rule.name",)),
        ({"name": "x", "namespaces": ["UPPER"]}, ("rule.namespaces[0]",)),
        ({"name": "x", "label_selector": "a in"}, ("rule.label_selector",)),
        ({"name": "x", "containers": ["../etc"]}, ("rule.containers[0]",)),
        ({"name": "x", "cluster": "nowhere"}, ("rule.cluster", "nowhere", "known are")),
        ({"name": "x", "retention": {"max_age": {"seconds": 1}}}, ("max_age",)),
        ({"name": "x", "retention": {"max_bytes": -1}}, ("max_bytes",)),
    ],
)
async def test_bad_rules_are_refused_and_change_nothing(
    control_plane: ControlPlane, tmp_path: Path, fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    async with running_service(control_plane.kubeconfig, state=tmp_path) as service:
        assert await refused(create(service, **fields), *words) is grpc.StatusCode.INVALID_ARGUMENT
        assert await names(service) == []
        everything = pb.DeleteCapturedLogsRequest(query=pb.CapturedLogQuery())
        call = service.stub.DeleteCapturedLogs(everything)
        assert await refused(call, "query") is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_second_process_waits_for_the_folder(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = "services.k8s_resource.domain.captured.captured_logs._OPENING_SECONDS"
    monkeypatch.setattr(opening, 0.1)
    kubeconfig = control_plane.kubeconfig
    async with contextlib.AsyncExitStack() as both:
        first = await both.enter_async_context(running_service(kubeconfig, state=tmp_path))
        await create(first, name="one")
        second = await both.enter_async_context(running_service(kubeconfig, state=tmp_path))
        for call in (
            create(second, name="two"),
            names(second),
            second.stub.ListCapturedLogs(pb.ListCapturedLogsRequest()),
        ):
            assert await refused(call, "another process") is grpc.StatusCode.UNAVAILABLE
        await first.stop()
        await until_served(second, ["one"])


async def test_a_folder_that_cannot_be_used_is_told_and_tried_again(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = "services.k8s_resource.domain.captured.captured_logs._OPENING_SECONDS"
    monkeypatch.setattr(opening, 0.1)
    (tmp_path / "state").write_text("a file where a folder should be")
    async with running_service(control_plane.kubeconfig, state=tmp_path / "state") as service:
        call = service.stub.ListCapturedLogs(pb.ListCapturedLogsRequest())
        assert await refused(call, "cannot be used") is grpc.StatusCode.UNAVAILABLE
        (tmp_path / "state").unlink()
        await until_served(service, [])


async def until_served(service: Service, expected: list[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                assert await names(service) == expected
                return
            await asyncio.sleep(0.05)  # nothing tells that the folder can be used


async def test_rules_that_cannot_be_read_are_told_and_not_overwritten(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    (tmp_path / "capture-rules.json").write_text("{")
    async with running_service(control_plane.kubeconfig, state=tmp_path) as service:
        code = await refused(create(service, name="x"), "capture-rules.json", "mend")
        assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert (tmp_path / "capture-rules.json").read_text() == "{"


async def test_without_a_folder_every_call_says_what_to_set(control_plane: ControlPlane) -> None:
    async with running_service(control_plane.kubeconfig) as service:
        calls = (
            create(service, name="x"),
            names(service),
            service.stub.ListCapturedLogs(pb.ListCapturedLogsRequest()),
        )
        for call in calls:
            code = await refused(call, "PODYARD_K8S_RESOURCE_STATE")
            assert code is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_settings_file_is_applied_once_for_each_content(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    seed = tmp_path / "rules.yaml"
    state = tmp_path / "state"
    seed.write_text("rules:\n- {name: seeded, training_jobs: true, retention: {max_pods: 3}}\n")
    settings = {"state": state, "capture_rules": seed}
    async with running_service(control_plane.kubeconfig, **settings) as service:
        assert await names(service) == ["seeded"]
        await service.stub.DeleteCaptureRule(pb.DeleteCaptureRuleRequest(name="seeded"))
    async with running_service(control_plane.kubeconfig, **settings) as service:
        assert await names(service) == []
    seed.write_text("rules:\n- {name: seeded, namespaces: [a]}\n- {name: other}\n")
    async with running_service(control_plane.kubeconfig, **settings) as service:
        assert await names(service) == ["other", "seeded"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [{name: UPPER}]", "UPPER"),
        ("rules: [{name: x, colour: red}]", "colour"),
        ("rules: [{name: x}, {name: x}]", "two rules"),
        ("rules: {", "no file of capture rules"),
    ],
)
def test_a_bad_settings_file_stops_the_start(tmp_path: Path, text: str, words: str) -> None:
    seed = tmp_path / "rules.yaml"
    seed.write_text(text)
    with pytest.raises(ValidationError, match=words):
        K8sResourceSettings(state=tmp_path, capture_rules=seed)
    with pytest.raises(ValidationError, match="PODYARD_K8S_RESOURCE_STATE"):
        K8sResourceSettings(capture_rules=_good(tmp_path))


def _good(folder: Path) -> Path:
    good = folder / "good.yaml"
    good.write_text("rules: []")
    return good
