"""Requests from path, query and body."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.problems import HttpError
from gateway.transcoding.methods import load_methods
from gateway.transcoding.requests import read_request
from gateway.transcoding.routes import RouteTable
from services.common.errors import InvalidArgumentError

TABLE = RouteTable(load_methods())


def read(
    verb: str, url: str, body: str = "", content_type: str = "application/json; charset=utf-8"
) -> Any:
    path, _, query = url.partition("?")
    match = TABLE.find(verb, path.encode())
    return read_request(match, query.encode(), body.encode(), content_type)


def refused(verb: str, url: str, body: str = "") -> dict[str, str]:
    with pytest.raises(InvalidArgumentError) as caught:
        read(verb, url, body)
    return {violation.field: violation.description for violation in caught.value.violations}


def test_a_query_of_every_kind() -> None:
    request = read(
        "GET",
        "/v1/k8s/logs?labelSelector=app%3Dweb%2Ctier+in+(a)&containers=a&containers=b"
        "&follow=true&since=3.5s&since_time=2026-01-31T08:30:00Z&tailLines=0",
    )
    assert request.label_selector == "app=web,tier in (a)"
    assert list(request.containers) == ["a", "b"]
    assert request.follow is True
    assert request.since.ToMilliseconds() == 3500
    assert request.since_time.ToJsonString() == "2026-01-31T08:30:00Z"
    assert request.HasField("tail_lines")


def test_enums_by_name_and_number() -> None:
    request = read("GET", "/v1/operations?states=OPERATION_STATE_RUNNING&states=5")
    assert list(request.states) == [2, 5]


def test_body_field_path_and_query_make_one_request() -> None:
    request = read(
        "PATCH",
        "/v1/clusters/a?validateOnly=1&request_id=r",
        '{"config": {"awsRegion": "us-west-2", "gpu_instance_count": 3}}',
    )
    assert request.cluster.tag == "a"
    assert request.cluster.config.aws_region == "us-west-2"
    assert request.cluster.config.gpu_instance_count == 3
    assert (request.validate_only, request.request_id) == (True, "r")


def test_an_empty_body_is_an_empty_message() -> None:
    assert read("POST", "/v1/clusters/a:launch").tag == "a"


def test_the_body_may_repeat_the_path() -> None:
    assert read("POST", "/v1/clusters/a:launch", '{"tag": "a"}').tag == "a"


@pytest.mark.parametrize(
    ("verb", "url", "body", "field", "text"),
    [
        ("POST", "/v1/clusters/a:launch", '{"tag": "b"}', "tag", "leave it out"),
        ("PATCH", "/v1/clusters/a", '{"tag": "b"}', "cluster.tag", "leave it out"),
        ("GET", "/v1/clusters/a?tag=b", "", "tag", "by the path"),
        (
            "PATCH",
            "/v1/clusters/a?cluster.config.awsRegion=x",
            "{}",
            "cluster.config.awsRegion",
            "by the body",
        ),
        ("PATCH", "/v1/clusters/a?cluster.tag=b", "{}", "cluster.tag", "by the path"),
        ("POST", "/v1/clusters/a:launch?requestId=x", "", "requestId", "in the body"),
        ("GET", "/v1/clusters", "{}", "body", "takes none"),
        ("GET", "/v1/k8s/pods?pagesize=5", "", "pagesize", 'did you mean "pageSize"'),
        ("GET", "/v1/k8s/pods?page_size=x", "", "page_size", "whole number"),
        ("GET", "/v1/k8s/pods?page_size=1&pageSize=1", "", "pageSize", "more than once"),
        ("GET", "/v1/k8s/pods?consistent=maybe", "", "consistent", "true or false"),
        ("GET", "/v1/k8s/pods?consistent", "", "consistent", "true or false"),
        ("GET", "/v1/k8s/logs?pod=a&since=5", "", "since", "3.5s"),
        ("GET", "/v1/k8s/logs?since.seconds=5", "", "since.seconds", "no fields"),
        ("GET", "/v1/k8s/logs?pod=a&job=b", "", "job", 'together with "pod"'),
        ("GET", "/v1/k8s/watch?targets=x", "", "targets", "query"),
        ("GET", "/v1/operations?states=RUNNING", "", "states", "OPERATION_STATE_RUNNING"),
        ("POST", "/v1/k8s/apply", "{", "body", "JSON"),
        ("POST", "/v1/k8s/apply", "[]", "body", "object"),
        ("POST", "/v1/clusters", '{"cluster": {}}', "cluster.cluster", "not a field of Cluster"),
        ("POST", "/v1/clusters", '"x"', "cluster", "object"),
    ],
)
def test_what_is_wrong_names_its_field(
    verb: str, url: str, body: str, field: str, text: str
) -> None:
    problems = refused(verb, url, body)
    assert list(problems) == [field]
    assert text in problems[field]


def test_all_problems_of_a_query_are_told_at_once() -> None:
    assert list(refused("GET", "/v1/k8s/pods?a=1&pageSize=x&b=2")) == ["a", "pageSize", "b"]


def test_a_query_that_is_not_utf_8() -> None:
    with pytest.raises(InvalidArgumentError, match="UTF-8"):
        read("GET", "/v1/k8s/pods?namespace=%ff")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_must_say_that_it_is_json(content_type: str) -> None:
    with pytest.raises(HttpError) as caught:
        read("POST", "/v1/k8s/apply", "{}", content_type)
    assert caught.value.http_status == 415
