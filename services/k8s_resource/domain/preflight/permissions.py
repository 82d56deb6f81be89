"""What Podyard needs to do in a cluster, and whether it may."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from services.common.errors import PodyardError, UnavailableError
from services.k8s_resource.domain import resources
from services.k8s_resource.domain.access_reviews import Action, review
from services.k8s_resource.domain.forbidden import MissingRight
from services.k8s_resource.domain.ports import KubeApi
from services.k8s_resource.domain.preflight.model import Permission, PermissionState
from services.k8s_resource.domain.resources import Resource

_PARALLEL = 12
_EVENT = Resource("", "v1", "events", "Event")
_SECRET = Resource("", "v1", "secrets", "Secret")
_READ = ("list", "watch")
_CHANGE = ("create", "patch", "delete")

NEEDED: Sequence[tuple[str, Resource, str, Sequence[str]]] = (
    ("nodes and their GPUs", resources.NODE, "", ("get", *_READ)),
    ("namespaces", resources.NAMESPACE, "", _READ),
    ("pods, and what they use of nodes", resources.POD, "", ("get", *_READ)),
    ("logs", resources.POD, "log", ("get",)),
    ("events", _EVENT, "", _READ),
    ("services", resources.SERVICE, "", _READ),
    ("deployments", resources.DEPLOYMENT, "", _READ),
    ("persistent volumes", resources.PERSISTENT_VOLUME, "", _READ),
    ("kinds that are installed later", resources.DEFINITION, "", _READ),
    *((f"training jobs: {r.kind}", r, "", ("get", *_READ)) for r in resources.TRAINING_JOBS),
    *(
        (f"apply and delete: {r.kind}", r, "", _CHANGE)
        for r in (
            resources.POD,
            resources.SERVICE,
            resources.DEPLOYMENT,
            _SECRET,
            *resources.TRAINING_JOBS,
        )
    ),
)
"""Which feature needs which verbs of which resource and subresource."""


async def permissions(
    api: KubeApi, namespaces: Sequence[str], seconds: float
) -> tuple[Permission, ...]:
    """Everything that is needed, asked side by side within `seconds` in all.

    What is not allowed everywhere is asked again for each of the `namespaces`.
    """
    slots = asyncio.Semaphore(_PARALLEL)

    async def allowed(action: Action) -> bool | PodyardError:
        try:
            async with slots:
                return (await review(api, action)).allowed
        except PodyardError as error:
            return error

    async def found(feature: str, resource: Resource, subresource: str, verb: str) -> Permission:
        full = f"{resource.plural}/{subresource}" if subresource else resource.plural
        rule = MissingRight("", verb, full, resource.group).rule

        def permission(
            state: PermissionState, where: Sequence[str] = (), message: str = ""
        ) -> Permission:
            shown = "" if state is PermissionState.ALLOWED else rule
            return Permission(
                feature, verb, resource.group, full, state, tuple(where), shown, message
            )

        try:
            async with asyncio.timeout_at(deadline):
                everywhere = await allowed(Action(verb, resource, "", subresource))
                if isinstance(everywhere, PodyardError):
                    return permission(PermissionState.UNKNOWN, message=everywhere.message)
                if everywhere:
                    return permission(PermissionState.ALLOWED)
                if not resource.namespaced:
                    return permission(PermissionState.DENIED)
                answers = await asyncio.gather(
                    *(allowed(Action(verb, resource, name, subresource)) for name in namespaces)
                )
        except TimeoutError:
            error = UnavailableError(f"there was no answer within {seconds:g} s")
            return permission(PermissionState.UNKNOWN, message=error.message)
        where = [name for name, answer in zip(namespaces, answers, strict=True) if answer is True]
        state = PermissionState.PARTLY if where else PermissionState.DENIED
        return permission(state, where)

    deadline = asyncio.get_running_loop().time() + seconds
    return tuple(await asyncio.gather(*(found(*each) for each in _each())))


def _each() -> Iterator[tuple[str, Resource, str, str]]:
    for feature, resource, subresource, verbs in NEEDED:
        for verb in verbs:
            yield feature, resource, subresource, verb
