"""Which method an HTTP request calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from gateway.problems import HttpError
from gateway.transcoding.methods import HttpBinding, RpcMethod
from gateway.transcoding.template import PathTemplate, parse_template
from services.common.errors import InvalidArgumentError, NotFoundError, UnsupportedError


@dataclass(frozen=True, slots=True)
class Route:
    """A binding of a method with its parsed template."""

    method: RpcMethod
    binding: HttpBinding
    template: PathTemplate

    @property
    def specificity(self) -> tuple[int, ...]:
        return self.template.specificity


@dataclass(frozen=True, slots=True)
class Match:
    """A route and the text of each variable of its path, by field path."""

    route: Route
    variables: dict[str, str]


class RouteTable:
    """All routes. Literals win over wildcards, and a verb over a colon in a name."""

    def __init__(self, methods: Iterable[RpcMethod]) -> None:
        self.routes = [
            Route(method, binding, parse_template(binding.template))
            for method in methods
            for binding in method.bindings
        ]
        self._by_verbs: dict[tuple[str, str], list[Route]] = {}
        for route in sorted(self.routes, key=attrgetter("specificity")):
            key = (route.binding.verb, route.template.verb)
            self._by_verbs.setdefault(key, []).append(route)
        self._http_verbs = sorted({verb for verb, _ in self._by_verbs})

    def find(self, http_verb: str, raw_path: bytes) -> Match:
        """The match; HttpError 404 or 405 if there is none, 400 if the path is not UTF-8."""
        path = raw_path.decode("ascii", errors="replace")
        wanted = "GET" if http_verb == "HEAD" else http_verb
        try:
            match = self._match(wanted, path)
            # The head of a stream is not known before the stream is opened.
            if match is not None and not (http_verb == "HEAD" and match.route.method.streaming):
                return match
            allowed = [verb for verb in self._http_verbs if self._match(verb, path) is not None]
        except UnicodeDecodeError:
            raise InvalidArgumentError(
                "the path is not percent-encoded UTF-8", reason="BAD_PATH"
            ) from None
        if allowed:
            raise HttpError(
                405,
                UnsupportedError(
                    f"{http_verb} is not possible on {path}; possible: {', '.join(allowed)}",
                    reason="METHOD_NOT_ALLOWED",
                ),
                headers={"allow": ", ".join(allowed)},
            )
        raise NotFoundError(
            "path",
            path,
            f"there is nothing at {path}; /docs lists what there is",
            reason="NO_ROUTE",
        )

    def _match(self, http_verb: str, path: str) -> Match | None:
        segments = path[1:].split("/")
        name, colon, verb = segments[-1].rpartition(":")
        if colon:
            found = self._among(http_verb, verb, [*segments[:-1], name])
            if found is not None:
                return found
        return self._among(http_verb, "", segments)

    def _among(self, http_verb: str, verb: str, segments: list[str]) -> Match | None:
        for route in self._by_verbs.get((http_verb, verb), ()):
            variables = route.template.match(segments)
            if variables is not None:
                return Match(route, variables)
        return None
