"""Members of SageMaker's answers, made from what the state holds. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

Members = dict[str, Any]


def group_details(group: Members) -> Members:
    kept = (
        *("InstanceGroupName", "InstanceType", "LifeCycleConfig", "ExecutionRole"),
        *("ThreadsPerCore", "TrainingPlanArn", "OnStartDeepHealthChecks"),
    )
    return {
        "CurrentCount": 0,
        "TargetCount": group["InstanceCount"],
        "Status": "Creating",
        **{key: group[key] for key in kept if key in group},
    }


def nodes(cluster: Members) -> list[Members]:
    """As many nodes as each group has at present, with ids that stay the same."""
    return [
        {
            "InstanceGroupName": group["InstanceGroupName"],
            "InstanceId": "i-"
            + identifier(f"{cluster['ClusterName']}/{group['InstanceGroupName']}/{index}")[:17],
            "InstanceType": group["InstanceType"],
            "LaunchTime": cluster["CreationTime"],
            "InstanceStatus": {"Status": "Running"},
        }
        for group in cluster["InstanceGroups"]
        for index in range(group["CurrentCount"])
    ]


def page(key: str, rows: list[Members], request: Members) -> Members:
    first = int(request.get("NextToken") or 0)
    size = request.get("MaxResults", 10)
    answer: Members = {key: rows[first : first + size]}
    if first + size < len(rows):
        answer["NextToken"] = str(first + size)
    return answer


def identifier(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
