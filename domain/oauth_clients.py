"""Applications that merchants may let in: what one may be registered with."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from domain import base62, moments, scopes
from domain.ids import to_text
from domain.refusals import Malformed

CLIENT_SECRET_PREFIX: Final = "pcs_"
SECRET_BYTES: Final = 32
SECRET_WIDTH: Final = 43
# What an access token may hold; the last one is for our own applications.
PARTNERS_SCOPES: Final = tuple(scope for scope in scopes.GRANTS if scope != scopes.PLATFORM)
SCOPES: Final = (*PARTNERS_SCOPES, scopes.ACCOUNT)
_PRINTABLE: Final = re.compile(r"[!-~]+")
# Host and port as a Content-Security-Policy can name them: it stands in that of the page.
_PLACE: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
# RFC 8252 section 7.3: an application on the user's machine takes whatever port is free.
_LOOPBACK: Final = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?(/.*)?")


def check_redirect_uris(uris: Sequence[str]) -> None:
    """Raises 400 `parameter_invalid` for one that no client may name.

    `https`, or `http` to a loopback address written as such; no fragment, no credentials, no
    wildcard (RFC 9700 section 2.1, RFC 8252 section 8.3).
    """
    for uri in uris:
        if not _is_acceptable(uri):
            raise Malformed("parameter_invalid", "redirect_uris")


def check_scopes(asked: Sequence[str], *, first_party: bool) -> None:
    """Raises 400 `parameter_invalid` for a scope that this kind of client cannot have."""
    allowed = SCOPES if first_party else PARTNERS_SCOPES
    if not set(asked) <= set(allowed):
        raise Malformed("parameter_invalid", "scopes")


def names(client: Mapping[str, Any], redirect_uri: str) -> bool:
    """Whether the client registered this URI: the same text, but for the port of a loopback."""
    if redirect_uri in client["redirect_uris"]:
        return True
    asked = _LOOPBACK.fullmatch(redirect_uri)
    if asked is None or not _is_acceptable(redirect_uri):
        return False
    registered = (_LOOPBACK.fullmatch(uri) for uri in client["redirect_uris"])
    return any(each is not None and each.groups() == asked.groups() for each in registered)


def compose_secret(secret: bytes) -> str:
    """The text of a client's secret; `secret` is SECRET_BYTES random bytes."""
    return CLIENT_SECRET_PREFIX + base62.encode(int.from_bytes(secret, "big"), SECRET_WIDTH)


def resource(client: Mapping[str, Any], secret: str | None = None) -> dict[str, Any]:
    """The client as the API shows it; `secret` only in the answer that registers it."""
    return {
        "object": "oauth_client",
        "id": to_text("clt", client["id"]),
        "name": client["name"],
        "type": client["type"],
        "first_party": client["first_party"],
        "redirect_uris": client["redirect_uris"],
        "scopes": client["scopes"],
        "secret": secret,
        "created_at": moments.to_text(client["created_at"]),
    }


def deleted(client_id: UUID) -> dict[str, Any]:
    """What is answered when a client is deleted."""
    return {"object": "oauth_client", "id": to_text("clt", client_id), "deleted": True}


def _is_acceptable(uri: str) -> bool:
    if not _PRINTABLE.fullmatch(uri) or any(mark in uri for mark in '#*\\<>"{}|^`'):
        return False
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    if not _PLACE.fullmatch(parts.netloc) or port == 0 or not parts.path.startswith("/"):
        return False
    return uri.startswith("https://") or _LOOPBACK.fullmatch(uri) is not None
