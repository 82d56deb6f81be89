"""What a bad field is called and what is said about it."""

from __future__ import annotations

import pytest
from podyard.k8s_resource.v1 import logs_pb2

from services.common.errors import InvalidArgumentError
from services.common.pipeline import validate


def test_a_choice_that_is_missing_names_what_to_choose_from() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        validate(logs_pb2.TailLogsRequest(follow=True))
    assert [(v.field, v.description) for v in caught.value.violations] == [
        (
            "source",
            "give exactly one of pod, label_selector, deployment, job, training_job, stateful_set, daemon_set, replica_set",
        )
    ]
