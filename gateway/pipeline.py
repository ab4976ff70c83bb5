"""The steps of a request, in their order.  Read this first.

An answer walks back up the same list.  A step is a file of `gateway/steps/`; its `bind`
wraps what follows, once, when the process starts, and gives it back unwrapped where it has
nothing to do.  A step that has nothing to do once the rest is done hands the rest on instead
of awaiting it: then it is no part of the stack that every waking of the request climbs.  The
order of refusals (contract-decisions, "Refusals, in order") is the order of this list: what
stands higher answers first.
"""

from collections.abc import Iterable

from contract.operations import Operation, Requirement
from gateway.exchange import EdgeStep, Exchange, Handler, OperationStep, Proceed
from gateway.steps import (
    audit,
    audit_sink,
    authenticate,
    authorise,
    body,
    call,
    charge_items,
    cross_origin,
    envelope,
    header_syntax,
    idempotency,
    items,
    measure,
    origin,
    publish,
    rate_limit,
    represent,
    request_id,
    shed,
    shorten,
    stamp,
    standing,
    tell_limits,
    validate,
    version,
)

# Around everything, Connexion too: these see every request and own every answer.
AT_THE_EDGE: tuple[EdgeStep, ...] = (
    request_id.bind,
    audit.bind,
    origin.bind,
    measure.bind,
    cross_origin.bind,
    tell_limits.bind,
    stamp.bind,
    envelope.bind,
)
# gateway/routes.py looks the operation up: 404, 405.
WITH_AN_OPERATION: tuple[OperationStep, ...] = (shed.bind, header_syntax.bind)
# Connexion's security runs authenticate and authorise for each alternative: 401, 403.
# The operation's own steps follow, and end at its handler.
WITH_A_CALLER: tuple[OperationStep, ...] = (
    standing.bind,
    rate_limit.bind,
    audit_sink.bind,
    body.bind,
    version.bind,
    validate.bind,
    idempotency.bind,
    items.bind,
    charge_items.bind,
    shorten.bind,
    represent.bind,
    publish.bind,
)


def at_the_edge(proceed: Proceed) -> Proceed:
    """The steps of every request around `proceed`."""
    for bind in reversed(AT_THE_EDGE):
        proceed = bind(proceed)
    return proceed


def with_an_operation(operation: Operation, proceed: Proceed) -> Proceed:
    """The steps between routing and security around `proceed`."""
    return _bound(WITH_AN_OPERATION, operation, proceed)


def admission(requirement: Requirement, grants: dict[str, list[str]]) -> Proceed:
    """What one alternative of an operation's security asks of the caller."""
    return authenticate.bind(authorise.bind(requirement, grants, _admitted))


def with_a_caller(operation: Operation, handler: Handler) -> Proceed:
    """The steps after security, down to the handler."""
    return _bound(WITH_A_CALLER, operation, call.bind(operation, handler))


def _bound(steps: Iterable[OperationStep], operation: Operation, proceed: Proceed) -> Proceed:
    for bind in reversed(tuple(steps)):
        proceed = bind(operation, proceed)
    return proceed


async def _admitted(exchange: Exchange) -> None:
    """The end of admission: the caller may go on."""
