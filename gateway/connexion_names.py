"""Every name of Connexion that the gateway stands on, all of them public.

Connexion carries no types and is pinned to 3.3; tests/gateway/test_start.py
holds each name to what is expected of it.
"""

from connexion.middleware import ConnexionMiddleware  # type: ignore[import-untyped]
from connexion.middleware.abstract import (  # type: ignore[import-untyped]
    ROUTING_CONTEXT,
    RoutedAPI,
    RoutedMiddleware,
    SpecMiddleware,
)
from connexion.middleware.security import (  # type: ignore[import-untyped]
    SecurityAPI,
    SecurityMiddleware,
    SecurityOperation,
)
from connexion.operations import AbstractOperation  # type: ignore[import-untyped]
from connexion.resolver import Resolution, Resolver  # type: ignore[import-untyped]
from connexion.security import AbstractSecurityHandler  # type: ignore[import-untyped]
from connexion.spec import Specification  # type: ignore[import-untyped]

__all__ = [
    "ROUTING_CONTEXT",
    "AbstractOperation",
    "AbstractSecurityHandler",
    "ConnexionMiddleware",
    "Resolution",
    "Resolver",
    "RoutedAPI",
    "RoutedMiddleware",
    "SecurityAPI",
    "SecurityMiddleware",
    "SecurityOperation",
    "SpecMiddleware",
    "Specification",
]
