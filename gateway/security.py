"""The bearer scheme of the document, as Connexion's security asks for it.

Connexion tries the alternatives of an operation's security in turn and knows AND and OR;
out of the box it does not enforce the scopes of a bearer scheme.  It answers the 403 or 401 of
the alternatives that were tried, whatever an alternative for another kind of caller raised.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from contract.operations import Requirement
from contract.routing_view import GRANTS, SCHEME_NAME
from gateway import pipeline
from gateway.connexion_names import (
    AbstractOperation,
    AbstractSecurityHandler,
    SecurityAPI,
    SecurityMiddleware,
    SecurityOperation,
)
from gateway.exchange import SCOPE_KEY, Receive, Scope, Send

# Connexion wants token information; the exchange has what the steps need.
_ADMITTED: dict[str, Any] = {}


class Asked:
    """What Connexion's checks use of a request: its own makes a Starlette request for each."""

    __slots__ = ("context", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.context: dict[str, Any] = {}


class _SecuredOperation(SecurityOperation):  # type: ignore[misc]
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.security:
            await self.verification_fn(Asked(scope))
        await self.next_app(scope, receive, send)


class _SecuredAPI(SecurityAPI):  # type: ignore[misc]
    def make_operation(self, operation: AbstractOperation) -> Any:
        return _SecuredOperation.from_operation(
            operation,
            next_app=self.next_app,
            security_handler_factory=self.security_handler_factory,
        )


class Security(SecurityMiddleware):  # type: ignore[misc]
    """Connexion's security over `Asked`."""

    api_cls = _SecuredAPI


class BearerSecurity(AbstractSecurityHandler):  # type: ignore[misc]
    """Compiles one alternative at start-up into the steps that admit a caller by it."""

    def get_fn(
        self, security_scheme: dict[str, Any], required_scopes: list[str]
    ) -> Callable[[Asked], Awaitable[dict[str, Any]]]:
        """The check of one alternative; raises Unauthenticated or Forbidden when run."""
        requirement = Requirement(security_scheme[SCHEME_NAME], frozenset(required_scopes))
        admit = pipeline.admission(requirement, security_scheme[GRANTS])

        async def check(request: Asked) -> dict[str, Any]:
            await admit(request.scope[SCOPE_KEY])
            return _ADMITTED

        return check
