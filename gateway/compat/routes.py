"""The panel's paths. Each answers `{"success": true, …}` or `{"success": false, "error": "…"}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from google.rpc import error_details_pb2
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as rpc
from podyard.k8s_resource.v1.log_reads_pb2 import DownloadLogsRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from gateway import metrics
from gateway.compat.calls import Calls, CallsOfRequest
from gateway.compat.clusters import SERVICE, Clusters
from gateway.compat.config_form import FORM_NAMES
from gateway.compat.history import delete_run, list_runs
from gateway.compat.logs import STEPS, LogReader, no_log
from gateway.compat.pod_logs import DEFAULT_NAMESPACE, DOWNLOAD, log_info, log_request
from gateway.compat.status import (
    configure_to_json,
    launch_to_json,
    no_configure,
    no_launch,
    outdated,
)
from gateway.exchange import CutBodyError, DisconnectedError, read_body
from gateway.guard import refuse
from gateway.problems import Problem, problem_of
from gateway.streams.bodies import BodyEndpoint
from gateway.transcoding.methods import RpcMethod
from gateway.upstreams import Upstreams
from services.common.errors import InvalidArgumentError, NotFoundError

Handler = Callable[[CallsOfRequest, Request], Awaitable[dict[str, Any]]]
_MAX_OFFSET = 2**53


def compat_routes(
    upstreams: Upstreams, methods: list[RpcMethod], *, timeout: float
) -> list[BaseRoute]:
    """The routes; `timeout` in seconds of each gRPC call."""
    panel = _Panel(Calls(upstreams, methods, timeout=timeout), BodyEndpoint(upstreams))
    return [
        panel.route("POST", "/api/cluster/save-config", panel.save_config),
        panel.route("POST", "/api/cluster/launch", panel.launch),
        panel.route("POST", "/api/cluster/configure", panel.configure),
        panel.route("GET", "/api/cluster/step1-status", panel.launch_status),
        panel.route("GET", "/api/cluster/step2-status", panel.configure_status),
        panel.route("GET", "/api/cluster/logs-history", panel.logs_history),
        panel.route("GET", "/api/cluster/logs/{step}", panel.log),
        panel.text("/api/logs/{job}/{pod}", inline=True),
        panel.text("/api/logs/{job}/{pod}/download", inline=False),
        panel.route("GET", "/api/logs/{job}/{pod}/info", panel.pod_log_info),
        panel.route("GET", "/api/training-history", panel.history),
        panel.route("DELETE", "/api/training-history/{run_id}", panel.delete_run),
        Mount("/api", _nothing_here),
    ]


class _Panel:
    """The handlers, and what they share."""

    def __init__(self, calls: Calls, bodies: BodyEndpoint) -> None:
        self._calls = calls
        self._bodies = bodies
        self._clusters = Clusters()
        self._logs = LogReader()

    def route(self, method: str, path: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            metrics.set_route(request.scope, path)
            try:
                data = await handler(self._calls.during(request), request)
            except DisconnectedError:
                return Response(status_code=499)
            except Exception as error:  # noqa: BLE001 - every error is answered, by the table
                return _failed(problem_of(error))
            body = orjson.dumps({"success": True, **data})
            return Response(body, media_type="application/json")

        return Route(path, endpoint, methods=[method])

    def text(self, path: str, *, inline: bool) -> Route:
        """A route that answers with a pod's log itself."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            metrics.set_route(scope, path)
            http = Request(scope, receive)
            try:
                request = await _pod_log(self._calls.during(http), http)
                method = self._calls.method(DOWNLOAD)
                await self._bodies.serve(method, request, scope, receive, send, inline=inline)
            except DisconnectedError:
                return
            except CutBodyError:
                raise
            except Exception as error:  # noqa: BLE001 - every error is answered, by the table
                await _failed(problem_of(error))(scope, receive, send)

        async def endpoint(_request: Request) -> Any:
            return serve

        return Route(path, endpoint, methods=["GET"])

    async def pod_log_info(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        return await log_info(calls, await _pod_log(calls, request))

    async def save_config(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        return await self._clusters.save(calls, await _form(request))

    async def launch(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        return await self._clusters.launch(calls, await _form(request))

    async def configure(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        return await self._clusters.configure(calls, await _form(request))

    async def launch_status(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        tag = await self._tag(calls, request)
        if not tag:
            return {"data": no_launch()}
        status = await _status(calls, tag)
        if outdated(status.launch):
            status = await _status(calls, tag, consistent=True)
        return {"data": launch_to_json(status.launch)}

    async def configure_status(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        tag = await self._tag(calls, request)
        if not tag:
            return {"data": no_configure()}
        return {"data": configure_to_json((await _status(calls, tag)).configure)}

    async def log(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        step = request.path_params["step"]
        if step not in STEPS:
            raise InvalidArgumentError.field("step", f"must be one of {', '.join(STEPS)}")
        text = request.query_params.get("offset", "0")
        if not (text.isascii() and text.isdigit()) or int(text) > _MAX_OFFSET:
            raise InvalidArgumentError.field("offset", "must be a whole number of at least 0")
        tag = await self._tag(calls, request)
        return {"data": await self._logs.read(calls, tag, step, int(text)) if tag else no_log()}

    async def logs_history(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        tag = await self._tag(calls, request)
        return {"data": await self._logs.history(calls, tag) if tag else []}

    async def history(self, calls: CallsOfRequest, _request: Request) -> dict[str, Any]:
        rows = await list_runs(calls)
        return {"data": rows, "total": len(rows)}

    async def delete_run(self, calls: CallsOfRequest, request: Request) -> dict[str, Any]:
        await delete_run(calls, request.path_params["run_id"])
        return {"message": "Training run deleted successfully"}

    async def _tag(self, calls: CallsOfRequest, request: Request) -> str:
        return await self._clusters.current(calls, request.query_params.get("clusterTag", ""))


async def _status(
    calls: CallsOfRequest, tag: str, *, consistent: bool = False
) -> rpc.GetStatusResponse:
    request = rpc.GetStatusRequest(tag=tag, consistent=consistent)
    return await calls(f"{SERVICE}/GetStatus", request, rpc.GetStatusResponse)


async def _pod_log(calls: CallsOfRequest, request: Request) -> DownloadLogsRequest:
    names = request.path_params
    namespace = request.query_params.get("namespace", DEFAULT_NAMESPACE)
    return await log_request(calls, names["job"], names["pod"], namespace)


async def _form(request: Request) -> dict[str, Any]:
    """The body as an object; an empty one is an empty object."""
    body = await read_body(request.scope, request.receive)
    if not body.strip():
        return {}
    try:
        form = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgumentError.field("body", f"is not valid JSON: {error}") from None
    if not isinstance(form, dict):
        raise InvalidArgumentError.field("body", "must be a JSON object")
    return form


def _failed(problem: Problem) -> Response:
    return Response(
        orjson.dumps({"success": False, "error": _in_form_terms(problem)}),
        problem.http_status,
        headers=problem.http_headers(),
        media_type="application/json",
    )


def _in_form_terms(problem: Problem) -> str:
    """The error's text, with bad fields called what the form calls them."""
    for detail in problem.status.details:
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            return "; ".join(
                f"{FORM_NAMES.get(each.field, each.field)}: {each.description}"
                for each in bad.field_violations
            )
    return problem.message


async def _nothing_here(scope: Scope, _receive: Receive, send: Send) -> None:
    path = scope["path"]
    error = NotFoundError("path", path, f"there is nothing at {scope['method']} {path}")
    await refuse(scope, send, problem_of(error))
