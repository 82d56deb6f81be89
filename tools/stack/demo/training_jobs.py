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
    """The pods of all replicas, owned by the job, so that they go with it; none while suspended."""
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    pods: list[Manifest] = []
    if job["spec"]["runPolicy"].get("suspend"):
        return pods
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
                        "ownerReferences": [_owner(job, uid)],
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


def workload_of(job: Manifest, uid: str) -> Manifest:
    """What Kueue would make of the job, with its verdict."""
    name, labels = job["metadata"]["name"], job["metadata"]["labels"]
    pod_sets = [
        {"name": spec["name"], "count": spec["replicas"], "template": spec["template"]}
        for spec in job["spec"]["replicaSpecs"]
    ]
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": f"hyperpodpytorchjob-{name}-{uid[:5]}",
            "namespace": job["metadata"]["namespace"],
            "labels": {"kueue.x-k8s.io/job-uid": uid},
            "ownerReferences": [_owner(job, uid)],
        },
        "spec": {
            "queueName": labels["kueue.x-k8s.io/queue-name"],
            "priorityClassRef": {
                "group": "kueue.x-k8s.io",
                "kind": "WorkloadPriorityClass",
                "name": labels["kueue.x-k8s.io/priority-class"],
            },
            "priority": _PRIORITIES[labels["kueue.x-k8s.io/priority-class"]],
            "active": True,
            "podSets": pod_sets,
        },
        "status": _verdict(job),
    }


_PRIORITIES = {"urgent": 1000, "normal": 100}


def _verdict(job: Manifest) -> Manifest:
    status = job["status"]
    if job["spec"]["runPolicy"].get("suspend"):
        spec = job["spec"]["replicaSpecs"][0]
        message = (
            "couldn't assign flavors to pod set pods: insufficient unused quota for "
            f"nvidia.com/gpu in flavor p5, {8 * spec['replicas']} more needed"
        )
        since = status["conditions"][0]["lastTransitionTime"]
        return {
            "conditions": [
                {
                    "type": "QuotaReserved",
                    "status": "False",
                    "reason": "Pending",
                    "message": message,
                    "lastTransitionTime": since,
                }
            ]
        }
    began = status["startTime"]
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": f"{message} ClusterQueue gpu-research",
            "lastTransitionTime": began,
        }
        for kind, message in (("QuotaReserved", "Quota reserved in"), ("Admitted", "Admitted by"))
    ]
    if ended := status.get("completionTime"):
        conditions.append(
            {
                "type": "Finished",
                "status": "True",
                "reason": status["conditions"][-1]["reason"],
                "message": status["conditions"][-1]["message"],
                "lastTransitionTime": ended,
            }
        )
    assignment = {"name": "pods", "flavors": {"nvidia.com/gpu": _flavor(job)}}
    return {
        "admission": {"clusterQueue": "gpu-research", "podSetAssignments": [assignment]},
        "conditions": conditions,
    }


def _flavor(job: Manifest) -> str:
    template = job["spec"]["replicaSpecs"][0]["template"]
    instance: str = template["spec"]["nodeSelector"]["node.kubernetes.io/instance-type"]
    return instance.split(".")[1]


def _owner(job: Manifest, uid: str) -> Manifest:
    return {
        "apiVersion": job["apiVersion"],
        "kind": job["kind"],
        "name": job["metadata"]["name"],
        "uid": uid,
        "controller": True,
    }
