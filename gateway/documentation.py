"""/openapi.json and /docs: a page of plain HTML, without scripts and without outside assets."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute

from gateway import metrics
from gateway.openapi import OpenApi, load_comments
from gateway.transcoding.routes import Route

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
code, .verb { font-family: ui-monospace, monospace; font-size: 0.92em; }
details { border: 1px solid var(--line); border-radius: 6px; margin: 0.5rem 0; }
summary { cursor: pointer; padding: 0.45rem 0.7rem; }
details > div { padding: 0.2rem 0.9rem 0.8rem; border-top: 1px solid var(--line); }
.verb { display: inline-block; min-width: 4.2rem; font-weight: 700; }
.say { opacity: 0.75; margin-left: 0.6rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.25rem 0.6rem; border-top: 1px solid var(--line); }
th { background: var(--soft); }
p.pre { white-space: pre-line; }
"""
_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    + "'"
)


class Documentation:
    """Both are made when first asked for."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = list(routes)
        self._document: dict[str, Any] | None = None

    def routes(self) -> list[HttpRoute]:
        return [HttpRoute("/openapi.json", self.openapi), HttpRoute("/docs", self.page)]

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        metrics.set_route(request.scope, "/openapi.json")
        return Response(orjson.dumps(self._made()), media_type="application/json")

    async def page(self, request: Request) -> Response:
        """The same for people."""
        metrics.set_route(request.scope, "/docs")
        return Response(
            _page(self._made()),
            media_type="text/html",
            headers={"content-security-policy": _POLICY},
        )

    def _made(self) -> dict[str, Any]:
        if self._document is None:
            self._document = OpenApi(self._routes, load_comments()).document()
        return self._document


def _page(document: dict[str, Any]) -> str:
    info = document["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{_text(info['title'])} API</title><style>{_STYLE}</style>",
        f"<h1>{_text(info['title'])} API</h1><p class=pre>{_text(info['description'])}</p>",
        "<p>The same for programs: <a href=/openapi.json>/openapi.json</a> (OpenAPI 3.1).</p>",
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{_text(tag['name'])}</h2><p>{_text(tag['description'])}</p>")
        for path, verbs in document["paths"].items():
            for verb, operation in verbs.items():
                if tag["name"] in operation["tags"]:
                    parts.append(_operation(path, verb, operation, document))
    return "".join(parts)


def _operation(path: str, verb: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    rows = [
        _row(parameter["name"], parameter["in"], parameter["schema"], parameter["description"])
        for parameter in operation["parameters"]
    ]
    body = operation.get("requestBody")
    if body is not None:
        rows += _fields("body", body["content"]["application/json"]["schema"], document)
    content = next(iter(operation["responses"]["200"]["content"].items()))
    schema = content[1]["schema"]
    schema = schema["properties"]["result"] if content[0] == "application/x-ndjson" else schema
    kind = "stream of " if content[0] == "application/x-ndjson" else ""
    return (
        f"<details><summary><span class=verb>{verb.upper()}</span><code>{_text(path)}</code>"
        f"<span class=say>{_text(operation['summary'])}</span></summary><div>"
        f"<p>{_text(operation['description'])} Role: {_text(operation['x-podyard-role'])}.</p>"
        + _table("Request", rows)
        + _table(f"Response: {kind}{_type(schema)}", _fields("", schema, document))
        + "</div></details>"
    )


def _fields(where: str, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    properties = document["components"]["schemas"].get(name, {}).get("properties", {})
    return [
        _row(key, where, field, field.get("description", "")) for key, field in properties.items()
    ]


def _table(title: str, rows: list[str]) -> str:
    if not rows:
        return ""
    return f"<table><tr><th colspan=4>{_text(title)}</th></tr>{''.join(rows)}</table>"


def _row(name: str, where: str, schema: dict[str, Any], description: str) -> str:
    return (
        f"<tr><td><code>{_text(name)}</code></td><td>{_text(where)}</td>"
        f"<td><code>{_text(_type(schema))}</code></td><td>{_text(description)}</td></tr>"
    )


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition(".")[2].rpartition("/")[2]
    if schema.get("type") == "array":
        return f"{_type(schema['items'])}[]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_type(schema['additionalProperties'])}"
    if "oneOf" in schema:
        return "number"
    return str(schema.get("format") or schema.get("type") or "any")


def _text(text: str) -> str:
    return html.escape(text)
