"""What the HyperPod training operator would make of a job: its pods and its status.

Pure: manifests in, manifests out. Names and labels are the operator's: pods are
`<job>-<replica spec>-<index>` and carry `HPJob=<job>`.
"""

from __future__ import annotations

import copy
import re
from datetime import datetime, timedelta
from typing import Any

Manifest = dict[str, Any]

_UNITS = {"h": "hours", "m": "minutes"}
_RELATIVE = re.compile(r"^\{\{-(\d+)([hm])\}\}$")


def at_times(value: Any, now: datetime) -> Any:
    """Replace each `{{-2h}}` or `{{-90m}}` by that time before `now`, in RFC 3339."""
    if isinstance(value, dict):
        return {key: at_times(item, now) for key, item in value.items()}
    if isinstance(value, list):
        return [at_times(item, now) for item in value]
    match = _RELATIVE.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    moment = now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def pods_of(job: Manifest, uid: str) -> list[Manifest]:
    """The pods of all replicas, owned by the job, so that they go with it."""
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    pods = []
    for spec in job["spec"]["replicaSpecs"]:
        for index in range(spec.get("replicas", 1)):
            template = copy.deepcopy(spec["template"])
            metadata = template.get("metadata", {})
            labels = metadata.get("labels", {}) | {
                "HPJob": name,
                "ReplicaSpec": spec["name"],
                "ReplicaIndex": str(index),
            }
            pods.append(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": f"{name}-{spec['name']}-{index}",
                        "namespace": namespace,
                        "labels": labels,
                        "annotations": metadata.get("annotations", {}),
                        "ownerReferences": [
                            {
                                "apiVersion": job["apiVersion"],
                                "kind": job["kind"],
                                "name": name,
                                "uid": uid,
                                "controller": True,
                            }
                        ],
                    },
                    "spec": template["spec"],
                }
            )
    return pods


def status_of(job: Manifest, pods: list[Manifest]) -> Manifest:
    """The job with its status only, its pods listed in it."""
    name = job["metadata"]["name"]
    own = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["labels"]["HPJob"] == name]
    return {
        "apiVersion": job["apiVersion"],
        "kind": job["kind"],
        "metadata": {"name": name, "namespace": job["metadata"]["namespace"]},
        "status": job["status"] | {"jobPods": [{"name": pod} for pod in own]},
    }
