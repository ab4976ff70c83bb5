"""Finds the operation of a request in a table made from what Connexion loaded.

Connexion's own router costs 5 to 34 µs by the place of the route in the list, names only
the first route in `Allow` and redirects trailing slashes; this one looks up exact paths
and then compares segments.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from contract.document import METHODS
from contract.operations import Operation
from domain.refusals import MethodNotAllowed, Missing
from gateway.connexion_names import ROUTING_CONTEXT, Specification, SpecMiddleware
from gateway.exchange import SCOPE_KEY, AsgiApp, Exchange, Proceed, Receive, Scope, Send

OPTIONS = "OPTIONS"
NO_CONTENT = 204
PAGES = "pages"


class Route:
    """One path template with the operations of its methods."""

    def __init__(self, path: str) -> None:
        segments = path.split("/")
        named = [(i, s[1:-1]) for i, s in enumerate(segments) if s.startswith("{")]
        self.names = tuple(named)
        self.literals = tuple((i, s) for i, s in enumerate(segments) if not s.startswith("{"))
        self.length = len(segments)
        self.operations: dict[str, Operation] = {}
        self.entries: dict[str, Proceed] = {}

    @property
    def allow(self) -> str:
        """The methods of this path, for `Allow`."""
        return ", ".join(sorted((*self.entries, OPTIONS)))

    @property
    def preflight(self) -> str:
        """The methods that pages of other origins may use: none where a page is answered."""
        shown = any(operation.tag == PAGES for operation in self.operations.values())
        return "" if shown else self.allow

    def parameters(self, segments: list[str]) -> dict[str, str] | None:
        """The path parameters, None when the path is another."""
        for index, literal in self.literals:
            if segments[index] != literal:
                return None
        found = {name: segments[index] for index, name in self.names}
        return found if all(found.values()) else None


class Routes(SpecMiddleware):  # type: ignore[misc]
    """Sets the exchange's operation and path parameters, or refuses with 404 or 405."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        operations: Mapping[str, Operation],
        around: Callable[[Operation, Proceed], Proceed],
    ) -> None:
        self._app = app
        self._operations = operations
        self._around = around
        self._exact: dict[str, Route] = {}
        self._by_length: dict[int, list[Route]] = {}

    def add_api(self, specification: Specification, **options: Any) -> None:
        """Called by Connexion with the specification that it loaded."""
        base = specification.base_path
        for path, item in specification["paths"].items():
            route = Route(base + path)
            for method in METHODS:
                if method in item:
                    self._add_operation(route, method.upper(), item[method], base)
            if route.names:
                self._by_length.setdefault(route.length, []).append(route)
            else:
                self._exact[base + path] = route
        for routes in self._by_length.values():
            # A literal segment wins over a named one, wherever the document has it.
            routes.sort(key=lambda route: -len(route.literals))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        exchange: Exchange = scope[SCOPE_KEY]
        route = self._exact.get(scope["path"]) or self._find(exchange)
        method = scope["method"]
        entry = route.entries.get(method)
        if entry is None:
            if method == OPTIONS:
                return _tell_methods(exchange, route)
            raise MethodNotAllowed(route.allow)
        exchange.operation = route.operations[method]
        return entry(exchange)

    def _find(self, exchange: Exchange) -> Route:
        segments = exchange.scope["path"].split("/")
        for route in self._by_length.get(len(segments), ()):
            parameters = route.parameters(segments)
            if parameters is not None:
                exchange.path_parameters = parameters
                return route
        raise Missing("route_missing")

    def _add_operation(self, route: Route, method: str, node: dict[str, Any], base: str) -> None:
        operation = self._operations[node["operationId"]]
        context = {"api_base_path": base, "operation_id": operation.operation_id}

        def enter(exchange: Exchange) -> Awaitable[None]:
            scope = exchange.scope
            scope.setdefault("extensions", {})[ROUTING_CONTEXT] = context
            return self._app(scope, exchange.receive, exchange.send)

        entry = self._around(operation, enter)
        for answered in (method, "HEAD") if method == "GET" else (method,):
            route.entries[answered] = entry
            route.operations[answered] = operation


async def _tell_methods(exchange: Exchange, route: Route) -> None:
    """The answer to OPTIONS, by the document's `x-cors`; steps/cross_origin.py goes on."""
    exchange.status = NO_CONTENT
    exchange.answer_headers = [(b"allow", route.allow.encode())]
    exchange.preflight = route.preflight
