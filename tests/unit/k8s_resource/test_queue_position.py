"""Kueue's visibility API, which does not run here: an API server that answers as it would."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.common.errors import NotFoundError, PermissionDeniedError, UnavailableError
from services.k8s_resource.domain.kueue.position import position_of
from services.k8s_resource.domain.ports import KubeResponse

PATH = "/apis/visibility.kueue.x-k8s.io/{}/namespaces/team-a/localqueues/train/pendingworkloads"


class Api:
    """Answers by path; others are not there."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    async def request(self, method: str, path: str, **_: Any) -> KubeResponse:
        assert method == "GET"
        answer = self._answers.get(path, NotFoundError("path", path))
        if isinstance(answer, Exception):
            raise answer
        body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        return KubeResponse(200, {}, body)


def summary(**positions: int) -> dict[str, Any]:
    return {
        "kind": "PendingWorkloadsSummary",
        "items": [
            {
                "metadata": {"name": name, "namespace": "team-a"},
                "priority": 100,
                "localQueueName": "train",
                "positionInClusterQueue": position,
                "positionInLocalQueue": 0,
            }
            for name, position in positions.items()
        ],
    }


@pytest.mark.parametrize(
    ("answers", "position"),
    [
        ({PATH.format("v1beta2"): summary(other=0, ours=3)}, 3),
        ({PATH.format("v1beta1"): summary(ours=0)}, 0),
        ({PATH.format("v1beta2"): summary(other=0)}, None),
        ({PATH.format("v1beta2"): {"items": None}}, None),
        ({PATH.format("v1beta2"): b"no JSON"}, None),
        ({PATH.format("v1beta2"): {"items": [{"metadata": 5}]}}, None),
        ({PATH.format("v1beta2"): PermissionDeniedError("no")}, None),
        ({PATH.format("v1beta2"): UnavailableError("down")}, None),
        ({}, None),
    ],
)
async def test_the_position_is_what_the_visibility_api_says(
    answers: dict[str, Any], position: int | None
) -> None:
    found = await position_of(Api(answers), "team-a", "train", "ours")  # type: ignore[arg-type]
    assert found == position
