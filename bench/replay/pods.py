"""Pods as the API server sends them, about 3.9 kB each, and watch events of them."""

from __future__ import annotations

import time
from typing import Any

import msgspec

FIRST_VERSION = 1_000_000_000
"""Versions and times are written in ten and nineteen digits, so that they can be overwritten."""

_DIGITS = 10
_TIME_DIGITS = 19
_EVENTS = 250


def page(count: int, start: int, limit: int) -> bytes:
    """A page of the list of `count` pods, from number `start` on."""
    end = min(count, start + limit) if limit else count
    metadata: dict[str, Any] = {"resourceVersion": str(FIRST_VERSION)}
    if end < count:
        metadata |= {"continue": str(end), "remainingItemCount": count - end}
    items = [_pod(number, FIRST_VERSION) for number in range(start, end)]
    return msgspec.json.encode(
        {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}
    )


class Events:
    """Lines of a watch, each the next version of one of `count` pods.

    The label `sent` holds the moment of sending, in nanoseconds since the epoch.
    """

    def __init__(self, count: int) -> None:
        line = b""
        self._versions: list[int] = []
        self._times: list[int] = []
        self._ends: list[int] = []
        for number in range(_EVENTS):
            pod = _pod(number * count // _EVENTS, FIRST_VERSION)
            event = msgspec.json.encode({"type": "MODIFIED", "object": pod}) + b"\n"
            self._versions.append(len(line) + event.index(b"%d" % FIRST_VERSION))
            self._times.append(len(line) + event.index(b'"sent":"') + len(b'"sent":"'))
            line += event
            self._ends.append(len(line))
        self._lines = bytearray(line)

    def next(self, version: int, count: int) -> bytes:
        """Up to 250 events with the versions after `version`, sent now."""
        count = min(count, _EVENTS)
        now = b"%0*d" % (_TIME_DIGITS, time.time_ns())
        lines = self._lines
        for index in range(count):
            at = self._versions[index]
            lines[at : at + _DIGITS] = b"%d" % (version + index + 1)
            at = self._times[index]
            lines[at : at + _TIME_DIGITS] = now
        return bytes(memoryview(lines)[: self._ends[count - 1]])


def _pod(number: int, version: int) -> dict[str, Any]:
    name = f"replay-{number:06d}"
    when = "2026-01-01T00:00:00Z"
    labels = {"app": f"bench-{number // 100}", "sent": "0" * _TIME_DIGITS, "pod-template-hash": "x"}
    token = {"name": "kube-api-access-x7x2z", "mountPath": "/var/run/secrets/kubernetes.io/token"}
    tolerations = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
        for key in ("not-ready", "unreachable")
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": when, "lastProbeTime": None}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    started = {"running": {"startedAt": when}}
    status = {"name": "main", "state": started, "lastState": {}, "ready": True, "restartCount": 0}
    image = {"image": "registry.example/train:1", "imageID": "", "started": True}
    fields: dict[str, Any] = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:sent": {}}},
        "f:spec": {},
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"5c0f2a3e-0000-4000-8000-{number:012d}",
            "resourceVersion": str(version),
            "creationTimestamp": when,
            "labels": labels,
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"bench-{number // 100}-5d4f8c7b9",
                    "uid": "11111111-2222-4333-8444-555555555555",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
            "managedFields": [
                {"manager": who, "operation": "Update", "time": when, "fieldsV1": fields | more}
                for who, more in (
                    ("kube-controller-manager", {"f:spec": {f"f:field{n}": {} for n in range(30)}}),
                    ("kwok", {"f:status": {f"f:field{n}": {".": {}} for n in range(30)}}),
                )
            ],
        },
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "registry.example/train:1",
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                    "volumeMounts": [token],
                    "imagePullPolicy": "IfNotPresent",
                    "terminationMessagePath": "/dev/termination-log",
                }
            ],
            "volumes": [{"name": "kube-api-access-x7x2z", "projected": {"defaultMode": 420}}],
            "restartPolicy": "Always",
            "nodeName": f"hyperpod-i-{number % 500:017x}",
            "serviceAccountName": "default",
            "schedulerName": "default-scheduler",
            "tolerations": tolerations,
            "priority": 0,
            "enableServiceLinks": True,
        },
        "status": {
            "phase": "Running",
            "conditions": conditions,
            "hostIP": "10.0.0.1",
            "podIP": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "startTime": when,
            "containerStatuses": [status | image],
            "qosClass": "Burstable",
        },
    }
