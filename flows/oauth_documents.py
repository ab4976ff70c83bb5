"""What clients of OAuth read before they begin: the server's description, its public keys."""

from typing import Any

from domain import oauth, oauth_clients
from flows.house import House


def server_metadata(house: House) -> dict[str, Any]:
    """The description of the authorisation server (RFC 8414)."""
    return oauth.metadata(house.settings.origin, oauth_clients.SCOPES)


async def key_set(house: House) -> dict[str, Any]:
    """The keys that access tokens are signed with, now or soon (RFC 7517 section 5)."""
    return {"keys": await house.signing_keys.published()}
