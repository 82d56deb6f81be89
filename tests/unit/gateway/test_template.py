"""Path templates and the route table."""

from __future__ import annotations

import pytest

from gateway.problems import HttpError
from gateway.transcoding.methods import load_methods
from gateway.transcoding.routes import RouteTable
from gateway.transcoding.template import parse_template
from services.common.errors import InvalidArgumentError, NotFoundError


def matched(template: str, path: str) -> dict[str, str] | None:
    return parse_template(template).match(path[1:].split("/"))


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/v1/pods", "/v1/pods", {}),
        ("/v1/pods", "/v1/pods/", None),
        ("/v1/{name}", "/v1/a%2Fb%20c", {"name": "a/b c"}),
        ("/v1/{name}", "/v1/", None),
        ("/v1/{name}", "/v1/a/b", None),
        ("/v1/{a.b}/x/{c}", "/v1/1/x/2", {"a.b": "1", "c": "2"}),
        ("/v1/*/{c}", "/v1/any/2", {"c": "2"}),
        ("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", {"name": "shelves/1/books/2"}),
        ("/v1/{name=shelves/*}", "/v1/desks/1", None),
        ("/v1/{rest=**}", "/v1/a/b%2Fc/d%20e", {"rest": "a/b%2Fc/d e"}),
        ("/v1/{rest=**}", "/v1", {"rest": ""}),
    ],
)
def test_match(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert matched(template, path) == expected


@pytest.mark.parametrize("text", ["v1", "/v1/", "/a//b", "/**/a", "/{A!}", "/a:b c", "/a{b}c"])
def test_bad_templates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"/|v1"):
        parse_template(text)


@pytest.fixture(scope="module")
def table() -> RouteTable:
    return RouteTable(load_methods())


def called(table: RouteTable, verb: str, path: str) -> tuple[str, dict[str, str]]:
    match = table.find(verb, path.encode())
    return match.route.method.descriptor.name, match.variables


@pytest.mark.parametrize(
    ("verb", "path", "method", "variables"),
    [
        ("GET", "/v1/clusters", "ListClusters", {}),
        ("GET", "/v1/clusters/a", "GetCluster", {"tag": "a"}),
        ("PATCH", "/v1/clusters/a", "UpdateCluster", {"cluster.tag": "a"}),
        ("POST", "/v1/clusters/a:launch", "Launch", {"tag": "a"}),
        ("GET", "/v1/clusters/a:launch", "GetCluster", {"tag": "a:launch"}),
        ("GET", "/v1/operations:watch", "WatchOperations", {}),
        ("GET", "/v1/operations/watch", "GetOperation", {"id": "watch"}),
        ("GET", "/v1/clusters/a/logs/x%3Atail", "ReadLog", {"tag": "a", "log_id": "x:tail"}),
        ("GET", "/v1/clusters/a/logs/x:tail", "TailLog", {"tag": "a", "log_id": "x"}),
        (
            "GET",
            "/v1/k8s/objects/apps%2Fv1%2FDeployment/web",
            "GetObject",
            {"kind": "apps/v1/Deployment", "name": "web"},
        ),
        (
            "GET",
            "/v1/k8s/objects/clusterroles/system:admin",
            "GetObject",
            {"kind": "clusterroles", "name": "system:admin"},
        ),
        ("POST", "/v1/k8s/watch", "Watch", {}),
        ("GET", "/v1/k8s/watch", "Watch", {}),
        ("HEAD", "/v1/k8s/pods", "ListPods", {}),
    ],
)
def test_routes(
    table: RouteTable, verb: str, path: str, method: str, variables: dict[str, str]
) -> None:
    assert called(table, verb, path) == (method, variables)


def test_every_method_has_a_route(table: RouteTable) -> None:
    routed = {route.method.path for route in table.routes}
    assert routed == {method.path for method in load_methods()}
    assert len(routed) > 25


def test_nothing_there(table: RouteTable) -> None:
    with pytest.raises(NotFoundError):
        table.find("GET", b"/v2/pods")


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("DELETE", b"/v1/k8s/pods", "GET"),
        ("PUT", b"/v1/clusters/a", "DELETE, GET, PATCH"),
        ("HEAD", b"/v1/k8s/logs", "GET, POST"),
    ],
)
def test_wrong_verb(table: RouteTable, verb: str, path: bytes, allowed: str) -> None:
    with pytest.raises(HttpError) as caught:
        table.find(verb, path)
    assert (caught.value.http_status, caught.value.headers["allow"]) == (405, allowed)


def test_a_path_that_is_not_utf_8(table: RouteTable) -> None:
    with pytest.raises(InvalidArgumentError):
        table.find("GET", b"/v1/clusters/%ff")
