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
from gateway.connexion_names import AbstractSecurityHandler, ConnexionRequest
from gateway.exchange import SCOPE_KEY

# Connexion wants token information; the exchange has what the steps need.
_ADMITTED: dict[str, Any] = {}


class BearerSecurity(AbstractSecurityHandler):  # type: ignore[misc]
    """Compiles one alternative at start-up into the steps that admit a caller by it."""

    def get_fn(
        self, security_scheme: dict[str, Any], required_scopes: list[str]
    ) -> Callable[[ConnexionRequest], Awaitable[dict[str, Any]]]:
        """The check of one alternative; raises Unauthenticated or Forbidden when run."""
        requirement = Requirement(security_scheme[SCHEME_NAME], frozenset(required_scopes))
        admit = pipeline.admission(requirement, security_scheme[GRANTS])

        async def check(request: ConnexionRequest) -> dict[str, Any]:
            await admit(request.scope[SCOPE_KEY])
            return _ADMITTED

        return check
