"""The STATUS column of `kubectl get pods`.

The rules are those of kubectl's own printer (kubernetes/pkg/printers/internalversion,
`printPod`), step by step, so that people see the same word in both places.
"""

from __future__ import annotations

from services.k8s_resource.domain.objects.pods import ContainerStatus, Pod, Terminated


def display_status(pod: Pod) -> str:
    """ "Running", "CrashLoopBackOff", "Init:0/1", "Terminating", "Completed", …"""
    status = pod.status
    reason = status.reason or status.phase
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.reason == "SchedulingGated":
        reason = "SchedulingGated"
    initializing = _initializing(pod)
    if initializing is not None:
        reason = initializing
    if initializing is None or pod.is_true("Initialized"):
        reason = _of_containers(pod, reason)
    if pod.metadata.deletion_timestamp:
        if status.reason == "NodeLost":
            return "Unknown"
        if not pod.finished:
            return "Terminating"
    return reason


def _initializing(pod: Pod) -> str | None:
    """What the first unfinished init container does; None when all are done."""
    containers = {c.name: c for c in pod.spec.init_containers or ()}
    for index, status in enumerate(pod.status.init_container_statuses or ()):
        state = status.state
        terminated = state.terminated if state else None
        waiting = state.waiting if state else None
        if terminated is not None and terminated.exit_code == 0:
            continue
        specified = containers.get(status.name)
        if specified is not None and specified.restartable and status.started:
            continue
        if terminated is not None:
            return f"Init:{_end(terminated)}"
        if waiting is not None and waiting.reason and waiting.reason != "PodInitializing":
            return f"Init:{waiting.reason}"
        return f"Init:{index}/{len(containers)}"
    return None


def _of_containers(pod: Pod, reason: str) -> str:
    """What the first container in trouble says, else `reason`."""
    running = False
    for status in reversed(pod.status.container_statuses or ()):
        state = status.state
        if state is None:
            continue
        if state.waiting is not None and state.waiting.reason:
            reason = state.waiting.reason
        elif state.terminated is not None:
            reason = _end(state.terminated)
        elif status.ready and state.running is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if pod.is_true("Ready") else "NotReady"
    return reason


def _end(terminated: Terminated) -> str:
    if terminated.reason:
        return terminated.reason
    if terminated.signal:
        return f"Signal:{terminated.signal}"
    return f"ExitCode:{terminated.exit_code}"


def state_word(status: ContainerStatus) -> str:
    """ "waiting", "running" or "terminated"; empty while unknown."""
    state = status.state
    if state is None:
        return ""
    if state.terminated is not None:
        return "terminated"
    if state.running is not None:
        return "running"
    return "waiting" if state.waiting is not None else ""
