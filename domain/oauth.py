"""The authorisation code flow with PKCE: RFC 6749, 7636, 9207 and 9700, without any I/O."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus, urlencode
from uuid import UUID

from domain import base62, moments
from domain.ids import from_text, to_text

ACCESS_TOKEN_SECONDS: Final = 1800
REFRESH_TOKEN_LIFE: Final = timedelta(days=90)
CODE_LIFE: Final = timedelta(seconds=60)
# A token with `account:manage` is good while its person has given a code this lately.
SECOND_FACTOR_LIFE: Final = timedelta(minutes=15)
SECRET_BYTES: Final = 32
CODE_PREFIX: Final = "poc_"
REFRESH_PREFIX: Final = "prt_"
MODES: Final = {"test": False, "live": True}

_SECRET_WIDTH: Final = 43
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class ProtocolError(Exception):
    """What RFC 6749 sections 4.1.2.1 and 5.2 answer: a code, and a sentence for developers.

    `challenged`: the client tried to authenticate by a header, so 401 names the scheme.
    """

    def __init__(self, error: str, description: str, *, challenged: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.challenged = challenged

    @property
    def status(self) -> int:
        """The HTTP status of the token endpoint's answer."""
        return 401 if self.error == "invalid_client" else 400

    @property
    def body(self) -> dict[str, str]:
        """The answer of the token endpoint."""
        return {"error": self.error, "error_description": self.description}


class Holder(NamedTuple):
    """What the text of a code or refresh token says of itself; nothing of it is proven."""

    merchant_id: UUID
    grant_id: UUID


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client said who it is: its id, and its secret unless it has none."""

    client_id: UUID
    secret: str | None
    by_header: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """An authorisation request whose client and redirect URI were proven.

    `livemode` is None where the request leaves it to the merchant's standing.
    """

    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    livemode: bool | None


def wanted(query: Mapping[str, str], allowed: Sequence[str]) -> Wanted:
    """What an authorisation request asks for; raises ProtocolError.

    PKCE with S256 is required of every client (RFC 9700 section 2.1.1): `plain`, or a request
    without a challenge, is refused, so there is nothing to downgrade to.
    """
    if query.get("response_type") != "code":
        raise ProtocolError("unsupported_response_type", "response_type must be code.")
    challenge = query.get("code_challenge", "")
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise ProtocolError("invalid_request", "A code_challenge of method S256 is required.")
    mode = query.get("mode")
    if mode is not None and mode not in MODES:
        raise ProtocolError("invalid_request", "mode must be test or live.")
    return Wanted(
        redirect_uri=query["redirect_uri"],
        scopes=scopes_asked(query.get("scope"), allowed),
        challenge=challenge,
        livemode=None if mode is None else MODES[mode],
    )


def scopes_asked(text: str | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """The scopes of a request, all that are allowed where it names none; raises ProtocolError."""
    if text is None:
        return tuple(allowed)
    asked = tuple(dict.fromkeys(text.split(" ")))
    if not set(asked) <= set(allowed):
        raise ProtocolError("invalid_scope", "A scope is unknown, or more than is allowed.")
    return asked


def answer_location(redirect_uri: str, issuer: str, answer: Mapping[str, str | None]) -> str:
    """Where the browser is sent with the answer; `iss` tells servers apart (RFC 9207)."""
    given = {name: value for name, value in answer.items() if value is not None}
    joint = "&" if "?" in redirect_uri else "?"
    return redirect_uri + joint + urlencode({**given, "iss": issuer})


def proves(verifier: str, challenge: str) -> bool:
    """Whether this is the verifier behind an S256 challenge (RFC 7636 section 4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest())
    return hmac.compare_digest(digest.rstrip(b"="), challenge.encode("ascii"))


