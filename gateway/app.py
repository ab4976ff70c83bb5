"""Composition root: settings in, doors opened, application out."""

from functools import partial
from typing import Any

from contract.document import Node, load_document
from contract.operations import compile_operations
from contract.routing_view import routing_view
from flows.house import House
from gateway import pipeline
from gateway.connexion_names import ConnexionMiddleware
from gateway.edge import Edge
from gateway.exchange import AsgiApp
from gateway.resolving import HandlerResolver, Resolve, handler_of, refuse_strays
from gateway.routes import Routes
from gateway.security import BearerSecurity, Security
from gateway.terminal import Terminal


def build_app(
    house: House, resolve: Resolve | None = None, document: Node | None = None
) -> AsgiApp:
    """The ASGI application over an opened house.

    Raises when document, handlers and code do not fit together: a process that cannot
    answer every operation does not start.  `resolve` gives the handler of an operation,
    that of `handlers/` when left out.
    """
    document = document or load_document()
    operations = compile_operations(document, "gateway")
    if resolve is None:
        refuse_strays(operations.values())
    app = ConnexionMiddleware(
        Terminal(),
        import_name="gateway",
        middlewares=[
            partial(Edge, house=house, around=pipeline.at_the_edge),
            partial(Routes, operations=operations, around=pipeline.with_an_operation),
            Security,
        ],
        resolver=HandlerResolver(operations, resolve or handler_of),
        security_map={"bearer": BearerSecurity},
    )
    app.add_api(routing_view(document), base_path="", operations=operations)
    _assemble(app)
    return app  # type: ignore[no-any-return]


def _assemble(app: Any) -> None:
    """Make Connexion build its layers now: it would wait for the first request.

    Nothing in our layers waits on a `lifespan` scope, so the coroutine ends at once.
    """
    try:
        app({"type": "lifespan"}, None, None).send(None)
    except StopIteration:
        return
    raise RuntimeError("a layer of the application waited while it was assembled")