def credentials(form: Mapping[str, str], authorization: str | None) -> Credentials:
    """Who the client says it is, in exactly one way (RFC 6749 section 2.3.1).

    Raises ProtocolError.
    """
    if authorization is None:
        identifier, secret = form.get("client_id", ""), form.get("client_secret")
    elif "client_secret" in form:
        raise ProtocolError("invalid_request", "A client authenticates in one way.")
    else:
        identifier, secret = _basic(authorization)
        if form.get("client_id", identifier) != identifier:
            raise ProtocolError("invalid_request", "A client authenticates in one way.")
    client_id = from_text("clt", identifier)
    if client_id is None:
        raise unknown_client(by_header=authorization is not None)
    return Credentials(client_id, secret, authorization is not None)


def unknown_client(*, by_header: bool) -> ProtocolError:
    """The one answer to a client that is not there or did not prove itself."""
    told = "The client is unknown, or did not authenticate as it must."
    return ProtocolError("invalid_client", told, challenged=by_header)


def invalid_grant() -> ProtocolError:
    """The one answer to a code or refresh token that is not good, whatever the reason."""
    told = "It is unknown, has ended, was used or revoked, or was given for another request."
    return ProtocolError("invalid_grant", told)


def compose(prefix: str, holder: Holder, secret: bytes) -> str:
    """The text of a code or refresh token; `secret` is SECRET_BYTES random bytes."""
    ids = (base62.encode(each.int, base62.ID_WIDTH) for each in holder)
    return prefix + "".join(ids) + base62.encode(int.from_bytes(secret, "big"), _SECRET_WIDTH)


def parse(prefix: str, text: str) -> Holder | None:
    """Whose code or refresh token it says it is; None when it is none."""
    body = text[len(prefix) :]
    length = 2 * base62.ID_WIDTH + _SECRET_WIDTH
    if not text.startswith(prefix) or len(body) != length or base62.decode(body) is None:
        return None
    merchant = base62.decode(body[: base62.ID_WIDTH]) or 0
    grant = base62.decode(body[base62.ID_WIDTH : 2 * base62.ID_WIDTH]) or 0
    if merchant >> 128 or grant >> 128:
        return None
    return Holder(UUID(int=merchant), UUID(int=grant))


def digest_of(text: str) -> bytes:
    """What is stored of a code or refresh token; its 256 random bits need no slow hash."""
    return hashlib.sha256(text.encode()).digest()


def is_lately(second_factor_at: datetime | None, now: datetime) -> bool:
    """Whether a code of a second factor was given within the last 15 minutes."""
    return second_factor_at is not None and now - second_factor_at <= SECOND_FACTOR_LIFE


def grant_resource(grant: Mapping[str, Any], client_name: str) -> dict[str, Any]:
    """A grant as the API shows it."""
    return {
        "object": "oauth_grant",
        "id": to_text("grt", grant["id"]),
        "client_id": to_text("clt", grant["client_id"]),
        "client_name": client_name,
        "scopes": grant["scopes"],
        "livemode": grant["livemode"],
        "created_at": moments.to_text(grant["created_at"]),
    }


def deleted_grant(grant_id: UUID) -> dict[str, Any]:
    """What is answered when a grant is revoked."""
    return {"object": "oauth_grant", "id": to_text("grt", grant_id), "deleted": True}


def metadata(issuer: str, scopes: Sequence[str]) -> dict[str, Any]:
    """The description of this authorisation server (RFC 8414 section 2)."""
    methods = ["client_secret_basic", "client_secret_post", "none"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/v1/oauth/revoke",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": True,
        "service_documentation": "https://docs.paymint.com/oauth",
    }


def audience_of(issuer: str) -> str:
    """Whom access tokens are for: the payments API, and nobody else (blueprint section 4)."""
    return f"{issuer}/v1"


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        identifier, separator, secret = text.partition(":")
        if not separator:
            raise ValueError
    except ValueError:
        raise unknown_client(by_header=True) from None
    return unquote_plus(identifier), unquote_plus(secret)
